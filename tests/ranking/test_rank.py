"""Top-N lists compared with a slow stable sort, on scores with many ties."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pandas import RangeIndex
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys_ae.data.splits.split import Holdout
from recsys_ae.errors import DataError, UnsupportedError
from recsys_ae.nn.model import ALL, Model, Validate
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.ranking import chunks
from recsys_ae.ranking.candidates import Candidates
from recsys_ae.ranking.rank import UNKNOWN_USER, most_alike, predict, rank, score_blocks, validation
from tests.nn.small import matrix

N, WIDTH = 23, 13
HISTORIES = matrix(N, WIDTH, seed=3, kind="ones", density=0.3)
POPULARITY = torch.tensor([3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9])


class Linear(Model):
    """Network with score = x · W and small integers, so that scores are exact and often tied."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights)
        self.sizes: list[int] = []

    def encode(self, x: Rows) -> Tensor:
        return x.product(self.weights)  # type: ignore[arg-type]

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        self.sizes.append(z[:, items].numel())
        return z[:, items]

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> list[dict[str, float]]:
        return []

    def item_vectors(self) -> Tensor:
        return self.weights  # type: ignore[return-value]


def _weights(levels: int = 3, seed: int = 0) -> Tensor:
    return torch.randint(-levels, levels + 1, (WIDTH, WIDTH), generator=torch.Generator().manual_seed(seed)).float()


