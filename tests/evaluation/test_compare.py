"""Paired comparison of two models."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from recsys_ae.errors import DataError
from recsys_ae.evaluation import Report, compare
from recsys_ae.evaluation.estimate import estimate


def report(values: pd.DataFrame, fingerprint: str | None = None) -> Report:
    return Report(values, estimate(values, n_resamples=50, seed=0), 0, 0, True, 50, fingerprint)


def users(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"recall@20": rng.random(n), "ndcg@100": rng.random(n)}, index=[f"u{i}" for i in range(n)])


def test_a_small_but_steady_gain_is_seen_through_the_users_differences() -> None:
    worse = users()
    better = worse + 0.01 + np.random.default_rng(1).normal(0, 0.005, worse.shape)
    difference = compare(report(better), report(worse)).summary["recall@20"]
    alone = report(better).summary["recall@20"]
    assert difference.mean == pytest.approx(0.01, abs=0.002)
    assert 0 < difference.low < difference.mean < difference.high
    assert difference.high - difference.low < (alone.high - alone.low) / 10


def test_the_other_way_round_the_sign_changes() -> None:
    first, second = report(users(seed=1)), report(users(seed=2))
    forth, back = compare(first, second).summary["ndcg@100"], compare(second, first).summary["ndcg@100"]
    assert forth.mean == -back.mean
    assert forth.low == pytest.approx(-back.high, abs=1e-12)


def test_users_may_stand_in_another_order() -> None:
    values = users()
    shuffled = values.sample(frac=1, random_state=3)
    assert compare(report(values), report(shuffled)).summary["recall@20"].mean == 0.0


def test_only_common_metrics_are_compared() -> None:
    with_mrr = users().rename(columns={"recall@20": "mrr@5"})
    assert list(compare(report(users()), report(with_mrr)).summary) == ["ndcg@100"]
    with pytest.raises(DataError, match=r"share no metric: recall@20 and ndcg@100"):
        compare(report(users()[["recall@20"]]), report(users()[["ndcg@100"]]))


def test_other_users_are_refused() -> None:
    with pytest.raises(DataError, match="share 150 users, but hold 200 and 150"):
        compare(report(users()), report(users().iloc[50:]))
    with pytest.raises(DataError, match="share 150 users, but hold 150 and 200"):
        compare(report(users().iloc[50:]), report(users()))


def test_other_splits_are_refused() -> None:
    with pytest.raises(DataError, match="different splits, aa and bb"):
        compare(report(users(), "aa"), report(users(), "bb"))
    assert compare(report(users(), "aa"), report(users())).n_users == 200


def test_the_seed_decides() -> None:
    first, second = report(users(seed=1)), report(users(seed=2))
    assert compare(first, second, seed=4).summary == compare(first, second, seed=4).summary
    assert compare(first, second, seed=4).summary != compare(first, second, seed=5).summary


def test_the_table_shows_signs() -> None:
    text = str(compare(report(users() + 1), report(users()), n_resamples=60))
    assert text.splitlines() == [
        "recall@20  +1.0000 ± 0.0000  [+1.0000, +1.0000]",
        "ndcg@100   +1.0000 ± 0.0000  [+1.0000, +1.0000]",
        "paired difference: mean ± standard error [95 % bootstrap interval] over 200 users, 60 resamples",
    ]


def test_a_single_user_can_be_compared() -> None:
    comparison = compare(report(users(1)), report(users(1, seed=5)))
    assert comparison.as_dict()["ndcg@100"]["low"] is None
    assert "nan" not in str(comparison)


def test_a_comparison_is_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        compare(report(users()), report(users())).n_users = 3  # type: ignore[misc]


def test_a_comparison_becomes_a_table() -> None:
    table = compare(report(users() + 1), report(users()), n_resamples=60).to_frame()
    assert table.index.tolist() == ["recall@20", "ndcg@100"]
    assert table.columns.tolist() == ["mean", "standard_error", "low", "high"]
    assert table.loc["ndcg@100", "mean"] == pytest.approx(1)


def test_lists_with_and_without_items_of_the_history_are_not_compared() -> None:
    kept = dataclasses.replace(report(users()), exclude_seen=False)
    with pytest.raises(DataError, match="evaluate both models with the same exclude_seen"):
        compare(report(users()), kept)
    errors = pd.DataFrame({"mae": users()["recall@20"]})
    ratings = pd.Series(1, index=errors.index)
    summary = estimate(errors, n_resamples=50, seed=0, ratings=ratings)
    first = Report(errors, summary, 0, 0, True, 50, ratings=ratings)
    assert compare(first, dataclasses.replace(first, exclude_seen=False)).summary["mae"].mean == 0
