"""CDAE for training users, by their ids, and for unknown users, by their histories."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae import Interactions, Recommender, Run, evaluate
from recsys_ae.data.splits.split import Holdout
from recsys_ae.errors import ConfigError
from recsys_ae.models import CDAE
from recsys_ae.models.cdae import CDAENetwork
from tests.models.blocks import block_of, holdout, small, training_data

CPU = Run(device="cpu")


def named() -> Interactions:
    """Return the blocks with users called u0, u1, …"""
    data = training_data()
    return Interactions(data.matrix, pd.Index([f"u{user}" for user in data.users]), data.items)


@pytest.fixture(scope="module")
def model() -> Recommender:
    return Recommender(small("cdae")).fit(named(), run=CPU)


def network_of(model: Recommender) -> CDAENetwork:
    assert isinstance(model.network, CDAENetwork)
    return model.network


def test_training_users_are_looked_up_by_id_and_all_others_are_unknown(model: Recommender) -> None:
    data, network = named(), network_of(model)
    histories = data.matrix[[3, 3, 3]]
    scores = model.score(histories, users=pd.Index(["u3", "u40", "nobody"]))
    unnamed = model.score(histories)
    np.testing.assert_array_equal(scores[2], unnamed[2])
    assert not np.allclose(scores[0], scores[2])
    assert not np.allclose(scores[0], scores[1])
    with torch.no_grad():
        linear = histories[0].toarray() @ network.input.weight.numpy() + network.input.bias.numpy()
        vectors = torch.stack([network.users[3], network.users[40], network.users.mean(dim=0)]).numpy()
        codes = 1 / (1 + np.exp(-(linear + vectors)))
        expected = codes @ network.item_vectors().numpy().T + network.bias.numpy()
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


def test_recommendations_and_metrics_use_the_users_ids_too(model: Recommender) -> None:
    data = named()
    ids = data.users[[5, 20, 35]]
    items, scores = model.recommend(data.matrix[[5, 20, 35]], k=27, users=ids)
    table = model.score(data.matrix[[5, 20, 35]], users=ids)
    np.testing.assert_allclose(scores, np.take_along_axis(table, items, axis=1), rtol=1e-5, atol=1e-6)
    assert not np.array_equal(scores, model.recommend(data.matrix[[5, 20, 35]], k=27).scores)
    targets = csr_matrix((np.ones(3, np.float32), (range(3), items[:, 0])), shape=(3, 32))
    held_out = Holdout(data.matrix[[5, 20, 35]], targets, ids)
    assert evaluate(model, held_out, ["hit@1"], n_resamples=2).mean["hit@1"] == 1


def test_an_empty_history_gets_the_order_of_popularity_even_for_a_training_user(model: Recommender) -> None:
    nothing = csr_matrix((1, 32), dtype=np.float32)
    np.testing.assert_array_equal(model.score(nothing, users=pd.Index(["u3"])), model.score(nothing))


def test_a_table_means_the_user_of_its_ids(model: Recommender) -> None:
    data = named()
    frame = pd.DataFrame({"user": ["u7", "stranger"], "item": data.items[[2, 2]]})
    scores = model.recommend_frame(frame, k=31).set_index(["user", "item"])["score"]
    table = model.score(csr_matrix(np.eye(32, dtype=np.float32)[[2, 2]]), users=pd.Index(["u7", "stranger"]))
    for row, user in enumerate(["u7", "stranger"]):
        np.testing.assert_allclose(
            scores[user].sort_index().to_numpy(),
            np.delete(table[row], 2)[np.argsort(np.delete(data.items, 2))],
            rtol=1e-6,
        )
    assert not np.allclose(table[0], table[1])


def test_the_users_come_back_with_the_model(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    assert (tmp_path / "model" / "users.json").is_file()
    again = Recommender.load(tmp_path / "model", device="cpu")
    assert again.users.equals(named().users)
    ids = pd.Index(["u3", "nobody", "u59"])
    histories = named().matrix[[3, 3, 59]]
    np.testing.assert_array_equal(again.score(histories, users=ids), model.score(histories, users=ids))


def test_the_validation_knows_the_users_that_it_names() -> None:
    """Training measures the same as `evaluate`, for training users and for unknown ones."""
    data, reports = named(), []
    of_unknown = holdout(data)
    rng = np.random.default_rng(3)
    targets = csr_matrix((data.matrix.toarray() == 0) & (rng.random(data.shape) < 0.3), dtype=np.float32)
    for valid in (Holdout(data.matrix, targets, data.users), of_unknown):
        model = Recommender(small("cdae", epochs=2, lr=0.3)).fit(data, valid=valid, run=CPU)
        reports.append(evaluate(model, valid, ["ndcg@100"], n_resamples=2).mean["ndcg@100"])
        assert reports[-1] == pytest.approx(max(measured["valid/ndcg@100"] for measured in model.history), abs=1e-12)
    unknown = Holdout(data.matrix, targets, data.users + " of somebody else")
    unnamed = evaluate(model, unknown, ["ndcg@100"], n_resamples=2)
    assert unnamed.mean["ndcg@100"] != pytest.approx(reports[0], abs=1e-6)


def test_users_whose_row_is_empty_are_harmless() -> None:
    data = named()
    dense = data.matrix.toarray()
    dense[::7] = 0
    sparse = Interactions(csr_matrix(dense), data.users, data.items)
    model = Recommender(small("cdae", batch_size=1, epochs=4)).fit(sparse, run=CPU)
    assert all(np.isfinite(measured["loss"]) for measured in model.history)
    network = network_of(model)
    active = np.flatnonzero(dense.sum(axis=1))
    torch.testing.assert_close(network.mean_user, network.users.detach()[active].mean(dim=0))
    assert np.isfinite(model.score(data.matrix, users=data.users)).all()


def test_users_who_have_everything_are_harmless() -> None:
    data = named()
    full = Interactions(csr_matrix(np.ones_like(data.matrix.toarray())), data.users, data.items)
    model = Recommender(small("cdae", epochs=2)).fit(full, run=CPU)
    assert np.isfinite(model.score(data.matrix)).all()


@pytest.mark.parametrize(("variant", "tied"), [("m1", False), ("m2", True), ("m3", False), ("m4", True)])
def test_every_variant_learns_the_blocks(variant: str, tied: bool) -> None:
    data = training_data()
    spec = small("cdae", variant=variant, tied=tied, lr=0.05, l2=0.1, epochs=100)
    items, _ = Recommender(spec).fit(data, run=CPU).recommend(holdout(data).histories, k=4)
    assert (block_of(data)[items] == np.arange(4)[:, None]).mean() >= 0.8


def test_the_user_vector_alone_knows_a_users_block() -> None:
    """With everything dropped, recommendations depend on the id only; all unknown users get the same."""
    data = training_data()
    model = Recommender(small("cdae", dropout=1.0, epochs=80)).fit(data, run=CPU)
    items, _ = model.recommend(data.matrix, k=3, users=data.users)
    assert (block_of(data)[items] == np.repeat(np.arange(4), 15)[:, None]).mean() >= 0.9
    scores = model.score(data.matrix)
    np.testing.assert_allclose(scores, np.broadcast_to(scores[0], scores.shape), rtol=1e-5, atol=1e-6)


def test_other_variants_are_refused() -> None:
    with pytest.raises(ConfigError, match="variant = 'm5' is not one of 'm1', 'm2', 'm3', 'm4'"):
        CDAE(variant="m5")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"dropout = 1.1 is out of bounds; expected 0 to 1"):
        CDAE(dropout=1.1)
