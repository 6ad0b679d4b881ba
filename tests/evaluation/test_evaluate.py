"""Evaluation: all items are ranked for the users with targets."""
# ruff: noqa: PD011  a report's `values` are not those of pandas

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix, load_npz

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Holdout, split_users
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.evaluation import evaluate


class Scores:
    """Ranker with fixed scores: the same for every user, or a row per user."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores
        self.calls: list[tuple[tuple[int, int], int, bool]] = []

    def recommend(
        self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        self.calls.append((histories.shape, k, exclude_seen))
        scores = np.broadcast_to(self.scores, histories.shape).astype(np.float32)
        if exclude_seen:
            scores = np.where(histories.toarray() != 0, -np.inf, scores)
        items = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(scores, items, axis=1)
        return np.where(np.isinf(best), -1, items), best


def holdout(histories: list[list[int]], targets: list[list[int]], unknown: int = 0) -> Holdout:
    users = pd.Index([f"user {number}" for number in range(len(targets))])
    return Holdout(
        csr_matrix(np.array(histories, np.float32)), csr_matrix(np.array(targets, np.float32)), users, unknown
    )


TWO = holdout([[1, 0, 0, 0], [0, 1, 0, 0]], [[0, 0, 1, 0], [0, 0, 0, 1]])
FALLING = np.array([4.0, 3.0, 2.0, 1.0])


def test_the_values_are_those_of_the_lists() -> None:
    # Without the seen the lists are 1 2 3 and 0 2 3: targets at ranks 2 and 3.
    report = evaluate(Scores(FALLING), TWO, ["mrr@4", "recall@2"])
    assert report.values["mrr@4"].tolist() == pytest.approx([1 / 2, 1 / 3])
    assert report.values["recall@2"].tolist() == [1.0, 0.0]
    assert report.values.index.tolist() == ["user 0", "user 1"]
    assert report.mean == pytest.approx({"mrr@4": 5 / 12, "recall@2": 0.5})


def test_the_seen_may_be_left_in_the_lists() -> None:
    report = evaluate(Scores(FALLING), TWO, ["mrr@4"], exclude_seen=False)
    assert report.values["mrr@4"].tolist() == pytest.approx([1 / 3, 1 / 4])
    assert not report.exclude_seen


def test_the_model_is_asked_once_for_the_longest_list() -> None:
    model = Scores(FALLING)
    evaluate(model, TWO, ["recall@1", "ndcg@3", "mrr@2"])
    assert model.calls == [((2, 4), 3, True)]


def test_lists_may_be_longer_than_the_catalogue() -> None:
    model = Scores(FALLING)
    assert evaluate(model, TWO, ["recall@100"]).mean == {"recall@100": 1.0}
    assert model.calls == [((2, 4), 4, True)]


def test_users_without_targets_are_left_out_and_counted() -> None:
    three = holdout([[1, 0, 0], [0, 1, 0], [0, 1, 0]], [[0, 1, 0], [0, 0, 0], [0, 0, 1]], unknown=7)
    model = Scores(np.array([3.0, 2.0, 1.0]))
    report = evaluate(model, three, ["recall@1"])
    assert report.values.index.tolist() == ["user 0", "user 2"]
    assert (report.n_users, report.without_targets, report.unknown_targets) == (2, 1, 7)
    assert report.mean == {"recall@1": 0.5}
    assert model.calls[0][0] == (2, 3)


def test_a_holdout_without_targets_is_refused() -> None:
    with pytest.raises(DataError, match="none of the 1 users of the holdout has a target"):
        evaluate(Scores(FALLING), holdout([[1, 0, 0, 0]], [[0, 0, 0, 0]]))


@pytest.mark.parametrize("metrics", [(), "recall@20"])
def test_metrics_must_be_a_list_of_names(metrics: object) -> None:
    with pytest.raises(ConfigError, match="must be a list of at least one metric"):
        evaluate(Scores(FALLING), TWO, metrics)  # type: ignore[arg-type]


def test_unknown_metrics_are_refused_before_the_model_works() -> None:
    model = Scores(FALLING)
    with pytest.raises(ConfigError, match="did you mean 'recall'"):
        evaluate(model, TWO, ["recall@1", "rcall@1"])
    assert model.calls == []


def test_a_ranker_that_gives_too_little_is_refused() -> None:
    class Short(Scores):
        def recommend(
            self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True
        ) -> tuple[np.ndarray, np.ndarray]:
            return super().recommend(histories, 1, exclude_seen=exclude_seen)

    with pytest.raises(DataError, match="too few for the cut-off 3"):
        evaluate(Short(FALLING), TWO, ["recall@3"])


def test_the_report_carries_the_fingerprint_of_the_split() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(0, 30, 500), "item": rng.integers(0, 20, 500)})
    split = split_users(Interactions.from_frame(frame, duplicates="last"), n_valid=5, n_test=5)
    assert split.test is not None
    model = Scores(rng.random(len(split.train.items)))
    assert evaluate(model, split.test).fingerprint == split.fingerprint
    assert evaluate(model, split.test, fingerprint="another").fingerprint == "another"
    assert evaluate(Scores(FALLING), TWO).fingerprint is None


def test_on_movielens_1m_popularity_scores_as_measured_independently(data_dir: Path) -> None:
    bench = data_dir.parent / "bench"
    if not (bench / "ml1m_strong" / "ids.npz").exists():
        pytest.skip(f"the independent split is absent: {bench}")
    histories, targets, train = (
        csr_matrix(load_npz(bench / "ml1m_strong" / f"{part}.npz")).sorted_indices()
        for part in ("test_tr", "test_te", "train")
    )
    spec = importlib.util.spec_from_file_location("independent_metrics", bench / "metrics.py")
    assert spec is not None
    assert spec.loader is not None
    oracle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    popularity = np.asarray(train.sum(axis=0), np.float32)
    model = Scores(popularity)
    report = evaluate(model, Holdout(histories, targets, pd.RangeIndex(histories.shape[0])), n_resamples=50)
    expected = oracle.score(model.recommend(histories, 100)[0], targets)
    for name, numbers in report.summary.items():
        assert numbers.mean == pytest.approx(expected[name], abs=1e-12)
        assert numbers.standard_error == pytest.approx(expected[f"se_{name}"], abs=1e-12)
    assert report.mean == pytest.approx({"recall@20": 0.1656, "recall@50": 0.2305, "ndcg@100": 0.2170}, abs=1e-4)
