"""Metrics: compared with values by hand, a slow reference, and an independent implementation."""

import importlib.util
import math
import tracemalloc
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys_ae import metrics
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.metrics import Metric, error, errors_per_user, parse, per_user, smaller_is_better
from tests.nn.small import matrix

KINDS = ["recall", "recall_all", "ndcg", "precision", "map", "map_all", "mrr", "hit"]


def targets_of(rows: list[list[int]], n_items: int) -> csr_matrix:
    indptr = np.append(0, np.cumsum([len(row) for row in rows]))
    columns = np.array([item for row in rows for item in sorted(row)], dtype=np.int64)
    return csr_matrix((np.ones(len(columns), np.float32), columns, indptr), shape=(len(rows), n_items))


def slow(kind: str, k: int, ranked: list[int], targets: set[int]) -> float:
    """Return a metric by its definition, item by item."""
    if not targets:
        return math.nan
    ranked = [item for item in ranked if item >= 0][:k]
    ranks = [rank for rank, item in enumerate(ranked, start=1) if item in targets]
    best = min(k, len(targets))
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, best + 1))
    values = {
        "recall": len(ranks) / best,
        "recall_all": len(ranks) / len(targets),
        "precision": len(ranks) / k,
        "ndcg": sum(1 / math.log2(rank + 1) for rank in ranks) / ideal,
        "map": sum(hits / rank for hits, rank in enumerate(ranks, start=1)) / best,
        "map_all": sum(hits / rank for hits, rank in enumerate(ranks, start=1)) / len(targets),
        "mrr": 1 / ranks[0] if ranks else 0.0,
        "hit": 1.0 if ranks else 0.0,
    }
    return values[kind]


def random_case(seed: int, n: int = 300, n_items: int = 80, k: int = 50) -> tuple[np.ndarray, csr_matrix]:
    rng = np.random.default_rng(seed)
    top = np.argsort(rng.random((n, n_items)), axis=1)[:, :k]
    filled = rng.integers(0, k + 1, n)
    top[np.arange(k) >= filled[:, None]] = -1
    rows = [rng.choice(n_items, rng.integers(0, 30), replace=False).tolist() for _ in range(n)]
    return top, targets_of(rows, n_items)


@pytest.fixture(scope="session")
def oracle(data_dir: Path) -> ModuleType:
    path = data_dir.parent / "bench" / "metrics.py"
    if not path.exists():
        pytest.skip(f"the independent oracle is absent: {path}")
    spec = importlib.util.spec_from_file_location("independent_metrics", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_values_are_those_computed_by_hand() -> None:
    # Targets 1, 4, 7; the list 4, 0, 1, 9, 8 has them at ranks 1 and 3.
    computed = per_user(np.array([[4, 0, 1, 9, 8]]), targets_of([[1, 4, 7]], 10), [f"{kind}@5" for kind in KINDS])
    values = {name: value.item() for name, value in computed.items()}
    assert values["recall@5"] == pytest.approx(2 / 3, abs=1e-15)
    assert values["recall_all@5"] == pytest.approx(2 / 3, abs=1e-15)
    assert values["precision@5"] == 0.4
    assert values["ndcg@5"] == pytest.approx(1.5 / 2.1309297535714573, abs=1e-15)
    assert values["map@5"] == pytest.approx((1 / 1 + 2 / 3) / 3, abs=1e-15)
    assert values["mrr@5"] == 1.0
    assert values["hit@5"] == 1.0


def test_the_two_recalls_differ_where_targets_outnumber_the_list() -> None:
    top, targets = np.array([[4, 0, 1]]), targets_of([[1, 4, 7, 8]], 10)
    computed = per_user(top, targets, ["recall@2", "recall_all@2"])
    assert computed["recall@2"] == 1 / 2
    assert computed["recall_all@2"] == 1 / 4


def test_the_first_target_counts_for_the_reciprocal_rank() -> None:
    computed = per_user(np.array([[9, 3, 4], [9, 8, 7]]), targets_of([[3, 4], [1]], 10), ["mrr@3", "hit@3", "mrr@1"])
    assert computed["mrr@3"].tolist() == [0.5, 0.0]
    assert computed["hit@3"].tolist() == [1.0, 0.0]
    assert computed["mrr@1"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 2, 7, 20, 50])