def _slow_rank(
    weights: Tensor, k: int, *, denied: NDArray[Any] | None = None, histories: csr_matrix = HISTORIES
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Sort each row separately: best first, equal scores by position."""
    dense = histories.toarray()
    denied = dense != 0 if denied is None else denied
    items, values = np.full((len(dense), k), -1), np.full((len(dense), k), -np.inf, np.float32)
    for row, history in enumerate(dense):
        scores = history @ weights.numpy() if history.any() else POPULARITY.numpy()
        best = [item for item in np.argsort(-scores, kind="stable") if not denied[row, item]][:k]
        items[row, : len(best)], values[row, : len(best)] = best, scores[best]
    return items, values


def _assert_equal(actual: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    np.testing.assert_array_equal(actual[0], expected[0])
    np.testing.assert_array_equal(actual[1], expected[1])


@pytest.mark.parametrize("k", [1, 4, WIDTH])
@pytest.mark.parametrize("levels", [1, 3, 100])
@pytest.mark.parametrize("cells", [1, 30, 2**22])
@pytest.mark.parametrize("least_rows", [1, 5, 256])
def test_lists_are_those_of_a_stable_sort_however_the_work_is_cut(
    k: int, levels: int, cells: int, least_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", least_rows)
    weights = _weights(levels)
    actual = rank(Linear(weights), HISTORIES, k, candidates=Candidates.of(HISTORIES), fallback=POPULARITY, cells=cells)
    assert (actual[0].dtype, actual[1].dtype) == (np.int64, np.float32)
    _assert_equal(actual, _slow_rank(weights, k))


@pytest.mark.parametrize("cells", [1, 50, 100, 2**22])
def test_no_more_scores_are_held_than_agreed(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "ROWS", 4)
    network = Linear(_weights())
    rank(network, HISTORIES, 3, candidates=Candidates.of(HISTORIES), fallback=POPULARITY, cells=cells)
    assert max(network.sizes) <= max(cells, 4)
    assert sum(network.sizes) == N * WIDTH


def _of(weights: Tensor, k: int = WIDTH, cells: int = 60, **options: Any) -> tuple[Any, Any]:
    return rank(
        Linear(weights), HISTORIES, k, candidates=Candidates.of(HISTORIES, **options), fallback=POPULARITY, cells=cells
    )


def test_f15_the_seen_are_in_no_list_even_where_all_else_scores_lower() -> None:
    """Every score is negative, so seen items masked with 0 instead of −inf would come first."""
    weights = _weights() - 100
    items, scores = _of(weights)
    _assert_equal((items, scores), _slow_rank(weights, WIDTH))
    for row, history in enumerate(HISTORIES.toarray()):
        listed = items[row][items[row] >= 0]
        assert not history[listed].any()
        assert len(listed) == (history == 0).sum()


def test_lists_end_in_nothing_where_nothing_is_left() -> None:
    items, scores = _of(_weights())
    lengths = (HISTORIES.toarray() == 0).sum(axis=1)
    for row, length in enumerate(lengths):
        assert (items[row, :length] >= 0).all()
        assert (items[row, length:] == -1).all()
        assert np.isfinite(scores[row, :length]).all()
        assert np.isneginf(scores[row, length:]).all()
    assert lengths.min() < WIDTH


def test_a_list_longer_than_the_catalog_holds_the_catalog() -> None:
    items, scores = _of(_weights(), k=1000)
    assert items.shape == scores.shape == (N, WIDTH)


def test_the_seen_may_stay() -> None:
    weights = _weights()
    nothing = np.zeros((N, WIDTH), bool)
    _assert_equal(_of(weights, exclude_seen=False), _slow_rank(weights, WIDTH, denied=nothing))


def test_an_item_counts_as_seen_also_with_a_rating_of_zero() -> None:
    history = csr_matrix((np.array([0, 1], np.float32), [2, 5], [0, 2]), shape=(1, WIDTH))
    items, _ = rank(Linear(_weights()), history, WIDTH, candidates=Candidates.of(history), fallback=POPULARITY)
    assert 2 not in items
    assert 5 not in items


def test_lists_for_all_allow_and_deny() -> None:
    weights, seen = _weights(), HISTORIES.toarray() != 0
    only = ~np.isin(np.arange(WIDTH), [1, 4, 7, 12])
    _assert_equal(_of(weights, allow=[4, 1, 12, 7]), _slow_rank(weights, WIDTH, denied=seen | only))
    _assert_equal(_of(weights, deny=[4, 1, 12, 7]), _slow_rank(weights, WIDTH, denied=seen | ~only))
    metrics = only | np.isin(np.arange(WIDTH), [7])
    _assert_equal(_of(weights, allow=[4, 1, 12, 7], deny=[7]), _slow_rank(weights, WIDTH, denied=seen | metrics))


def test_each_row_has_its_own_lists() -> None:
    weights, seen = _weights(), HISTORIES.toarray() != 0
    rng = np.random.default_rng(4)
    allow, deny = rng.random((N, WIDTH)) < 0.5, rng.random((N, WIDTH)) < 0.2
    allow[1], deny[2] = False, True
    actual = _of(weights, allow=csr_matrix(allow), deny=csr_matrix(deny))
    _assert_equal(actual, _slow_rank(weights, WIDTH, denied=seen | ~allow | deny))
    assert (actual[0][[1, 2]] == -1).all()


def test_a_list_per_row_combines_with_a_list_for_all_rows() -> None:
    weights, seen = _weights(), HISTORIES.toarray() != 0
    per_row = np.random.default_rng(4).random((N, WIDTH)) < 0.6
    actual = _of(weights, allow=csr_matrix(per_row), deny=[0, 1, 2])
    _assert_equal(actual, _slow_rank(weights, WIDTH, denied=seen | ~per_row | (np.arange(WIDTH) < 3)))


def test_an_allow_matrix_counts_by_its_entries_not_by_their_values() -> None:
    per_row = csr_matrix((np.array([0, -1, 5]), [1, 2, 3], [0, 3] + [3] * (N - 1)), shape=(N, WIDTH))
    items, _ = _of(_weights(), allow=per_row, exclude_seen=False)
    assert sorted(items[0][:3].tolist()) == [1, 2, 3]
    assert (items[0][3:] == -1).all()


def test_a_row_without_history_gets_the_order_of_popularity() -> None:
    items, scores = _of(_weights())
    expected = np.argsort(-POPULARITY.numpy(), kind="stable")
    assert items[0].tolist() == items[N - 1].tolist() == expected.tolist()
    assert scores[0].tolist() == POPULARITY.numpy()[expected].tolist()


def test_no_rows_have_no_lists() -> None:
    nobody = csr_matrix((0, WIDTH), dtype=np.float32)
    items, scores = rank(Linear(_weights()), nobody, 4, candidates=Candidates.of(nobody), fallback=POPULARITY)
    assert items.shape == scores.shape == (0, 4)


def test_a_score_of_minus_infinity_is_no_recommendation() -> None:
    weights = _weights()
    weights[:, 3] = -torch.inf
    items, _ = _of(weights, exclude_seen=False)
    assert not (items[(HISTORIES.toarray() != 0).any(axis=1)] == 3).any()


def test_blocks_of_scores_join_to_the_whole_and_may_be_written_to() -> None:
    class Shared(Linear):
        """Return the memory of the weights."""

        def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
            row: Tensor = self.weights[0]  # type: ignore[index,assignment]
            return row[items].expand(len(z), -1)

    network, before = Shared(_weights()), POPULARITY.clone()
    blocks = list(score_blocks(network, HISTORIES, POPULARITY, cells=60))
    assert [block for block, _ in blocks] == [slice(start, min(start + 2, 13)) for start in range(0, 13, 2)]
    joined = torch.cat([values for _, values in blocks], dim=1)
    expected = np.where((HISTORIES.toarray() != 0).any(axis=1)[:, None], _weights()[0].numpy(), POPULARITY.numpy())
    np.testing.assert_array_equal(joined.numpy(), expected)
    with torch.inference_mode():
        for _, values in blocks:
            values.fill_(-torch.inf)
    assert torch.equal(network.weights, _weights())  # type: ignore[arg-type]
    assert torch.equal(before, POPULARITY)


def test_scoring_leaves_training_mode_and_records_no_gradients() -> None:
    network = Linear(torch.nn.Parameter(_weights())).train()
    ((_, values),) = score_blocks(network, HISTORIES, POPULARITY)
    assert not network.training
    assert not values.requires_grad


# Out of memory


class Cramped(Linear):
    """Network that runs out of memory beyond a number of scores or rows."""

    def __init__(self, weights: Tensor, rows: int, scores: int) -> None:
        super().__init__(weights)
        self.rows, self.scores, self.refused = rows, scores, 0

    def _claim(self, wanted: int, room: int) -> None:
        if wanted > room:
            self.refused += 1
            raise torch.OutOfMemoryError

    def encode(self, x: Rows) -> Tensor:
        self._claim(len(x), self.rows)
        return super().encode(x)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        self._claim(z[:, items].numel(), self.scores)
        return super().decode(z, items)

    def rate(self, z: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        return z[rows, items]


@pytest.mark.parametrize(("rows", "scores"), [(1, 10**6), (7, 10**6), (N, 40), (N, 1), (3, 12)])
def test_lists_are_the_same_where_memory_runs_out(rows: int, scores: int) -> None:
    weights = _weights()
    network = Cramped(weights, rows, scores)
    actual = rank(network, HISTORIES, 5, candidates=Candidates.of(HISTORIES), fallback=POPULARITY, cells=N * WIDTH)
    assert network.refused
    _assert_equal(actual, _slow_rank(weights, 5))


@pytest.mark.parametrize("rows", [1, 7])
def test_ratings_and_validation_are_the_same_where_memory_runs_out(rows: int) -> None:
    pairs = np.arange(N).repeat(2), np.tile([3, 8], N)
    network, roomy = (Cramped(_weights(), room, 10**6) for room in (rows, N))
    np.testing.assert_array_equal(predict(network, HISTORIES, pairs), predict(roomy, HISTORIES, pairs))
    targets = np.random.default_rng(1).random((N, WIDTH)) < 0.3
    measures = [validation(model, POPULARITY, _holdout(targets), ["ndcg@5", "mae"]) for model in (network, roomy)]
    assert measures[0]() == measures[1]()
    assert network.refused >= 3
    assert not roomy.refused


def test_no_room_for_a_single_row_is_an_error() -> None:
    network = Cramped(_weights(), 0, 10**6)
    with pytest.raises(UnsupportedError, match="there is not enough memory to score a single row"):
        rank(network, HISTORIES, 5, candidates=Candidates.of(HISTORIES), fallback=POPULARITY)
    with pytest.raises(UnsupportedError, match="there is not enough memory to score a single row"):
        predict(network, HISTORIES, (np.array([3]), np.array([4])))


# Similar items


def _slow_most_alike(vectors: NDArray[np.float64], queries: list[int], k: int) -> list[list[int]]:
    norms = np.linalg.norm(vectors, axis=1)
    lists = []
    for item in queries:
        cosine = [
            0.0 if norms[item] * norms[other] == 0 else vectors[item] @ vectors[other] / (norms[item] * norms[other])
            for other in range(len(vectors))
        ]
        order = [other for other in np.argsort(-np.round(cosine, 6), kind="stable") if other != item]
        lists.append([int(other) for other in order[:k]])
    return lists


@pytest.mark.parametrize("k", [1, 5, 12])
def test_items_alike_are_those_with_the_largest_cosine(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CELLS", 3 * WIDTH)
    vectors = torch.randn(WIDTH, 4, generator=torch.Generator().manual_seed(1))
    vectors[6] = 0
    queries = [0, 6, 3, 3, 12, 1, 2]
    items, scores = most_alike(vectors, np.array(queries), k)
    assert items.tolist() == _slow_most_alike(vectors.double().numpy(), queries, k)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert (np.abs(scores) <= 1 + 1e-6).all()
    assert scores[1].tolist() == [0] * k


def test_length_does_not_make_items_alike_and_ties_are_ordered_by_position() -> None:
    vectors = torch.tensor([[1.0, 0], [100, 100], [0, 2], [5, 0], [0, 1]])
    items, scores = most_alike(vectors, np.array([0, 2]), 10)
    assert items.tolist() == [[3, 1, 2, 4], [4, 1, 0, 3]]
    np.testing.assert_allclose(scores, [[1, 0.5**0.5, 0, 0]] * 2, atol=1e-6)


def test_an_only_item_is_like_no_other() -> None:
    items, scores = most_alike(torch.ones(1, 3), np.array([0]), 5)
    assert items.shape == scores.shape == (1, 0)


# Validation


def _holdout(targets: NDArray[Any]) -> Holdout:
    return Holdout(HISTORIES, csr_matrix(targets.astype(np.float32)), RangeIndex(N))


def test_validation_measures_the_network_as_it_then_is() -> None:
    seen = HISTORIES.toarray() != 0
    targets = np.zeros((N, WIDTH), bool)
    targets[np.arange(N), [int(np.flatnonzero(~row)[-1]) for row in seen]] = True
    network = Linear(_weights())
    measure = validation(network, POPULARITY, _holdout(targets), ["hit@3", "recall@5"])
    before = measure()
    for weights in (_weights(), _weights(seed=1)):
        network.weights.copy_(weights)  # type: ignore[operator]
        lists, _ = _slow_rank(weights, 5)
        hits = [[targets[row, item] for item in lists[row] if item >= 0] for row in range(N)]
        actual = measure()
        assert actual == {
            "hit@3": pytest.approx(np.mean([any(row[:3]) for row in hits])),
            "recall@5": pytest.approx(np.mean([sum(row) / 1 for row in hits])),
        }
    assert actual != before


def test_users_without_targets_do_not_count_in_the_validation() -> None:
    seen = HISTORIES.toarray() != 0
    targets = np.zeros((N, WIDTH), bool)
    targets[4] = ~seen[4]
    measure = validation(Linear(_weights()), POPULARITY, _holdout(targets), ["recall@13"])
    assert measure() == {"recall@13": 1}


def test_a_validation_without_any_target_is_refused() -> None:
    with pytest.raises(DataError, match="the validation users have no targets; hold out some of their interactions"):
        validation(Linear(_weights()), POPULARITY, _holdout(np.zeros((N, WIDTH), bool)), ["recall@5"])


# Positions of rows


class Knowing(Linear):
    """Network that stores the encoded positions, and rates 100 · position + sum of the history + item / 16."""

    def __init__(self) -> None:
        super().__init__(_weights())
        self.encoded: list[list[int]] = []

    def encode(self, x: Rows) -> Tensor:
        self.encoded.append(x.positions.tolist())
        return torch.stack([x.positions.float(), x.sums()], dim=1) @ torch.tensor([[100.0], [1.0]]).expand(2, WIDTH)

    def rate(self, z: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        return z[rows, 0] + items / 16


WHO = np.random.default_rng(5).permutation(40)[:N]
WHO[[1, 8, 9, 22]] = UNKNOWN_USER


@pytest.mark.parametrize("positions", [WHO, None])
@pytest.mark.parametrize(("cells", "least_rows", "n_chunks"), [(1, 1, 23), (1, 5, 5), (60, 4, 6), (2**20, 256, 1)])
def test_every_chunk_passes_the_positions_of_its_rows_and_without_them_all_users_are_unknown(
    positions: NDArray[np.int64] | None, cells: int, least_rows: int, n_chunks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", least_rows)
    network, candidates = Knowing(), Candidates.of(HISTORIES)
    options: dict[str, Any] = {"fallback": POPULARITY, "positions": positions, "cells": cells}
    rank(network, HISTORIES, 3, candidates=candidates, **options)
    assert len(network.encoded) == n_chunks
    expected = [UNKNOWN_USER] * N if positions is None else positions.tolist()
    assert [position for chunk in network.encoded for position in chunk] == expected


def test_scores_of_all_items_know_who_the_rows_are() -> None:
    network = Knowing()
    for positions, expected in ((WHO, WHO.tolist()), (None, [UNKNOWN_USER] * N)):
        blocks = list(score_blocks(network, HISTORIES, POPULARITY, positions, cells=60))
        assert len(blocks) == 7
        assert network.encoded.pop() == expected
        assert network.encoded == []


# Predicted ratings


def _rated(row: int, item: int, positions: NDArray[np.int64] | None = None) -> float:
    position = UNKNOWN_USER if positions is None else positions[row]
    return 100 * float(position) + float(HISTORIES[row].sum()) + item / 16


@pytest.mark.parametrize("positions", [WHO, None])
@pytest.mark.parametrize(("least_rows", "n_chunks"), [(1, 23), (5, 5), (256, 1)])
@pytest.mark.parametrize("order", ["by row", "backwards", "shuffled"])
def test_ratings_come_in_the_order_of_their_pairs(
    order: str,
    least_rows: int,
    n_chunks: int,
    positions: NDArray[np.int64] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pairs may repeat, rows may have no pair, and a row without history is rated like others."""
    monkeypatch.setattr(chunks, "ROWS", least_rows)
    monkeypatch.setattr(chunks, "CELLS", 1)
    rng = np.random.default_rng(6)
    rows = np.sort(rng.choice(np.delete(np.arange(N), [2, 10, 11]), 80))
    items = rng.integers(0, WIDTH, 80)
    assert {0, N - 1} <= set(rows.tolist())
    if order != "by row":
        by = np.arange(80)[::-1] if order == "backwards" else rng.permutation(80)
        rows, items = rows[by], items[by]
    copies = rows.copy(), items.copy()
    network = Knowing()
    actual = predict(network, HISTORIES, (rows, items), positions)
    assert len(network.encoded) == n_chunks
    assert (actual.dtype, actual.shape) == (np.float32, (80,))
    expected = [_rated(row, item, positions) for row, item in zip(rows.tolist(), items.tolist(), strict=True)]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    np.testing.assert_array_equal(rows, copies[0])
    np.testing.assert_array_equal(items, copies[1])


@pytest.mark.parametrize("least_rows", [5, 256])
def test_no_pairs_have_no_ratings(least_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "ROWS", least_rows)
    monkeypatch.setattr(chunks, "CELLS", 1)
    nothing = np.empty(0, np.int64)
    assert predict(Knowing(), HISTORIES, (nothing, nothing)).shape == (0,)
    nobody = csr_matrix((0, WIDTH), dtype=np.float32)
    assert predict(Knowing(), nobody, (nothing, nothing)).shape == (0,)


def test_rating_leaves_training_mode_and_records_no_gradients() -> None:
    network = Knowing().train()
    pair = np.array([3]), np.array([4])
    predict(network, HISTORIES, pair)
    assert not network.training


def test_a_model_that_ranks_only_says_so() -> None:
    with pytest.raises(UnsupportedError, match="ranks items, but its scores are not ratings; use autorec"):
        predict(Linear(_weights()), HISTORIES, (np.array([3]), np.array([4])))


def test_validation_measures_errors_of_predicted_ratings() -> None:
    """All ratings have the same weight, whichever user gave them; users without targets have none."""
    rng = np.random.default_rng(7)
    ratings = np.where(rng.random((N, WIDTH)) < 0.2, rng.integers(1, 6, (N, WIDTH)), 0)
    ratings[[3, 4]] = 0
    measure = validation(Knowing(), POPULARITY, _holdout(ratings), ["rmse", "mae"], WHO)
    differences = np.array([_rated(row, item, WHO) - ratings[row, item] for row, item in np.argwhere(ratings)])
    expected = {"rmse": np.sqrt((differences**2).mean()), "mae": np.abs(differences).mean()}
    assert measure() == {name: pytest.approx(value, rel=1e-5) for name, value in expected.items()}


def test_validation_measures_lists_and_errors_side_by_side() -> None:
    targets = np.zeros((N, WIDTH), bool)
    targets[np.arange(N), [int(np.flatnonzero(row == 0)[0]) for row in HISTORIES.toarray()]] = True
    network = Knowing()
    metrics = validation(network, POPULARITY, _holdout(targets), ["mae", "recall@5", "rmse"], WHO)()
    assert network.encoded == [WHO.tolist()] * 2
    assert set(metrics) == {"recall@5", "rmse", "mae"}
    for name in metrics:
        assert validation(Knowing(), POPULARITY, _holdout(targets), [name], WHO)() == {name: metrics[name]}


def test_validation_takes_users_as_unknown_without_positions() -> None:
    targets = np.ones((N, WIDTH), bool)
    network = Knowing()
    validation(network, POPULARITY, _holdout(targets), ["rmse", "recall@5"])()
    assert network.encoded == [[UNKNOWN_USER] * N] * 2
