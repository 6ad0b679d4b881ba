"""Members of a blend: how they are written, and which models can be mixed."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_ae import Interactions, Recommender, Run, blend, evaluate
from recsys_ae.errors import ConfigError, DataError, NotFittedError, UnsupportedError
from recsys_ae.models import EASE, AutoRec, Blend, MultDAE, MultVAE, Popularity
from recsys_ae.nn.model import Shape
from recsys_ae.testing.blocks import no_histories
from recsys_ae.tracking import NoTracker
from tests.models.blocks import holdout, training_data

CPU = Run(device="cpu")


def fitted(spec: Any, data: Interactions | None = None) -> Recommender:
    return Recommender(spec).fit(data or training_data(), run=CPU)


# Members


def test_members_are_models_with_their_settings() -> None:
    spec = Blend(members=("ease l2=200", "mult-vae hidden=30/20 latent=5 epochs=7", "mult_dae hidden="))
    assert spec.specs == (EASE(l2=200.0), MultVAE(hidden=(30, 20), latent=5, epochs=7), MultDAE())


def test_blends_of_the_same_models_are_equal_however_they_are_written() -> None:
    spec = Blend(members=(" ease   l2=auto", "mult-dae  lr=0.010 latent=8 optimizer=adam"))
    assert spec == Blend(members=("ease", "mult_dae latent=8 lr=0.01"))
    assert spec.members == ("ease", "mult_dae lr=0.01 latent=8")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (("ease", "mult_vea latent=3"), "member 'mult_vea latent=3': there is no model 'mult_vea'; did you mean 'mult"),
        (("ease l3=2", "popularity"), "member 'ease l3=2': EASE has no hyper-parameter 'l3'; known: l2, dtype"),
        (("ease", "mult_dae latent=0"), "latent = 0 is out of bounds; expected at least 1"),
        (("ease", "mult_dae latent=big"), "latent=big must be a whole number"),
        (("ease", "blend"), "member 'blend': a blend cannot be a member of a blend; name its members instead"),
        (("ease", "autorec"), "member 'autorec': it predicts ratings and does not rank items"),
        (("ease", ""), "there is no model ''"),
        (("ease",), "members = ('ease',) must name at least two models"),
        ((), "members = () must name at least two models"),
    ],
)
def test_a_wrong_member_is_named(members: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Blend(members=members)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"weights": (1.0,)}, r"weights = \(1.0,\) must have one weight for each of the 2 members"),
        ({"weights": (0, 0)}, r"weights = \(0.0, 0.0\) must have at least one weight above 0"),
        ({"weights": (1, -1)}, "out of bounds; expected at least 0"),
        ({"scale": "z"}, "scale = 'z' is not one of 'standard', 'rank'"),
        ({"monitor": "rmse"}, "monitor = 'rmse' is an error of predicted ratings, but a blend ranks"),
    ],
)
def test_a_wrong_mix_is_refused(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Blend(**chosen)


def test_the_same_member_twice_would_be_the_same_model_twice() -> None:
    with pytest.raises(ConfigError, match="members must differ, but 'ease l2=500' is named twice"):
        fitted(Blend(members=("ease l2=5e2", "popularity", "ease l2=500")))


def test_members_with_monitors_of_their_own_are_validated_by_them() -> None:
    data = training_data()
    spec = Blend(members=("mult_dae latent=4 epochs=2 monitor=mrr@3", "ease"), monitor="recall@7")
    model = Recommender(spec).fit(data, valid=holdout(data), run=CPU)
    assert {"valid/mrr@3", "valid/recall@7", "valid/ndcg@100"} <= set(model.history[0])


def test_a_blend_needs_the_memory_of_all_its_members() -> None:
    shape = Shape(1000, 700)
    of_ease = EASE(l2=2.0).memory(shape)
    assert of_ease > 0
    assert Blend(members=("ease l2=2", "popularity", "ease l2=3")).memory(shape) == 2 * of_ease


def test_a_blend_of_models_without_item_vectors_has_none() -> None:
    popularity, ease = fitted(Popularity()), fitted(EASE())
    with pytest.raises(UnsupportedError, match="no member of this blend can compare items"):
        blend([popularity, ease], weights=(1, 0)).similar([0])


# Fitted models


def test_a_blend_of_fitted_models_comes_back_from_its_folder(tmp_path: Path) -> None:
    data = training_data()
    seeds = [Recommender(MultDAE(latent=4, epochs=2)).fit(data, run=Run(device="cpu", seed=seed)) for seed in (0, 1)]
    model = blend([*seeds, fitted(EASE(l2=5.0))], holdout(data), scale="rank")
    model.notes = {"kept": True}
    model.save(tmp_path / "model")
    again = Recommender.load(tmp_path / "model", device="cpu")
    assert again.spec == model.spec
    assert (again.history, again.metadata, again.notes) == (model.history, model.metadata, model.notes)
    assert again.network.get_buffer("weights").tolist() == model.network.get_buffer("weights").tolist()
    histories = holdout(data).histories
    np.testing.assert_array_equal(again.score(histories), model.score(histories))
    assert again.spec.members == (*["mult_dae epochs=2 batch_size=25 latent=4"] * 2, "ease l2=5")  # type: ignore[attr-defined]


def test_the_models_that_are_blended_stay_as_they_are() -> None:
    data = training_data()
    models = [fitted(EASE(l2=5.0)), fitted(MultDAE(latent=4, epochs=2))]
    before = [(model.score(data.matrix), dict(model.metadata), list(model.history), model.spec) for model in models]
    blended = blend(models, holdout(data))
    expected = blended.score(data.matrix)
    for model, (scores, metadata, history, spec) in zip(models, before, strict=True):
        np.testing.assert_array_equal(model.score(data.matrix), scores)
        assert (model.metadata, model.history, model.spec) == (metadata, history, spec)
    models[0].fit(training_data(seed=4), run=CPU)  # fitting a member again does not change the blend
    np.testing.assert_array_equal(blended.score(data.matrix), expected)


def test_a_blend_of_fitted_models_ranks_by_popularity_without_a_history() -> None:
    counts = training_data().matrix.getnnz(axis=0)
    model = blend([fitted(EASE(l2=5.0)), fitted(MultDAE(latent=4, epochs=2))])
    nobody = no_histories(2)
    np.testing.assert_array_equal(model.score(nobody), [counts, counts])
    np.testing.assert_array_equal(model.recommend(nobody, k=32).items[1], np.argsort(-counts, kind="stable"))


def test_validation_users_without_a_history_count_in_the_choice_of_weights() -> None:
    data = training_data()
    valid = holdout(data)
    without = dataclasses.replace(valid, histories=no_histories(4))
    model = blend([fitted(EASE(l2=5.0)), fitted(Popularity())], without)
    measured = evaluate(model, without, ["ndcg@100"], n_resamples=2).mean["ndcg@100"]
    by_popularity = evaluate(fitted(Popularity()), without, ["ndcg@100"], n_resamples=2).mean["ndcg@100"]
    assert model.history[0]["valid/ndcg@100"] == pytest.approx(measured) == pytest.approx(by_popularity)


def test_the_metadata_of_a_blend_contain_those_of_its_members() -> None:
    models = [fitted(EASE()), fitted(Popularity())]
    metadata = blend(models).metadata
    assert (metadata["model"], metadata["users"], metadata["items"]) == ("blend", 60, 32)
    assert [member["model"] for member in metadata["members"]] == ["ease", "popularity"]
    assert metadata["seconds"] >= sum(model.metadata["seconds"] for model in models)


def test_models_of_other_data_are_refused_and_the_difference_is_named() -> None:
    data = training_data()
    model, renamed = fitted(EASE(), data), data.items.to_numpy().copy()
    renamed[3] = 5000
    fewer = data.onto(data.items[:-2])
    for changed, message in (
        (fewer, r"model 2 \(popularity\) knows 30 items and model 1 \(ease\) 32; fit both on the same split"),
        (Interactions(data.matrix, data.users, pd.Index(renamed)), "differ first at position 3: 5000 and 1003"),
        (Interactions(data.matrix * 2, data.users, data.items), "users, items or ratings differ"),
        (Interactions(data.matrix, data.users + 1, data.items), "users, items or ratings differ"),
    ):
        with pytest.raises(DataError, match=message):
            blend([model, fitted(Popularity(), changed)])


def test_models_that_do_not_fit_together_are_refused() -> None:
    data = training_data()
    ease, popular = fitted(EASE()), fitted(Popularity())
    with pytest.raises(NotFittedError, match="this mult_dae has not been fitted"):
        blend([ease, Recommender(MultDAE())])
    with pytest.raises(ConfigError, match="name at least two models"):
        blend([ease])
    with pytest.raises(ConfigError, match="name at least two models"):
        blend([])
    with pytest.raises(ConfigError, match="a blend cannot be a member of a blend"):
        blend([blend([ease, popular]), ease])
    with pytest.raises(ConfigError, match="must have one weight for each of the 2 members"):
        blend([ease, popular], weights=(1, 2, 3))
    with pytest.raises(ConfigError, match="there is no metric 'ndgc@5'; did you mean 'ndcg'"):
        blend([ease, popular], holdout(data), monitor="ndgc@5")
    whole = holdout(data)
    narrow = dataclasses.replace(whole, histories=whole.histories[:, :5], targets=whole.targets[:, :5])
    with pytest.raises(DataError, match="take both from the same split"):
        blend([ease, popular], narrow)


def test_models_that_predict_ratings_are_no_members() -> None:
    rng = np.random.default_rng(0)
    data = training_data()
    rated = data.matrix.copy()
    rated.data = rng.integers(1, 6, rated.nnz).astype(np.float32)
    ratings = Interactions(rated, data.users, data.items)
    with pytest.raises(ConfigError, match="it predicts ratings and does not rank items"):
        blend([fitted(AutoRec(epochs=1), ratings), fitted(EASE(), ratings)])


def test_a_blend_has_no_ratings_to_predict() -> None:
    model, nothing = blend([fitted(EASE()), fitted(Popularity())]), np.array([0])
    with pytest.raises(UnsupportedError, match="blend ranks items, but its scores are not ratings"):
        model.predict(training_data().matrix, (nothing, nothing))


def test_weights_are_handed_to_the_tracker() -> None:
    class Notebook(NoTracker):
        chosen: ClassVar[dict[str, Any]] = {}
        measured: ClassVar[list[int | None]] = []

        def parameters(self, values: Mapping[str, Any]) -> None:
            self.chosen.update(values)

        def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
            self.measured.append(step)

    notebook, data = Notebook(), training_data()
    spec = Blend(members=("ease", "popularity", "mult_dae epochs=2 latent=4"), weights=(1, 1, 2))
    Recommender(spec).fit(data, valid=holdout(data), run=Run(device="cpu", tracker=notebook))
    assert notebook.chosen["blend_weights"] == [0.25, 0.25, 0.5]
    assert notebook.measured == [1]  # the members' epochs are not the blend's


def test_the_members_keep_nothing_of_the_choice() -> None:
    data = training_data()
    network = blend([fitted(EASE()), fitted(Popularity())], holdout(data)).network
    assert set(network.state_dict()) == {"weights", "members.0.weights", "members.1.counts"}
    assert all(tensor.device == torch.device("cpu") for tensor in network.state_dict().values())
    assert vars(network)["_cache"] is None