def test_every_measure_equals_its_definition(kind: str, k: int) -> None:
    top, targets = random_case(k)
    computed = per_user(top, targets, [f"{kind}@{k}"])[f"{kind}@{k}"]
    expected = [slow(kind, k, row.tolist(), set(targets[user].indices)) for user, row in enumerate(top)]
    assert np.isnan(expected).any()
    assert computed.dtype == np.float64
    np.testing.assert_allclose(computed, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_list_scores_one(kind: str) -> None:
    rows = [[1, 2, 3], [4, 5, 6]]
    computed = per_user(np.array(rows), targets_of(rows, 8), [f"{kind}@3"])
    assert computed[f"{kind}@3"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("seed", range(5))
def test_the_measures_equal_the_independent_oracle(oracle: ModuleType, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.choice(400, rng.integers(0, 150), replace=False).tolist() for _ in range(500)]
    top, targets = np.argsort(rng.random((500, 400)), axis=1)[:, :100], targets_of(rows, 400)
    top[rng.random(500) < 0.2, 60:] = -1
    expected = oracle.score(top, targets)
    per_metric = per_user(top, targets)
    for name, values in per_metric.items():
        finite = values[~np.isnan(values)]
        assert len(finite) == expected["users"]
        assert finite.mean() == pytest.approx(expected[name], abs=1e-12)
        assert finite.std(ddof=1) / math.sqrt(len(finite)) == pytest.approx(expected[f"se_{name}"], abs=1e-12)


def test_users_without_targets_have_no_value() -> None:
    computed = per_user(np.array([[0, 1], [0, 1]]), targets_of([[], [1]], 3), [f"{kind}@2" for kind in KINDS])
    for values in computed.values():
        assert np.isnan(values).tolist() == [True, False]


def test_nobody_has_targets() -> None:
    assert np.isnan(per_user(np.array([[0, 1]]), targets_of([[]], 3), ["ndcg@2"])["ndcg@2"]).all()


def test_no_users_have_no_values() -> None:
    assert per_user(np.empty((0, 5), np.int64), csr_matrix((0, 9)), ["ndcg@5"])["ndcg@5"].shape == (0,)


def test_nothing_recommended_is_no_hit_on_anyones_last_item() -> None:
    # -1 must find neither the last item of this user nor that of the user before.
    top, targets = np.array([[-1, -1], [-1, -1]]), targets_of([[4], [0, 4]], 5)
    assert per_user(top, targets, ["hit@2"])["hit@2"].tolist() == [0.0, 0.0]


def test_a_gap_in_the_list_keeps_its_rank() -> None:
    assert per_user(np.array([[-1, 2]]), targets_of([[2]], 3), ["mrr@2"])["mrr@2"].tolist() == [0.5]


def test_every_stored_target_counts_whatever_its_value() -> None:
    targets = csr_matrix((np.array([0.0, -2.0], np.float32), [0, 1], [0, 2]), shape=(1, 3))
    assert per_user(np.array([[0, 1]]), targets, ["recall@2"])["recall@2"].tolist() == [1.0]


def test_targets_need_not_be_sorted_and_stay_as_they_are() -> None:
    targets = csr_matrix((np.ones(3, np.float32), np.array([4, 0, 2]), [0, 3]), shape=(1, 5))
    assert per_user(np.array([[2, 0, 1]]), targets, ["recall@3"])["recall@3"] == pytest.approx(2 / 3)
    assert targets.indices.tolist() == [4, 0, 2]


def test_a_users_value_does_not_depend_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    top, targets = random_case(3)
    names = [f"{kind}@{k}" for kind in KINDS for k in (5, 50)]
    whole = per_user(top, targets, names)
    monkeypatch.setattr("recsys_ae.metrics.hits.BLOCK", 7)
    blocks = per_user(top, targets, names)
    alone = per_user(top[11:12], targets[11:12], names)
    for name in names:
        assert np.array_equal(whole[name], blocks[name], equal_nan=True)
        assert np.array_equal(whole[name][11:12], alone[name], equal_nan=True)


def test_a_cut_off_beyond_the_items_takes_them_all() -> None:
    top, targets = np.array([[2, 0, 1]]), targets_of([[0, 1]], 3)
    computed = per_user(top, targets, ["recall@100", "precision@100", "ndcg@100"])
    assert computed["recall@100"] == 1.0
    assert computed["precision@100"] == 0.02
    assert computed["ndcg@100"] == pytest.approx((1 / math.log2(3) + 1 / 2) / (1 + 1 / math.log2(3)))


def test_memory_stays_far_below_a_dense_matrix() -> None:
    n, n_items = 20_000, 30_000
    rng = np.random.default_rng(0)
    top = (rng.integers(0, n_items, (n, 1)) + np.arange(100) * 7) % n_items
    columns = (rng.integers(0, n_items, (n, 1)) + np.arange(10)) % n_items
    targets = csr_matrix((np.ones(n * 10, np.float32), columns.ravel(), np.arange(n + 1) * 10), shape=(n, n_items))
    targets.sort_indices()
    tracemalloc.start()
    per_user(top, targets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_read_and_written_alike(kind: str) -> None:
    assert parse(f"{kind}@20") == Metric(kind, 20)
    assert str(parse(f"{kind}@20")) == f"{kind}@20"


def test_the_defaults_are_names() -> None:
    assert [str(parse(name)) for name in metrics.DEFAULT] == list(metrics.DEFAULT)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("recal@20", "there is no metric 'recal@20'; did you mean 'recall'"),
        ("NDCG@100", "there is no metric 'NDCG@100'"),
        ("", "there is no metric ''"),
        ("ndcg", "needs a whole number as its cut-off, as in 'ndcg@20'"),
        ("ndcg@", "needs a whole number"),
        ("ndcg@ten", "needs a whole number"),
        ("ndcg@1.5", "needs a whole number"),
        ("ndcg@10@20", "needs a whole number"),
        ("ndcg@0", "has the cut-off 0; it must be at least 1"),
        ("ndcg@-5", "has the cut-off -5; it must be at least 1"),
        ("rmse@10", "metric 'rmse@10' takes no cut-off; write 'rmse'"),
        ("rsme", "did you mean 'rmse'"),
    ],
)
def test_wrong_names_say_what_is_wrong(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(name)


@pytest.mark.parametrize(
    ("top", "message"),
    [
        (np.array([[0, 1], [1, 2]]), r"the shape \(2, 2\); expected whole numbers of the shape \(1, k\)"),
        (np.array([0, 1]), "expected whole numbers"),
        (np.array([[0.0, 1.0]]), "float64"),
        (np.array([[0]]), "hold 1 items, too few for the cut-off 2"),
        (np.array([[0, 5]]), "item positions from 0 to 5; expected -1 to 4"),
        (np.array([[0, -2]]), "item positions from -2 to 0; expected -1 to 4"),
        (np.array([[3, 3]]), "an item twice"),
    ],
)
def test_lists_that_do_not_fit_are_refused(top: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        per_user(top, targets_of([[3, 4]], 5), ["recall@2"])


# Errors of predicted ratings

RATINGS = csr_matrix(np.array([[5, 0, 1, 0], [0, 0, 0, 0], [0, 2, 0, 0]], np.float32))
PREDICTED = np.array([4.0, 3.0, 2.5])


def test_errors_are_those_computed_by_hand() -> None:
    errors = errors_per_user(PREDICTED, RATINGS, ["mae", "rmse"])
    assert list(errors) == ["mae", "rmse"]
    np.testing.assert_allclose(errors["rmse"], [math.sqrt((1 + 4) / 2), math.nan, 0.5], rtol=1e-15)
    np.testing.assert_allclose(errors["mae"], [1.5, math.nan, 0.5], rtol=1e-15)
    assert error("rmse", PREDICTED, RATINGS.data) == pytest.approx(math.sqrt((1 + 4 + 0.25) / 3), rel=1e-15)
    assert error("mae", PREDICTED, RATINGS.data) == pytest.approx(3.5 / 3, rel=1e-15)


def test_a_perfect_prediction_has_no_error() -> None:
    errors = errors_per_user(RATINGS.data, RATINGS)
    assert {name: np.nansum(values) for name, values in errors.items()} == {"rmse": 0, "mae": 0}


def test_a_rating_of_nothing_is_a_rating() -> None:
    stored = csr_matrix((np.array([0.0, 4.0], np.float32), [0, 1], [0, 2]), shape=(1, 3))
    assert errors_per_user(np.array([2.0, 4.0]), stored)["mae"].tolist() == [1.0]


def test_only_errors_are_better_when_they_are_smaller() -> None:
    assert [name for name in ("rmse", "mae", "ndcg@10", "recall@5") if smaller_is_better(name)] == ["rmse", "mae"]
    assert [str(parse(name)) for name in metrics.ERRORS] == ["rmse", "mae"]


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        (np.ones(2), r"predicted ratings have the shape \(2,\); expected \(3,\)"),
        (np.ones((3, 1)), r"\(3, 1\)"),
        (np.array([1, np.nan, np.inf]), "2 of 3 predicted ratings are not finite"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(predicted: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        errors_per_user(predicted, RATINGS)


def test_lists_have_no_errors_of_ratings() -> None:
    with pytest.raises(ConfigError, match="metric 'rmse' needs predicted ratings, not top-N lists"):
        per_user(np.array([[0]]), targets_of([[0]], 2), ["recall@1", "rmse"])


def test_f20_the_two_recalls_have_different_names_and_values() -> None:
    """``recall`` divides by min(k, n) as Liang et al. do, and ``recall_all`` by n as most papers do."""
    targets = matrix(6, 20, density=0.6, kind="ones")
    top = np.tile(np.arange(3), (6, 1))
    values = per_user(top, targets, ["recall@3", "recall_all@3"])
    for row in range(6):
        row_targets = set(targets[row].indices.tolist())
        if row_targets:
            hits = len(row_targets & {0, 1, 2})
            assert values["recall@3"][row] == hits / min(3, len(row_targets))
            assert values["recall_all@3"][row] == hits / len(row_targets)
    assert np.nansum(values["recall@3"]) > np.nansum(values["recall_all@3"])


def test_errors_are_computed_in_double_precision() -> None:
    """In single precision, 2²⁴ + 1 is 2²⁴."""
    predicted, actual = np.array([2.0**24], np.float32), np.array([-1.0], np.float32)
    assert error("mae", predicted, actual) == error("rmse", predicted, actual) == 2**24 + 1


def test_without_metrics_there_are_no_values_and_lists_may_be_empty() -> None:
    assert per_user(np.empty((2, 0), np.int64), targets_of([[1], [0, 2]], 4), []) == {}


def test_errors_of_each_user_are_computed_in_double_precision_also_if_the_last_user_has_no_ratings() -> None:
    predicted, actual = np.array([2.0**24], np.float32), csr_matrix(np.array([[0, -1], [0, 0]], np.float32))
    for values in errors_per_user(predicted, actual).values():
        np.testing.assert_array_equal(values, [2**24 + 1, np.nan])


@pytest.mark.parametrize("name", ["rmse", "mae"])
def test_errors_of_ratings_have_no_cut_off(name: str) -> None:
    assert parse(name) == Metric(name, 0)
    assert str(parse(name)) == name
