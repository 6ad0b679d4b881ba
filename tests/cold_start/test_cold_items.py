"""Cold items: every model ranks them by their features, or refuses with a reason."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae import models
from recsys_ae.cold_start.feature_map import STRENGTHS, ItemMap, _decomposed
from recsys_ae.cold_start.item_features import ItemFeatures
from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import ArtefactError, ConfigError, DataError, UnsupportedError
from recsys_ae.features.data.features import Features
from recsys_ae.models import EASE, ContentKNN, MultDAE
from recsys_ae.nn.model import Model, Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from tests.models.blocks import BLOCKS, FROM_FEATURES, block_of, features, holdout, small, training_data

CPU = Run(device="cpu")
SILENT = {"blend", "bspm", "item_knn", "popularity"}
"""Models that cannot score cold items."""
NAMES = [name for name in models.names() if name not in SILENT]
NEW = pd.Index([f"new {place}" for place in range(8)])
NEW_BLOCKS = np.arange(8) // 2

every_model = pytest.mark.parametrize("name", NAMES)


def data_for(name: str) -> Interactions:
    return training_data(rated=models.spec_class(name).feedback == "explicit")


def told(data: Interactions) -> Features:
    return features(data.items, block_of(data))


def new() -> Features:
    """Return features of eight items, two of each block."""
    return features(NEW, NEW_BLOCKS, seed=7)


@functools.cache
def fitted(name: str) -> Recommender:
    """Return the model that all tests share that do not change it."""
    data = data_for(name)
    return Recommender(small(name)).fit(data, item_features=told(data), run=CPU)


def histories(name: str) -> csr_matrix:
    """Return four users, one of each block."""
    return holdout(data_for(name), rated=models.spec_class(name).feedback == "explicit").histories


@every_model
def test_new_items_of_a_users_block_come_first(name: str) -> None:
    items, scores = fitted(name).recommend(histories(name), k=2, cold_items=new(), only_cold=True)
    assert items.min() >= 32
    assert (NEW_BLOCKS[items - 32] == np.arange(BLOCKS)[:, None]).mean() >= 0.85
    assert np.isfinite(scores).all()


@every_model
def test_lists_mix_what_is_known_and_what_is_new(name: str) -> None:
    """The scores and the order of other items do not change with cold items in between."""
    model = fitted(name)
    alone, default = model.recommend(histories(name), k=32)
    items, scores = model.recommend(histories(name), k=40, cold_items=new())
    for row in range(len(items)):
        is_training_item = (items[row] >= 0) & (items[row] < 32)
        assert (items[row] >= 32).sum() == 8
        np.testing.assert_array_equal(items[row][is_training_item], alone[row][alone[row] >= 0])
        np.testing.assert_allclose(scores[row][is_training_item], default[row][alone[row] >= 0], rtol=1e-5, atol=1e-6)
        assert (np.diff(scores[row][items[row] >= 0]) <= 0).all()


@every_model
def test_an_items_own_weights_give_its_own_score(name: str) -> None:
    """For ``item_weights``, ``score_new`` returns the scores of ``decode``."""
    network = fitted(name).network.eval()
    rows = Rows.from_matrix(histories(name), torch.device("cpu"), np.full(4, -1))
    with torch.no_grad():
        codes = network.encode(rows)
        again = network.score_new(rows, codes, network.item_weights())
        scores = network.decode(codes)
    if name == "elsa":  # an item of the history is scored by the other items of the history
        scores = scores + torch.from_numpy(histories(name).toarray())
    np.testing.assert_allclose(again, scores, rtol=1e-4, atol=1e-5)


@every_model
def test_new_items_are_ranked_alike_by_a_model_that_came_back(name: str, tmp_path: Path) -> None:
    model = fitted(name)
    model.save(tmp_path / "model")
    again = Recommender.load(tmp_path / "model", device="cpu")
    assert again.feature_columns == [f"f{place}" for place in range(BLOCKS + 1)]
    for first, second in zip(
        *(m.recommend(histories(name), k=9, cold_items=new()) for m in (model, again)), strict=True
    ):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", sorted(SILENT - {"blend"}))
def test_what_scores_no_new_items_says_so(name: str) -> None:
    data = data_for(name)
    with pytest.raises(UnsupportedError, match=f"{name} cannot score cold items; use ease"):
        Recommender(small(name)).fit(data, item_features=told(data), run=CPU)


@pytest.mark.parametrize("name", FROM_FEATURES)
def test_what_learns_from_features_asks_for_them(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} needs item features; give item_features"):
        Recommender(small(name)).fit(data_for(name), run=CPU)


def test_allow_and_deny_reach_the_new_items() -> None:
    model, rows = fitted("ease"), histories("ease")
    items, _ = model.recommend(rows, k=40, cold_items=new(), allow=[3, 33, 34])
    assert set(items[items >= 0].tolist()) <= {3, 33, 34}
    items, _ = model.recommend(rows, k=40, cold_items=new(), deny=[33])
    assert 33 not in items
    assert 34 in items
    per_row = csr_matrix(np.ones((4, 32), np.float32))
    items, _ = model.recommend(rows, k=40, cold_items=new(), exclude=per_row)
    assert not set(per_row.indices.tolist()) & set(items[0].tolist())
    items, _ = model.recommend(rows, k=40, cold_items=new(), deny=per_row)
    assert (np.sort(items, axis=1)[:, -8:] == np.arange(32, 40)).all()


def test_an_empty_history_gets_the_training_items_first() -> None:
    items, scores = fitted("ease").recommend(csr_matrix((1, 32), dtype=np.float32), k=40, cold_items=new())
    assert set(items[0, :32].tolist()) == set(range(32))
    assert (scores[0, 32:] == 0).all()


def test_a_table_names_the_new_items() -> None:
    model = fitted("ease")
    actual = model.recommend(histories("ease"), k=3, cold_items=new(), only_cold=True)
    table = model.to_frame(actual, pd.Index(list("abcd")), cold=NEW)
    assert list(table.columns) == ["user", "rank", "item", "score"]
    assert set(table["item"]) <= set(NEW)


def test_items_without_features_begin_as_usual_and_are_counted() -> None:
    data = training_data()
    most_features = told(data).take(np.arange(20))
    model = Recommender(small("mult_dae", epochs=1)).fit(data, item_features=most_features, run=CPU)
    assert model.metadata["remarks"] == ["12 of 32 items have no features"]


def test_bad_features_are_refused() -> None:
    data, model = training_data(), fitted("ease")
    foreign = features(pd.Index([f"x{place}" for place in range(32)]), block_of(data))
    with pytest.raises(DataError, match="none of the 32 items has features: the 32 rows have the ids x0, x1, x2 and"):
        Recommender(EASE()).fit(data, item_features=foreign, run=CPU)
    joined = features(pd.Index([*NEW, 1000], dtype=object), np.append(NEW_BLOCKS, 0))
    with pytest.raises(DataError, match="1 of the 9 cold items are known to the model, the first is 1000"):
        model.recommend(histories("ease"), cold_items=joined)
    fewer = Features(np.ones((1, 4)), NEW[:1], pd.Index(["f0", "f1", "f2", "f3"]))
    with pytest.raises(DataError, match="1 of 5 columns are missing, the first is 'f4'"):
        model.recommend(histories("ease"), cold_items=fewer)
    with pytest.raises(ConfigError, match="only_cold needs features of cold items; set cold_items"):
        model.recommend(histories("ease"), only_cold=True)
    image = Features(np.ones((1, 4)), NEW[:1], pd.Index(range(4)), (1, 2, 2))
    with pytest.raises(DataError, match="these features are images of 1 × 2 × 2, but the model was fitted on a table"):
        model.recommend(histories("ease"), cold_items=image)
    without = Recommender(EASE()).fit(data, run=CPU)
    with pytest.raises(UnsupportedError, match="was fitted without item features"):
        without.recommend(histories("ease"), cold_items=new())


def test_the_map_is_the_ridge_regression_that_leaves_one_out_best() -> None:
    """Compare with a slow reference: for each strength, each item is predicted by a regression without it."""
    data = training_data()
    model = Recommender(EASE(l2=5)).fit(data, run=CPU)
    items = ItemFeatures.of(told(data), data.items, torch.device("cpu"))
    rows = Rows.from_matrix(data.matrix, torch.device("cpu"))
    actual = ItemMap.learn(model.network, rows, items, torch.Generator().manual_seed(0))
    x, w = items.dense().double().numpy(), model.network.item_weights().double().numpy()
    values = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    unit = np.square(values[values > 1e-6]).mean()

    def ridge(rows: NDArray[Any], strength: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return the centre of some items' features, the regression on them, and the mean of their weights."""
        centre, base = x[rows].mean(axis=0), w[rows].mean(axis=0)
        z = x[rows] - centre
        return centre, np.linalg.solve(z.T @ z + strength * unit * np.eye(x.shape[1]), z.T @ (w[rows] - base)), base

    scores, errors = data.matrix.toarray() @ w.T, []
    for strength in STRENGTHS:
        predicted = np.empty_like(w)
        for item in range(len(w)):
            centre, matrix, base = ridge(np.delete(np.arange(len(w)), item), strength)
            predicted[item] = (x[item] - centre) @ matrix + base
        errors.append(np.square(data.matrix.toarray() @ predicted.T - scores).mean())
    assert STRENGTHS[int(np.argmin(errors))] == pytest.approx(float(actual.strength))
    centre, matrix, base = ridge(np.arange(len(w)), float(actual.strength))
    np.testing.assert_allclose(actual.centre, centre, atol=1e-5)
    np.testing.assert_allclose(actual.base, base, atol=1e-5)
    np.testing.assert_allclose(actual.matrix, matrix, atol=1e-4)


