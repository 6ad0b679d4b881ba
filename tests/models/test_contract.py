"""What every model of the folder must do, on data with a known answer."""

import copy
import functools
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

import recsys_ae
from recsys_ae import models
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Holdout
from recsys_ae.errors import ConfigError, DataError, NotFittedError, UnsupportedError
from recsys_ae.evaluation import evaluate
from recsys_ae.metrics import DEFAULT, ERRORS
from recsys_ae.nn.model import Shape, Spec
from recsys_ae.nn.rows import Rows, canonical
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.spec.hyper import describe
from recsys_ae.tracking import NoTracker
from tests.models.blocks import BLOCKS, block_of, holdout, needed, small, training_data

NAMES = models.names()
SAME_FOR_ALL = {"popularity"}  # recommends the same to everybody, so there are no tastes that it could learn
TRAINED = [name for name in NAMES if any(one.name == "epochs" for one in describe(models.spec_class(name)))]

every_model = pytest.mark.parametrize("name", NAMES)


def rated(name: str) -> bool:
    """Say whether a model needs ratings."""
    return models.spec_class(name).feedback == "explicit"


def data_for(name: str) -> Interactions:
    return training_data(rated=rated(name))


def held_out_for(name: str) -> Holdout:
    return holdout(data_for(name), rated=rated(name))


def fit(name: str, *, seed: int = 0, **chosen: Any) -> Recommender:
    run = Run(seed=seed, device="cpu")
    return learnt(small(name, **chosen), data_for(name), valid=held_out_for(name), run=run)


def learnt(spec: Spec, data: Interactions, **how: Any) -> Recommender:
    """Fit a model, with features of the items if it learns from them."""
    return Recommender(spec).fit(data, item_features=needed(spec, data), **how)


@functools.cache
def fitted(name: str) -> Recommender:
    """Return the one model that all tests share which only read it."""
    return fit(name)


def strangers() -> csr_matrix:
    """Return histories of users that no model has seen: one of each block, one with everything, one with nothing."""
    known = holdout(training_data()).histories.toarray()
    return csr_matrix(np.vstack([known, np.ones_like(known[:1]), np.zeros_like(known[:1])]))


def state_of(model: Recommender) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


class Notebook(NoTracker):
    def __init__(self) -> None:
        self.chosen: dict[str, Any] = {}
        self.measured: list[tuple[int | None, dict[str, float]]] = []

    def parameters(self, values: Mapping[str, Any]) -> None:
        self.chosen |= values

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        self.measured.append((step, dict(values)))


# It learns


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SAME_FOR_ALL])
def test_learns_the_blocks(name: str) -> None:
    """Of 28 items that a stranger has not seen, the four of his block come first."""
    items, _ = fitted(name).recommend(held_out_for(name).histories, k=4)
    assert (block_of(data_for(name))[items] == np.arange(BLOCKS)[:, None]).mean() >= 0.9


@pytest.mark.parametrize("name", sorted(SAME_FOR_ALL))
def test_what_is_the_same_for_all_ranks_by_count(name: str) -> None:
    counts = np.asarray(training_data().matrix.sum(axis=0)).ravel()
    items, scores = fitted(name).recommend(strangers(), k=32, exclude_seen=False)
    assert (items == np.argsort(-counts, kind="stable")).all()
    assert (scores == np.sort(counts)[::-1]).all()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SAME_FOR_ALL])
def test_items_of_a_block_are_alike(name: str) -> None:
    blocks = block_of(data_for(name))
    try:
        items, scores = fitted(name).similar(np.arange(32), k=7)
    except UnsupportedError:
        pytest.skip(f"{name} knows no likeness between items")
    assert (blocks[items] == blocks[:, None]).mean() >= 0.6  # by chance 7 of 31 would be
    assert not (items == np.arange(32)[:, None]).any()
    assert (np.diff(scores, axis=1) <= 0).all()


