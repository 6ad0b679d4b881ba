"""Blend against a slow version: every user's scores standardised or ranked in float64, then added up."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae import Holdout, Interactions, Recommender, Run, blend, evaluate
from recsys_ae.models import CDAE, EASE, Blend, MultDAE, Popularity
from recsys_ae.models import blend as blend_file
from recsys_ae.models.blend import BlendNetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import seeded
from recsys_ae.ranking.score_fusion import PARTS, Scale
from tests.nn.small import matrix, rows_of

CPU = Run(device="cpu")
DAE = MultDAE.paper(epochs=4, batch_size=16, latent=6, lr=0.01)
BOTH_SCALES = pytest.mark.parametrize("scale", ["standard", "rank"])


def noisy_data() -> tuple[Interactions, Holdout]:
    """Return 120 users with the taste of one of three noisy groups of items, and 40 validation users."""
    rng = np.random.default_rng(3)
    likes = np.array([0.4 * (np.arange(30) % 3 == user % 3) + 0.08 for user in range(160)])
    dense = rng.random((160, 30)) < likes
    dense[np.arange(160), np.arange(160) % 30] = True
    user, item = np.nonzero(dense[:120])
    train = Interactions.from_frame(pd.DataFrame({"user": user, "item": item}))
    assert train.shape == (120, 30)
    seen = rng.random((40, 30)) < 0.5
    halves = [csr_matrix((dense[120:] & mask).astype(np.float32)) for mask in (seen, ~seen)]
    return train, Holdout(halves[0], halves[1], pd.Index([f"new {user}" for user in range(40)]))


TRAIN, VALID = noisy_data()


def fitted(*specs: Any) -> list[Recommender]:
    return [Recommender(spec).fit(TRAIN, valid=VALID, run=CPU) for spec in specs]


def slow_mix(scores: Sequence[NDArray[np.float32]], weights: Sequence[float], scale: Scale) -> NDArray[np.float64]:
    """Return Σ_m w_m · scaled(score_m) / Σ_m w_m, user by user and item by item."""
    mixed = np.zeros(scores[0].shape)
    for table, weight in zip(scores, weights, strict=True):
        for user, row in enumerate(table.astype(np.float64)):
            for item, score in enumerate(row):
                if scale == "standard":
                    value = (score - row.mean()) / np.sqrt(((row - row.mean()) ** 2).mean())
                else:
                    value = 1 / (60 + 1 + sum(rival > score for rival in row))
                mixed[user, item] += weight / sum(weights) * value
    return mixed


@BOTH_SCALES
def test_scores_are_the_weighted_sum_of_the_members_scores(scale: Scale) -> None:
    models, weights = fitted(EASE.paper(l2=20.0), DAE, Popularity()), (3.0, 2.0, 0.5)
    histories = VALID.histories[VALID.histories.getnnz(axis=1) > 0]
    actual = blend(models, scale=scale, weights=weights).score(histories)
    expected = slow_mix([model.score(histories) for model in models], weights, scale)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5 if scale == "standard" else 1e-8)
    unweighted = slow_mix([model.score(histories) for model in models], (1, 1, 1), scale)
    assert np.abs(expected - unweighted).max() > (0.1 if scale == "standard" else 1e-3)


@BOTH_SCALES
@pytest.mark.parametrize("place", [0, 1])
def test_all_weight_on_one_member_gives_its_lists(scale: Scale, place: int) -> None:
    models = fitted(EASE.paper(l2=20.0), DAE)
    alone = blend(models, scale=scale, weights=(1 - place, place)).recommend(VALID.histories, k=30)
    np.testing.assert_array_equal(alone.items, models[place].recommend(VALID.histories, k=30).items)


def test_only_the_ratio_of_weights_counts() -> None:
    models = fitted(EASE.paper(l2=20.0), DAE)
    whole_numbers, shares = (
        blend(models, weights=weights).score(VALID.histories) for weights in ((1, 3), (0.25, 0.75))
    )
    np.testing.assert_array_equal(whole_numbers, shares)
    assert not np.allclose(whole_numbers, blend(models, weights=(3, 1)).score(VALID.histories))


@BOTH_SCALES
@pytest.mark.parametrize("monitor", ["ndcg@100", "recall@5"])
def test_the_chosen_weights_are_no_worse_on_validation_than_the_best_member(scale: Scale, monitor: str) -> None:
    models = fitted(EASE.paper(l2=20.0), DAE, Popularity())
    blended = blend(models, VALID, scale=scale, monitor=monitor)
    one_hot = [blend(models, VALID, scale=scale, monitor=monitor, weights=row) for row in np.eye(3).tolist()]
    best = max(model.history[0][f"valid/{monitor}"] for model in one_hot)
    assert blended.history[0][f"valid/{monitor}"] >= best
    weights = blended.network.get_buffer("weights")
    assert float(weights.sum()) == pytest.approx(1)
    torch.testing.assert_close(weights * PARTS, (weights * PARTS).round())


def test_of_a_good_and_a_useless_member_the_good_one_is_chosen_whatever_its_place() -> None:
    good, useless = fitted(EASE.paper(l2=20.0), Popularity())
    for models in ([good, useless], [useless, good]):
        weights = blend(models, VALID).network.get_buffer("weights").tolist()
        assert weights[models.index(good)] > 0.6


def test_without_validation_users_the_weights_are_equal() -> None:
    network = Recommender(Blend(members=("popularity", "ease", "ease l2=3"))).fit(TRAIN, run=CPU).network
    torch.testing.assert_close(network.get_buffer("weights"), torch.full((3,), 1 / 3, dtype=torch.float64))


def test_weights_that_are_asked_for_are_kept_with_validation_users_too() -> None:
    model = Recommender(Blend(members=("ease l2=9", "popularity"), weights=(1, 4))).fit(TRAIN, valid=VALID, run=CPU)
    assert model.network.get_buffer("weights").tolist() == [0.2, 0.8]
    assert model.spec == Blend(members=("ease l2=9", "popularity"), weights=(1, 4))


def test_f06_fitted_at_once_and_fitted_apart_are_the_same_blend_to_the_bit() -> None:
    """Each member starts as it would alone, and keeps its own best epoch, not the blend's."""
    specs = (MultDAE.paper(epochs=30, batch_size=16, latent=8, lr=0.03), DAE, EASE.paper(l2=20.0))
    apart = fitted(*specs)
    curve = [measured["valid/ndcg@100"] for measured in apart[0].history]
    assert np.argmax(curve) < len(curve) - 1  # there is a best epoch to keep
    at_once = Recommender(Blend(members=tuple(map(blend_file.text_of, specs)))).fit(TRAIN, valid=VALID, run=CPU)
    together = blend(apart, VALID)
    assert at_once.spec == together.spec
    assert at_once.history == together.history
    for name, tensor in at_once.network.state_dict().items():
        assert torch.equal(tensor, together.network.state_dict()[name]), name


