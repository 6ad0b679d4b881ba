"""Evaluation report: estimates, intervals, text, JSON and table."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from recsys_ae.errors import ConfigError
from recsys_ae.evaluation import Report
from recsys_ae.evaluation import estimate as module
from recsys_ae.evaluation.estimate import estimate


def table(n: int = 80, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"recall@20": rng.random(n), "ndcg@100": rng.random(n) / 2}, index=pd.RangeIndex(100, 100 + n))


def report(values: pd.DataFrame | None = None, **changes: object) -> Report:
    values = table() if values is None else values
    fields: dict[str, object] = {
        "summary": estimate(values, n_resamples=200, seed=0),
        "without_targets": 0,
        "unknown_targets": 0,
        "exclude_seen": True,
        "n_resamples": 200,
    }
    return Report(values, **(fields | changes))  # type: ignore[arg-type]


def test_mean_and_standard_error_are_those_of_the_users() -> None:
    estimates = estimate(table(), n_resamples=100, seed=0)
    for name, values in table().items():
        assert estimates[str(name)].mean == pytest.approx(values.mean(), abs=1e-15)
        assert estimates[str(name)].standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(80), abs=1e-15)


def test_the_interval_is_the_percentiles_of_resampled_means() -> None:
    values = table(n=30)
    numbers = estimate(values, n_resamples=4_000, seed=0)["recall@20"]
    rng = np.random.default_rng(1)
    means = rng.choice(values["recall@20"], (4_000, 30)).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    assert numbers.low == pytest.approx(low, abs=0.01)
    assert numbers.high == pytest.approx(high, abs=0.01)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(300):
        numbers = estimate(pd.DataFrame({"hit@1": rng.random(60) < 0.4}), n_resamples=200, seed=seed)["hit@1"]
        held += numbers.low <= 0.4 <= numbers.high
    assert 0.89 <= held / 300 <= 0.985


def test_all_metrics_share_their_resamples() -> None:
    values = table()
    values["map@5"] = 1 - values["recall@20"]
    estimates = estimate(values, n_resamples=150, seed=3)
    assert estimates["map@5"].low == pytest.approx(1 - estimates["recall@20"].high, abs=1e-12)
    assert estimates["map@5"].high == pytest.approx(1 - estimates["recall@20"].low, abs=1e-12)


def test_the_seed_decides() -> None:
    first, same, other = (estimate(table(), n_resamples=100, seed=seed) for seed in (1, 1, 2))
    assert first == same
    assert first["recall@20"].low != other["recall@20"].low


def test_a_metrics_interval_does_not_depend_on_the_other_metrics() -> None:
    among, alone = (
        estimate(values, n_resamples=100, seed=0)["ndcg@100"] for values in (table(), table()[["ndcg@100"]])
    )
    assert vars(among) == pytest.approx(vars(alone), abs=1e-12)


def test_batches_bound_the_memory_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    unbatched = estimate(table(), n_resamples=100, seed=0)
    monkeypatch.setattr(module, "BATCH", 500)
    assert estimate(table(), n_resamples=100, seed=0) == unbatched


def test_equal_users_have_an_interval_without_width() -> None:
    numbers = estimate(pd.DataFrame({"hit@1": [1.0, 1.0, 1.0]}), n_resamples=50, seed=0)["hit@1"]
    assert (numbers.mean, numbers.standard_error, numbers.low, numbers.high) == (1.0, 0.0, 1.0, 1.0)


def test_a_single_user_has_a_mean_alone() -> None:
    single = report(table(n=1))
    assert single.mean["recall@20"] == table(n=1)["recall@20"].item()
    assert math.isnan(single.summary["recall@20"].standard_error)
    assert "one user: no standard error and no interval" in str(single)
    assert "nan" not in str(single)


@pytest.mark.parametrize(("n_resamples", "seed"), [(0, 0), (-1, 0), (10, -1)])
def test_resamples_out_of_bounds_are_refused(n_resamples: int, seed: int) -> None:
    with pytest.raises(ConfigError, match=f"n_resamples = {n_resamples} and seed = {seed}"):
        estimate(table(), n_resamples=n_resamples, seed=seed)


def test_the_table_is_aligned_and_tells_all() -> None:
    summary = {
        "recall@20": module.Estimate(0.34764, 0.0081, 0.33182, 0.36371),
        "ndcg@100": module.Estimate(0.4161, 0.0074, 0.402, 0.4302),
    }
    full = report(summary=summary, without_targets=3, unknown_targets=1_200, n_resamples=1_000, fingerprint="0a1b")
    assert str(full).splitlines() == [
        "recall@20  0.3476 ± 0.0081  [0.3318, 0.3637]",
        "ndcg@100   0.4161 ± 0.0074  [0.4020, 0.4302]",
        "mean ± standard error [95 % bootstrap interval] over 80 users, 1,000 resamples",
        "recall@k = hits / min(k, number of targets)",
        "ndcg@k = discounted gain of the hits, 1 / log2(rank + 1), / that of the best possible list",
        "left out: 3 users without targets",
        "left out: 1,200 targets whose items are not in the training data",
        "split 0a1b",
    ]


def test_the_table_says_which_recall_it_shows() -> None:
    two_recalls = table().rename(columns={"ndcg@100": "recall_all@20"})
    assert "recall@k = hits / min(k, number of targets)" in str(report(two_recalls))
    assert "recall_all@k = hits / number of targets" in str(report(two_recalls))
    assert "recall" not in str(report(table()[["ndcg@100"]]))


def test_the_table_says_when_the_seen_were_allowed() -> None:
    assert "recommendations may include items of the history" in str(report(exclude_seen=False))
    assert "items of the history" not in str(report())


def test_json_holds_what_the_report_knows() -> None:
    full = report(without_targets=3, unknown_targets=2, fingerprint="0a1b")
    read = json.loads(full.to_json())
    assert read == full.as_dict()
    assert read["metrics"]["recall@20"]["mean"] == full.mean["recall@20"]
    assert (read["users"], read["users_without_targets"], read["unknown_targets"]) == (80, 3, 2)
    assert (read["fingerprint"], read["interval"]["level"], read["interval"]["resamples"]) == ("0a1b", 0.95, 200)


def test_json_says_null_where_there_is_no_number() -> None:
    read = json.loads(report(table(n=1)).to_json(), parse_constant=lambda constant: pytest.fail(f"holds {constant}"))
    assert read["metrics"]["ndcg@100"]["standard_error"] is None
    assert read["metrics"]["ndcg@100"]["low"] is None


def test_the_frame_has_a_row_for_each_metric() -> None:
    frame = report().to_frame()
    assert frame.index.tolist() == ["recall@20", "ndcg@100"]
    assert frame.columns.tolist() == ["mean", "standard_error", "low", "high"]
    assert frame.loc["ndcg@100", "mean"] == report().mean["ndcg@100"]