@every_model
def test_fit_returns_the_model_with_what_was_measured(name: str) -> None:
    model = fitted(name)
    usual, monitor, best = (ERRORS, "rmse", min) if rated(name) else (DEFAULT, "ndcg@100", max)
    assert model.history
    for measured in model.history:
        assert {f"valid/{metric}" for metric in usual} <= set(measured)
        assert all(isinstance(value, float) and np.isfinite(value) for value in measured.values())
    report = evaluate(model, held_out_for(name), [monitor], n_resamples=10)
    assert report.mean[monitor] == pytest.approx(best(one[f"valid/{monitor}"] for one in model.history), abs=1e-12)


@every_model
def test_what_was_chosen_and_measured_is_handed_to_the_tracker(name: str) -> None:
    notebook, spec = Notebook(), small(name, epochs=2)
    run = Run(device="cpu", seed=5, tracker=notebook)
    model = learnt(spec, data_for(name), valid=held_out_for(name), run=run)
    assert [step for step, _ in notebook.measured] == list(range(1, len(model.history) + 1))
    assert [values for _, values in notebook.measured] == model.history
    assert notebook.chosen["model"] == name
    assert notebook.chosen["seed"] == 5
    for one in describe(type(spec)):
        value = getattr(spec, one.name)
        assert notebook.chosen[one.name] == (list(value) if isinstance(value, tuple) else value)


# It recommends


@every_model
def test_never_recommends_the_seen(name: str) -> None:
    histories = strangers()
    items, scores = fitted(name).recommend(histories, k=40)
    assert items.shape == scores.shape == (6, 32)
    for row, history in enumerate(histories.toarray()):
        listed = items[row][items[row] >= 0]
        assert sorted(listed) == np.flatnonzero(history == 0).tolist()
        assert np.isfinite(scores[row, : len(listed)]).all()


