"""AutoRec for its users: ratings, unknown users, and users and items without ratings."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import split_ratings
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.models.autorec import AutoRec, _Penalised
from recsys_ae.nn.runtime import Precision, Run
from recsys_ae.recommender.recommender import Recommender
from tests.models.blocks import BLOCKS, block_of, holdout, training_data

Orientation = Literal["item", "user"]
CPU = Run(device="cpu")
SMALL: dict[str, Any] = {
    "latent": 8, "epochs": 60, "lr": 0.03, "lr_schedule": "constant", "batch_size": 16, "l2": 1.0,
}  # fmt: skip

both_orientations = pytest.mark.parametrize("orientation", ["item", "user"])


def fit(data: Interactions, orientation: Orientation = "item", **chosen: Any) -> Recommender:
    return Recommender(AutoRec(**{**SMALL, "orientation": orientation, **chosen})).fit(data, run=CPU)


def rated(dense: list[list[float | None]]) -> Interactions:
    """Return the entries that are not None as ratings, with all rows and columns."""
    ratings = [(u, i, r) for u, row in enumerate(dense) for i, r in enumerate(row) if r is not None]
    user, item, rating = (np.array(column) for column in zip(*ratings, strict=True))
    shape = len(dense), len(dense[0])
    matrix = csr_matrix((rating.astype(np.float32), (user, item)), shape=shape)
    return Interactions(matrix, pd.RangeIndex(shape[0]), pd.RangeIndex(shape[1]))


def every_pair(n: int, items: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices((n, items))
    return rows.ravel(), columns.ravel()


@both_orientations
def test_predicts_the_taste_of_training_and_of_unknown_users(orientation: Orientation) -> None:
    data = training_data(rated=True)
    valid, blocks = holdout(data, rated=True), block_of(data)
    model = fit(data, orientation)
    predicted = model.predict(data.matrix, every_pair(60, 32), users=data.users).reshape(60, 32)
    in_block = blocks == blocks[data.matrix.toarray().argmax(axis=1)][:, None]
    assert np.sqrt(np.square(predicted - np.where(in_block, 4.5, 1.5)).mean()) < 1  # 1.3 for the mean rating of all
    new = model.predict(valid.histories, every_pair(BLOCKS, 32)).reshape(BLOCKS, 32)
    in_block = blocks == np.arange(BLOCKS)[:, None]
    assert new[in_block].mean() > 4
    assert new[~in_block].mean() < 2
    listed, _ = model.recommend(valid.histories, k=4)
    assert (blocks[listed] == np.arange(BLOCKS)[:, None]).all()
    alike, _ = model.similar(np.arange(32), k=7)
    assert (blocks[alike] == blocks[:, None]).mean() > 0.9


def test_item_based_knows_its_training_users_by_their_ids() -> None:
    """The history of a training user adds nothing; that of an unknown user is all there is."""
    data = training_data(rated=True)
    model = fit(data)
    pairs = every_pair(2, 32)
    histories = data.matrix[[30, 45]]
    of_training = model.predict(data.matrix[:2], pairs, users=data.users[:2])
    np.testing.assert_array_equal(model.predict(histories, pairs, users=data.users[:2]), of_training)
    of_unknown = model.predict(histories, pairs)
    np.testing.assert_array_equal(model.predict(histories, pairs, users=pd.Index([-1, -2])), of_unknown)
    assert np.abs(of_unknown - of_training).mean() > 0.5
    mixed = model.predict(histories, pairs, users=pd.Index([data.users[0], -2]))
    np.testing.assert_allclose(mixed, np.concatenate([of_training[:32], of_unknown[32:]]), rtol=1e-6)


def test_user_based_reads_histories_only() -> None:
    data = training_data(rated=True)
    model = fit(data, "user", epochs=5)
    assert not model.network.knows_users
    pairs = every_pair(60, 32)
    by_id = model.predict(data.matrix, pairs, users=data.users)
    np.testing.assert_array_equal(model.predict(data.matrix, pairs), by_id)


@both_orientations
def test_a_model_that_came_back_predicts_alike(orientation: Orientation, tmp_path: Path) -> None:
    data = training_data(rated=True)
    model = fit(data, orientation, epochs=5)
    model.save(tmp_path / "model")
    again = Recommender.load(tmp_path / "model", device="cpu")
    pairs = every_pair(60, 32)
    for users in (data.users, None):
        expected = model.predict(data.matrix, pairs, users=users)
        np.testing.assert_array_equal(again.predict(data.matrix, pairs, users=users), expected)


@both_orientations
def test_predictions_stay_between_the_ratings_and_lists_are_ordered_beyond(orientation: Orientation) -> None:
    """Clipped scores would be equal where one item is liked more than another."""
    data = training_data(rated=True)
    model = fit(data, orientation, l2=0.1, epochs=200)
    pairs = every_pair(60, 32)
    predicted = model.predict(data.matrix, pairs, users=data.users)
    assert (predicted.min(), predicted.max()) == (1, 5)
    items, scores = model.recommend(data.matrix, k=32, users=data.users, exclude_seen=False)
    assert (scores > 5).any()
    assert (scores < 1).any()
    listed = np.take_along_axis(predicted.reshape(60, 32), items, axis=1)
    np.testing.assert_allclose(listed, scores.clip(1, 5), rtol=1e-5)


@both_orientations
@pytest.mark.parametrize("default", [3.0, 2.5])
def test_where_nothing_was_rated_the_default_is_predicted(orientation: Orientation, default: float) -> None:
    """The paper predicts 3 for users and items without training ratings."""
    data = rated([[5, 1, None, 4], [4, 2, None, 5], [None, None, None, None], [1, 5, None, None]])
    model = fit(data, orientation, default=default)
    nobody = csr_matrix((1, 4), dtype=np.float32)
    predicted = model.predict(data.matrix, every_pair(4, 4), users=data.users).reshape(4, 4)
    assert (predicted[2] == default).all()
    assert (predicted[:, 2] == default).all()
    assert (predicted[[0, 1, 3]][:, [0, 1, 3]] != default).all()
    assert (model.predict(nobody, every_pair(1, 4)) == default).all()
    _, scores = model.recommend(data.matrix[:1], k=1, allow=[2], users=data.users[:1])
    assert scores[0, 0] == default


@both_orientations
def test_users_and_items_without_ratings_do_not_harm_the_others(orientation: Orientation) -> None:
    full: list[list[float | None]] = [[5, 1, 4], [4, 2, 5], [1, 5, 2]]
    gaps: list[list[float | None]] = [[*row, None] for row in full] + [[None] * 4]
    errors = []
    for dense in (full, gaps):
        data = rated(dense)
        model = fit(data, orientation, optimizer="lbfgs", lr=1.0, l2=0.01, latent=2, epochs=5)
        assert np.isfinite(model.score(data.matrix, users=data.users)).all()
        predicted = model.predict(data.matrix[:3], every_pair(3, 3), users=data.users[:3])
        errors.append(np.abs(predicted - np.array(full).ravel()).max())
    assert max(errors) < 0.3


@both_orientations
def test_negative_ratings_and_ratings_of_0_are_ratings(orientation: Orientation) -> None:
    """Stored entries are observed, also zeros: the model learns to predict them."""
    dense: list[list[float | None]] = [[-9, 0, None, 8], [-8, None, 0, 9], [8, 0, 0, -9], [9, 0, 0, -8], [8, 0, 0, -9]]
    data = rated(dense)
    assert data.nnz == 18
    model = fit(data, orientation, optimizer="lbfgs", lr=1.0, l2=0.01, latent=3, epochs=5)
    predicted = model.predict(data.matrix, every_pair(5, 4), users=data.users).reshape(5, 4)
    expected = np.array([[np.nan if rating is None else rating for rating in row] for row in dense])
    assert np.nanmax(np.abs(predicted - expected)) < 1
    assert (predicted >= -9).all()


@both_orientations
def test_ratings_that_do_not_differ_are_refused(orientation: Orientation) -> None:
    with pytest.raises(DataError, match="all 300 ratings are 1, so there is nothing to predict; autorec needs ratings"):
        fit(training_data(), orientation)


@both_orientations
@pytest.mark.parametrize(("optimizer", "lr", "epochs"), [("adam", 0.05, 200), ("rprop", 0.01, 60), ("lbfgs", 1.0, 10)])
def test_every_optimizer_learns_from_all_rows_at_once(
    orientation: Orientation, optimizer: Literal["adam", "rprop", "lbfgs"], lr: float, epochs: int
) -> None:
    data = training_data(rated=True)
    model = fit(data, orientation, optimizer=optimizer, lr=lr, epochs=epochs, batch_size=10_000)
    assert len(model.history) == epochs
    assert model.history[-1]["squared_error"] < 0.3 * data.nnz
    assert model.history[-1]["loss"] == pytest.approx(
        model.history[-1]["squared_error"] + model.history[-1]["penalty"], rel=1e-5
    )


@both_orientations
def test_a_line_search_in_fp16_learns_as_much_as_in_fp32(orientation: Orientation) -> None:
    """A scaled loss would mislead the line search."""
    data, held = training_data(rated=True), holdout(training_data(rated=True), rated=True)
    searched: dict[str, Any] = {**SMALL, "optimizer": "lbfgs", "lr": 1.0, "epochs": 5, "batch_size": 100}
    spec = AutoRec(**searched, orientation=orientation)
    precisions: tuple[Precision, ...] = ("fp32", "fp16")
    runs = (Run(device="cpu", precision=precision) for precision in precisions)
    fits = (Recommender(spec).fit(data, valid=held, run=run) for run in runs)
    errors = [model.history[-1]["squared_error"] / data.nnz for model in fits]
    assert errors[0] < 0.5
    assert errors[1] == pytest.approx(errors[0], rel=0.25)


def test_validation_keeps_the_weights_of_the_least_error() -> None:
    """This also holds for training users, whose vectors are the weights of that epoch."""
    noise = np.random.default_rng(0).integers(1, 6, (30, 20)).astype(np.float32)
    split = split_ratings(rated(noise.tolist()), test=0.2, valid=0.2)
    assert split.valid is not None
    model = Recommender(AutoRec(**{**SMALL, "l2": 0.0})).fit(split.train, valid=split.valid, run=CPU)
    errors = [measured["valid/rmse"] for measured in model.history]
    assert min(errors) < errors[-1]
    pairs = split.valid.targets.nonzero()
    predicted = model.predict(split.valid.histories, pairs, users=split.valid.users)
    assert np.sqrt(np.square(predicted - split.valid.targets.data).mean()) == pytest.approx(min(errors), rel=1e-6)


def test_wrong_hyper_parameters_are_refused() -> None:
    for wrong in ({"orientation": "both"}, {"activation": "relu"}, {"optimizer": "nadam"}, {"latent": 0}, {"l2": -1.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            AutoRec(**wrong)  # type: ignore[arg-type]


def test_a_penalised_weight_has_the_gradient_of_the_plain_sum_of_its_uses() -> None:
    draws = torch.Generator().manual_seed(4)
    given, factor = torch.randn(5, 3, generator=draws), torch.randn(3, 4, generator=draws)
    found, plain = (given.clone().requires_grad_() for _ in range(2))
    weight, squares = _Penalised.apply(found)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(squares, plain.square().sum(), rtol=1e-6, atol=0)
    (3 * (weight @ factor).sum() + 7 * squares).backward()
    (3 * (plain @ factor).sum() + 7 * plain.square().sum()).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found.grad, plain.grad, rtol=1e-5, atol=1e-6)
