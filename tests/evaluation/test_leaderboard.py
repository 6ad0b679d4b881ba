"""Leaderboards: order, baseline, adjusted p-values, texts, tables and JSON."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.evaluation import Leaderboard, Report, compare, leaderboard
from recsys_ae.evaluation.estimate import estimate
from recsys_ae.evaluation.paired_tests import holm

N = 150
RNG = np.random.default_rng(0)
BASE = RNG.random((N, 2))


def report(shift: float = 0.0, *, noise: float = 0.05, n: int = N, seed: int = 1, **changes: object) -> Report:
    noises = np.random.default_rng(seed).normal(shift, noise, (n, 2))
    values = pd.DataFrame(BASE[:n] + noises, columns=["ndcg@10", "recall@5"], index=[f"u{i}" for i in range(n)])
    return of(values, **changes)


def of(values: pd.DataFrame, **changes: object) -> Report:
    fields: dict[str, object] = {"summary": estimate(values, n_resamples=50, seed=0, ratings=changes.get("ratings"))}  # type: ignore[arg-type]
    fields |= {"without_targets": 0, "unknown_targets": 0, "exclude_seen": True, "n_resamples": 50} | changes
    return Report(values, **fields)  # type: ignore[arg-type]


def rated(scale: float, seed: int = 0) -> Report:
    """Return errors of users with very different numbers of ratings."""
    rng = np.random.default_rng(5)
    counts = pd.Series(rng.integers(1, 60, N), index=[f"u{i}" for i in range(N)])
    errors = pd.DataFrame({"rmse": rng.gamma(2, 0.5, N) * scale}, index=counts.index)
    errors["rmse"] += np.random.default_rng(seed).normal(0, 0.01, N)
    return of(errors, ratings=counts)


THREE = {"low": report(-0.05, seed=1), "high": report(0.02, seed=2), "mid": report(0.0, seed=3)}


def test_the_best_by_the_first_metric_comes_first_and_is_the_baseline() -> None:
    board = leaderboard(THREE)
    assert [standing.name for standing in board.standings] == ["high", "mid", "low"]
    assert (board.baseline, board.baseline_is_best, board.best.name) == ("high", True, "high")
    assert board.best.differences == {}
    assert board.metrics == ("ndcg@10", "recall@5")
    assert "high was selected by the same users" in str(board)


def test_differences_are_those_of_compare() -> None:
    board = leaderboard(THREE, "mid", n_resamples=300, seed=4)
    assert not board.baseline_is_best
    for standing in board.standings:
        assert standing.summary == THREE[standing.name].summary
        if standing.name != "mid":
            expected = compare(THREE[standing.name], THREE["mid"], n_resamples=300, seed=4).summary
            assert {name: found.estimate for name, found in standing.differences.items()} == expected
    assert "selected by the same users" not in str(board)


def test_p_values_are_adjusted_for_the_models_of_each_metric() -> None:
    board = leaderboard(THREE, "mid")
    for metric in board.metrics:
        differences = [standing.differences[metric] for standing in board.standings if standing.name != "mid"]
        for kind in ("p_bootstrap", "p_wilcoxon"):
            assert [getattr(found, f"{kind}_holm") for found in differences] == pytest.approx(
                holm([getattr(found, kind) for found in differences])
            )


def test_users_may_stand_in_another_order_and_metrics_that_some_lack_are_left_out() -> None:
    shuffled = of(THREE["low"].values.sample(frac=1, random_state=1)[["recall@5"]])  # noqa: PD011
    board = leaderboard({"first": THREE["low"], "second": shuffled})
    assert board.metrics == ("recall@5",)
    (difference,) = board.standings[1].differences.values()
    assert (difference.estimate.mean, difference.equal, difference.p_wilcoxon, difference.p_bootstrap) == (0, 1, 1, 1)


def test_smaller_errors_are_better() -> None:
    board = leaderboard({"worse": rated(1.3, 1), "better": rated(1.0, 2), "worst": rated(1.9, 3)}, n_resamples=300)
    assert [standing.name for standing in board.standings] == ["better", "worse", "worst"]
    found = board.standings[1].differences["rmse"]
    assert found.estimate.mean == pytest.approx(rated(1.3, 1).mean["rmse"] - rated(1.0, 2).mean["rmse"])
    assert found.estimate.low > 0
    assert found.standardized < 0
    assert found.rank_biserial < 0
    assert found.worse > 0.9
    assert f"rmse of all {rated(1.0).n_ratings:,} ratings; smaller is better" in str(board)


def test_one_user_has_no_intervals() -> None:
    text = str(leaderboard({"a": report(n=1, seed=1), "b": report(n=1, seed=2)}))
    assert "one user: no standard error and no interval" in text
    assert "nan" not in text
    assert "±" not in text


def test_one_model_is_a_leaderboard_without_comparisons() -> None:
    board = leaderboard({"only": THREE["low"]})
    assert board.as_dict()["adjustment"]["comparisons"] == 0
    assert "Wilcoxon" not in str(board)


def test_the_table_is_aligned_and_tells_all() -> None:
    values = pd.DataFrame({"hit@1": [1.0, 0.0, 1.0, 0.0]})
    board = leaderboard(
        {"a": of(values), "b": of(values * 0)},
        n_resamples=100,
        details={"a": {"kind": "ease", "sec.": 1.5}, "b": {"kind": "als"}},
    )
    assert str(board).splitlines()[:3] == [
        "model  kind  sec.            hit@1  difference       95 % interval  p boot.  p Wilc.  effect  better  worse",
        "a      ease   1.5  0.5000 ± 0.2887    baseline",
        "b      als         0.0000 ± 0.0000     -0.5000  [-1.0000, +0.0000]    0.238    0.500   -0.87      0%    50%",
    ]
    assert str(board).splitlines()[4:] == [
        "4 users; mean ± standard error; paired difference from a with its 95 % bootstrap interval, 100 resamples",
        "p boot., p Wilc.: two-sided p-values of the paired bootstrap and of the Wilcoxon signed-rank test, adjusted "
        "for 1 comparison (Holm)",
        "effect: mean gain of the users / its standard deviation, positive if the model is better than a; better, "
        "worse: shares of users",
        "a was selected by the same users, so its lead is slightly optimistic",
        "hit@k = 1 with a hit, else 0",
    ]


def test_json_has_every_number_and_no_nan(tmp_path: Path) -> None:
    board = leaderboard({"a": report(n=1, fingerprint="0a"), "b": report(n=1, seed=2)}, "a", details={"a": {"x": 1}})
    read = json.loads(board.to_json())
    assert (read["baseline"], read["baseline_is_best"], read["users"], read["fingerprint"]) == ("a", False, 1, "0a")
    by_name = {model["name"]: model for model in read["models"]}
    assert by_name["a"]["details"] == {"x": 1}
    assert by_name["a"]["differences"] == {}
    assert by_name["b"]["differences"]["ndcg@10"]["low"] is None
    assert set(by_name["b"]["differences"]["ndcg@10"]) == {
        "mean", "standard_error", "low", "high", "p_bootstrap", "p_wilcoxon", "p_bootstrap_holm", "p_wilcoxon_holm",
        "standardized", "rank_biserial", "better", "worse", "equal",
    }  # fmt: skip


def test_the_frame_has_a_row_per_model_and_metric() -> None:
    frame = leaderboard(THREE, "mid", details={"low": {"kind": "als"}}).to_frame()
    assert frame.index.names == ["model", "metric"]
    assert len(frame) == 6
    assert frame.loc[("low", "recall@5"), "mean"] == THREE["low"].mean["recall@5"]
    assert frame.loc[("low", "ndcg@10"), "kind"] == "als"
    assert math.isnan(frame.loc[("mid", "ndcg@10"), "difference_mean"])
    expected = compare(THREE["low"], THREE["mid"]).summary["ndcg@10"].high
    assert frame.loc[("low", "ndcg@10"), "difference_high"] == expected


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (report(n=100), "low and high: the reports share 100 users"),
        (report(fingerprint="bb"), "different splits, bb and aa"),
        (report(exclude_seen=False), "evaluate both models with the same exclude_seen"),
        (of(pd.DataFrame({"map@3": np.zeros(N)})), r"share no metric \(high: ndcg@10, recall@5; low: map@3\)"),
    ],
)
def test_reports_that_cannot_be_compared_are_refused(other: Report, said: str) -> None:
    with pytest.raises(DataError, match=said):
        leaderboard({"high": report(0.2, fingerprint="aa"), "low": other})


def test_unknown_baselines_and_empty_leaderboards_are_refused() -> None:
    with pytest.raises(ConfigError, match="baseline = 'als': there is no such model; expected one of low, high, mid"):
        leaderboard(THREE, "als")
    with pytest.raises(ConfigError, match="reports is empty"):
        leaderboard({})
    with pytest.raises(ConfigError, match="n_resamples = 0"):
        leaderboard(THREE, n_resamples=0)
    assert isinstance(leaderboard(THREE), Leaderboard)