@every_model
def test_lists_are_sorted_scores(name: str) -> None:
    model, histories = fitted(name), strangers()
    items, scores = model.recommend(histories, k=32, exclude_seen=False)
    table = model.score(histories)
    np.testing.assert_allclose(scores, np.take_along_axis(table, items, axis=1), rtol=1e-5, atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()


@every_model
def test_an_empty_history_gets_the_order_of_popularity(name: str) -> None:
    counts = data_for(name).matrix.getnnz(axis=0)
    nobody = csr_matrix((2, 32), dtype=np.float32)
    items, _ = fitted(name).recommend(nobody, k=32)
    assert (items == np.argsort(-counts, kind="stable")).all()
    assert (fitted(name).score(nobody) == counts).all()


@every_model
def test_a_row_alone_is_scored_like_the_row_in_a_batch(name: str) -> None:
    model, histories = fitted(name), strangers()
    together = model.score(histories)
    assert (together.dtype, together.shape) == (np.float32, (6, 32))
    alone = np.vstack([model.score(histories[row]) for row in range(6)])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
    backwards = model.score(histories[::-1])[::-1]
    np.testing.assert_allclose(backwards, together, rtol=1e-5, atol=1e-6)


@every_model
def test_scores_are_equal_from_call_to_call(name: str) -> None:
    model = fitted(name)
    first = model.score(strangers())
    model.recommend(strangers(), k=3)
    model.network.train()
    np.testing.assert_array_equal(model.score(strangers()), first)


@every_model
@pytest.mark.parametrize("n", [1, 3])
def test_scores_are_the_callers_to_overwrite(name: str, n: int) -> None:
    model, rows = fit(name), strangers()[:n]
    before = model.score(rows)
    network = model.network
    with torch.inference_mode():
        codes = network.encode(Rows.from_matrix(canonical(rows), torch.device("cpu"), np.full(n, -1)))
        network.decode(codes).float().contiguous().fill_(torch.nan)
    np.testing.assert_array_equal(model.score(rows), before)


@every_model
def test_no_rows_get_no_lists(name: str) -> None:
    nobody = csr_matrix((0, 32), dtype=np.float32)
    assert fitted(name).recommend(nobody, k=3).items.shape == (0, 3)
    assert fitted(name).score(nobody).shape == (0, 32)


@every_model
@pytest.mark.parametrize("k", [0, -1])
def test_a_list_of_no_items_is_refused(name: str, k: int) -> None:
    with pytest.raises(ConfigError, match=f"k = {k} must be at least 1"):
        fitted(name).recommend(strangers(), k=k)


@every_model
@pytest.mark.parametrize("width", [0, 31, 33])
def test_histories_of_another_width_are_refused(name: str, width: int) -> None:
    wrong = csr_matrix((2, width), dtype=np.float32)
    for use in (fitted(name).recommend, fitted(name).score):
        with pytest.raises(DataError, match=f"histories have {width} columns, but the model knows 32 items"):
            use(wrong)


@every_model
def test_histories_that_are_no_sparse_matrix_are_refused(name: str) -> None:
    for wrong in (np.ones((2, 32)), [[0, 1]], pd.DataFrame({"user": [1]}), None):
        with pytest.raises(
            DataError, match=rf"histories must be a sparse \(n, 32\) matrix, not {type(wrong).__name__}"
        ):
            fitted(name).recommend(wrong)  # type: ignore[arg-type]


@every_model
def test_before_it_is_fitted_a_model_can_do_nothing(name: str, tmp_path: Path) -> None:
    model, history = Recommender(small(name)), strangers()
    frame = pd.DataFrame({"user": [1], "item": [1000]})
    uses = (
        lambda: model.network,
        lambda: model.score(history),
        lambda: model.recommend(history),
        lambda: model.recommend_frame(frame),
        lambda: model.similar([0]),
        lambda: model.positions([1000]),
        lambda: model.save(tmp_path / "model"),
    )
    for use in uses:
        with pytest.raises(NotFittedError, match=f"this {name} has not been fitted; call fit first"):
            use()
    assert not (tmp_path / "model").exists()


# It is the same again


@every_model
def test_the_same_seed_gives_the_same_model_to_the_bit(name: str) -> None:
    first, again = fitted(name), fit(name)
    assert state_of(first).keys() == state_of(again).keys()
    for key, tensor in state_of(first).items():
        assert torch.equal(tensor, state_of(again)[key]), key
    np.testing.assert_array_equal(first.score(strangers()), again.score(strangers()))
    timed = {"seconds", "rows_per_second"}
    histories = [
        [{k: v for k, v in one.items() if k not in timed} for one in model.history] for model in (first, again)
    ]
    assert histories[0] == histories[1]


@pytest.mark.parametrize("name", TRAINED)
def test_f17_another_seed_gives_another_model(name: str) -> None:
    assert not np.array_equal(fitted(name).score(strangers()), fit(name, seed=1).score(strangers()))


@every_model
def test_a_model_comes_back_from_its_folder_with_equal_spec_and_scores(name: str, tmp_path: Path) -> None:
    model = fit(name, epochs=2)
    model.notes = {"source": "blocks", "nested": {"a": [1, None, "ü"]}}
    model.save(tmp_path / "model")
    expected = model.score(strangers()), model.recommend(strangers(), k=7)
    again = Recommender.load(tmp_path / "model", device="cpu")
    assert again.spec == model.spec
    assert again.items.equals(model.items)
    assert again.items.dtype == model.items.dtype
    assert (again.history, again.metadata, again.notes) == (model.history, model.metadata, model.notes)
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again.score(strangers()), expected[0])
    np.testing.assert_array_equal(again.recommend(strangers(), k=7).items, expected[1].items)
    np.testing.assert_array_equal(again.recommend(strangers(), k=7).scores, expected[1].scores)


@every_model
def test_all_that_was_learnt_is_in_the_state(name: str) -> None:
    """A fresh network with the state of a fitted one scores alike: nothing hides in attributes."""
    model = fit(name, epochs=2)
    twin = model.spec.build(Shape(*data_for(name).shape, len(model.feature_columns or ())))
    twin.load_state_dict(state_of(model))
    copied = copy.copy(model)
    copied._network = twin
    np.testing.assert_array_equal(copied.score(strangers()), model.score(strangers()))


@every_model
def test_a_model_that_came_back_can_be_fitted_again(name: str, tmp_path: Path) -> None:
    fit(name, epochs=1).save(tmp_path / "model")
    again = Recommender.load(tmp_path / "model", device="cpu")
    again.fit(data_for(name), item_features=needed(again.spec, data_for(name)), run=Run(device="cpu"))
    expected = learnt(again.spec, data_for(name), run=Run(device="cpu"))
    np.testing.assert_array_equal(again.score(strangers()), expected.score(strangers()))