def test_scores_from_the_cache_and_computed_again_give_the_same_blend(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    get = blend_file._ScoreCache.get

    def counted(self: Any, member: int, key: bytes, make: Any) -> Any:
        return get(self, member, key, lambda: computed.append(member) or make())

    monkeypatch.setattr(blend_file._ScoreCache, "get", counted)
    models, blends, effort = fitted(EASE.paper(l2=20.0), DAE), [], []
    for free in (None, 2**40, 4 * 4 * 40 * 30, 0):  # memory for everything, for one member, for nothing
        monkeypatch.setattr(blend_file, "free_memory", lambda _, free=free: free)
        computed.clear()
        blends.append(blend(models, VALID))
        effort.append(len(computed))
    assert effort[:2] == [2, 2]
    assert 2 < effort[2] < effort[3]
    for blended in blends[1:]:
        assert torch.equal(blended.network.get_buffer("weights"), blends[0].network.get_buffer("weights"))
        assert blended.history == blends[0].history


def test_the_hash_of_rows_depends_on_all_that_a_member_reads() -> None:
    rows = rows_of(matrix(6, 5, seed=1))
    changed = [
        rows.with_values(2 * torch.ones(len(rows.indices))),
        rows.take(torch.arange(5)),
        rows.take(torch.arange(6).flip(0)),
    ]
    changed.append(rows.take(torch.tensor([0, 1, 2, 3, 4, 4])))
    hashes = {blend_file._row_hash(x) for x in (rows, *changed)}
    hashes.add(blend_file._row_hash(dataclasses.replace(rows, positions=rows.positions - 1)))
    assert len(hashes) == 6
    assert blend_file._row_hash(rows_of(matrix(6, 5, seed=1))) == blend_file._row_hash(rows)


def test_the_cosine_of_two_items_is_the_weighted_mean_of_the_members_cosines() -> None:
    models = fitted(EASE.paper(l2=20.0), Popularity(), DAE)  # popularity cannot compare items, and is left out
    vectors = blend(models, weights=(3, 5, 1)).network.item_vectors().double()
    cosines = []
    for model in (models[0], models[2]):
        unit = model.network.item_vectors().detach().double().numpy()
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        cosines.append(unit @ unit.T)
    products = (vectors @ vectors.T).numpy()
    lengths = np.sqrt(np.diag(products))
    np.testing.assert_allclose(products / np.outer(lengths, lengths), (3 * cosines[0] + cosines[1]) / 4, atol=1e-5)


def test_a_member_with_user_vectors_gets_the_users_ids() -> None:
    cdae = CDAE.paper(epochs=3, batch_size=16, latent=4, l2=0.0)
    models = fitted(cdae, EASE.paper(l2=20.0))
    blended, users = blend(models, weights=(1, 1)), TRAIN.users[[7, 3]]
    histories = TRAIN.matrix[[7, 3]]
    scores = blended.score(histories, users=users)
    expected = slow_mix([models[0].score(histories, users=users), models[1].score(histories)], (1, 1), "standard")
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(scores, blended.score(histories))
    assert blended.users.equals(TRAIN.users)
    at_once = Recommender(Blend(members=(blend_file.text_of(cdae), "ease l2=20"), weights=(1, 1)))
    np.testing.assert_array_equal(at_once.fit(TRAIN, valid=VALID, run=CPU).score(histories, users=users), scores)


def test_weights_are_chosen_with_the_ids_of_validation_users() -> None:
    models = fitted(CDAE.paper(epochs=3, batch_size=16, latent=4, l2=0.0), EASE.paper(l2=20.0))
    of_training = dataclasses.replace(VALID, users=TRAIN.users[:40])
    blended = blend(models, of_training)
    report = evaluate(blended, of_training, ["ndcg@100"], n_resamples=10)
    assert blended.history[0]["valid/ndcg@100"] == pytest.approx(report.mean["ndcg@100"], abs=1e-12)
    assert blended.history != blend(models, VALID).history


def test_members_are_built_with_the_draws_that_they_would_have_alone() -> None:
    spec = Blend(members=("mult_dae latent=3", "mult_dae latent=4"))
    shape = Shape(9, 7)
    with seeded(5):
        network = spec.build(shape)
        after = torch.rand(1)
    assert isinstance(network, BlendNetwork)
    for member, member_spec in zip(network.networks, spec.specs, strict=True):
        with seeded(5):
            alone = member_spec.build(shape)
        for name, tensor in alone.state_dict().items():
            assert torch.equal(tensor, member.state_dict()[name])
    with seeded(5):
        assert torch.equal(torch.rand(1), after)