def test_of_many_columns_the_map_is_the_same_by_either_product() -> None:
    x = torch.randn(7, 20, generator=torch.Generator().manual_seed(0))
    for tall_or_wide in (x, x.T):
        left, values, right = _decomposed(tall_or_wide)
        assert len(values) == 7
        torch.testing.assert_close(left * values @ right, tall_or_wide, rtol=1e-4, atol=1e-4)


def test_only_models_that_can_do_so_claim_it() -> None:
    for name in models.names():
        if name == "blend":
            continue
        network = small(name).build(Shape(60, 32, 5))
        assert (type(network).score_new is Model.score_new) == (name in SILENT)


def test_a_corrupt_map_is_refused(tmp_path: Path) -> None:
    fitted("ease").save(tmp_path / "model")
    (tmp_path / "model" / "columns.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"columns\.json does not match its checksum"):
        Recommender.load(tmp_path / "model")


def test_content_knn_knows_no_users() -> None:
    """Its similarity depends on the features only, and does not change with the interactions."""
    data = training_data()
    changed = training_data(seed=3)
    spec = ContentKNN(neighbors=7)
    first, second = (
        Recommender(spec).fit(interactions, item_features=told(data), run=CPU) for interactions in (data, changed)
    )
    np.testing.assert_array_equal(first.score(histories("ease")), second.score(histories("ease")))


def test_features_go_with_a_model_that_is_fitted_again_without_them() -> None:
    data = training_data()
    model = Recommender(MultDAE(epochs=1, latent=4)).fit(data, item_features=told(data), run=CPU)
    assert model.feature_columns is not None
    model.fit(data, run=CPU)
    assert model.feature_columns is None


def test_new_items_can_be_learnt_after_the_fit() -> None:
    """The model equals that of a fit without features, and ranks cold items like a fit with features."""
    data = training_data()
    model, plain = (Recommender(EASE(l2=5)).fit(data, run=CPU) for _ in range(2))
    model.fit_cold_items(data, told(data), run=CPU)
    np.testing.assert_array_equal(model.score(histories("ease")), plain.score(histories("ease")))
    at_once = Recommender(EASE(l2=5)).fit(data, item_features=told(data), run=CPU)
    for first, second in zip(
        *(fitted_model.recommend(histories("ease"), k=9, cold_items=new()) for fitted_model in (model, at_once)),
        strict=True,
    ):
        np.testing.assert_array_equal(first, second)
    with pytest.raises(UnsupportedError, match="cease learns from item features in fit"):
        fitted("cease").fit_cold_items(data, told(data))
    with pytest.raises(DataError, match="the items of train are not those that the model was fitted on"):
        model.fit_cold_items(data.onto(data.items[:5]), told(data))


def test_cold_items_are_learnt_on_the_device_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the run says another device: ``auto`` is a GPU where there is one."""
    data = training_data()
    expected = Recommender(small("mult_dae")).fit(data, run=CPU).fit_cold_items(data, told(data), run=CPU)
    model = Recommender(small("mult_dae")).fit(data, run=CPU)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    model.fit_cold_items(data, told(data))
    lists = [one.recommend(histories("mult_dae"), 5, cold_items=new()) for one in (model, expected)]
    np.testing.assert_array_equal(lists[0].items, lists[1].items)