# It leaves alone what is not its own


@every_model
def test_what_it_is_given_stays_untouched(name: str) -> None:
    data, valid, histories = data_for(name), held_out_for(name), strangers()
    given = (data.matrix, valid.histories, valid.targets, histories)
    before = [[array.copy() for array in (one.data, one.indices, one.indptr)] for one in given]
    ids = data.items.copy(), data.users.copy()
    for array in (array for one in given for array in (one.data, one.indices, one.indptr)):
        array.flags.writeable = False
    model = learnt(small(name, epochs=2), data, valid=valid, run=Run(device="cpu"))
    model.score(histories)
    model.recommend(histories, k=3, allow=[1, 2, 3], deny=histories)
    for one, copies in zip(given, before, strict=True):
        for array, expected in zip((one.data, one.indices, one.indptr), copies, strict=True):
            np.testing.assert_array_equal(array, expected)
    assert data.items.equals(ids[0])
    assert data.users.equals(ids[1])


@every_model
def test_the_global_generators_stay_untouched(name: str, tmp_path: Path) -> None:
    def states() -> list[Any]:
        return [torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()]  # noqa: NPY002

    before = states()
    model = fit(name, epochs=2)
    model.recommend(strangers(), k=3)
    model.save(tmp_path / "model")
    Recommender.load(tmp_path / "model", device="cpu").score(strangers())
    assert states() == before


@every_model
def test_the_global_generators_do_not_matter(name: str) -> None:
    torch.rand(3)
    np.random.rand(3)  # noqa: NPY002
    np.testing.assert_array_equal(fit(name, epochs=2).score(strangers()), fit(name, epochs=2).score(strangers()))


@every_model
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1)])
def test_the_smallest_data_are_enough(name: str, shape: tuple[int, int]) -> None:
    user, item = (places.ravel() for places in np.indices(shape))
    frame = pd.DataFrame({"user": user, "item": item, "rating": 1 + user + item})
    data = Interactions.from_frame(frame, rating="rating" if rated(name) else None)
    if rated(name) and shape == (1, 1):
        with pytest.raises(DataError, match="all 1 ratings are 1, so there is nothing to predict"):
            learnt(small(name), data)
        return
    model = learnt(small(name, epochs=2), data, run=Run(device="cpu"))
    items, _ = model.recommend(data.matrix, k=2, exclude_seen=False)
    assert items.shape == (shape[0], min(2, shape[1]))
    assert np.isfinite(model.score(data.matrix)).all()


@every_model
def test_ratings_of_any_size_can_be_learnt_from(name: str) -> None:
    data = data_for(name)
    larger = Interactions(data.matrix * 100, data.users, data.items)
    model = learnt(small(name, epochs=3), larger, run=Run(device="cpu"))
    assert np.isfinite(model.score(strangers())).all()


@every_model
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_model_scores_alike_on_the_gpu(name: str, tmp_path: Path) -> None:
    model = fitted(name)
    model.save(tmp_path / "model")
    there = Recommender.load(tmp_path / "model", device="cuda")
    assert {tensor.device.type for tensor in there.network.state_dict().values()} == {"cuda"}
    np.testing.assert_allclose(there.score(strangers()), model.score(strangers()), rtol=1e-3, atol=1e-4)
    trained = learnt(model.spec, data_for(name), run=Run(device="cuda", precision="fp32"))
    assert trained.recommend(strangers(), k=3).items.shape == (6, 3)


def test_f09_nothing_is_pickled() -> None:
    """No model file of ours can run code, and none breaks when PyTorch changes what it unpickles."""
    forbidden = re.compile(
        r"\bpickle\b|\btorch\.(load|save)\(|\bjoblib\b|\bdill\b|allow_pickle\s*=\s*True|\beval\(|\bexec\("
    )
    for path in Path(recsys_ae.__file__).parent.rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            code = line.replace("network.eval()", "").replace(".eval()", "")
            assert not forbidden.search(code), f"{path.name}:{number}: {line.strip()}"
