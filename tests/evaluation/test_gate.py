"""Gate for retraining: each verdict with its reason, at its limits."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.errors import ConfigError
from recsys_ae.evaluation import Report, compare, gate
from recsys_ae.evaluation.estimate import estimate

N = 300
BASE = np.random.default_rng(0).random(N) / 2


def report(gain: float = 0.0, noise: float = 0.0, n: int = N, name: str = "ndcg@10", **changes: object) -> Report:
    values = pd.DataFrame({name: BASE[:n] + gain + np.random.default_rng(1).normal(0, noise, n)})
    if name == "rmse":
        changes["ratings"] = pd.Series(np.full(n, 4))
    summary = estimate(values, n_resamples=20, seed=0, ratings=changes.get("ratings"))  # type: ignore[arg-type]
    fields = {"without_targets": 0, "unknown_targets": 0, "exclude_seen": True, "n_resamples": 20, **changes}
    return Report(values, summary, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gain", "noise", "outcome"),
    [
        (0.0, 0.0, "promoted"),
        (0.01, 0.01, "promoted"),
        (-0.001, 0.0, "promoted"),
        (-0.002, 0.0, "promoted"),  # the limit itself
        (-0.0021, 0.0, "rejected"),
        (0.01, 0.5, "rejected"),  # too uncertain
        (0.1, 0.0, "promoted"),  # the limit itself
        (0.1001, 0.0, "suspicious"),
        (0.5, 3.0, "suspicious"),  # too uncertain as well, but the gain comes first
    ],
)
def test_the_interval_and_the_gain_decide(gain: float, noise: float, outcome: str) -> None:
    verdict = gate(report(gain, noise), report(), "ndcg@10")
    assert verdict.outcome == outcome
    assert verdict.promoted == (outcome == "promoted")
    assert str(verdict) == f"{outcome}: {verdict.reason}"
    assert "\n" not in str(verdict)


@settings(deadline=None, max_examples=40)
@given(gain=st.floats(-0.05, 0.15), noise=st.floats(0, 0.2), tolerance=st.floats(0, 0.1), most=st.floats(0.001, 0.2))
def test_the_rules_are_those_of_the_docstring(gain: float, noise: float, tolerance: float, most: float) -> None:
    candidate, current = report(gain, noise), report()
    verdict = gate(candidate, current, "ndcg@10", tolerance=tolerance, max_gain=most)
    difference = compare(candidate, current).summary["ndcg@10"]
    assert verdict.gain == difference
    if difference.mean > most + 1e-9:
        assert verdict.outcome == "suspicious"
    elif difference.mean < most - 1e-9 and difference.low > -tolerance + 1e-9:
        assert verdict.outcome == "promoted"
    elif difference.mean < most - 1e-9 and difference.low < -tolerance - 1e-9:
        assert verdict.outcome == "rejected"


def test_a_smaller_error_is_a_gain() -> None:
    better, worse = report(-0.05, 0.01, name="rmse"), report(name="rmse")
    verdict = gate(better, worse, "rmse")
    assert verdict.outcome == "promoted"
    assert verdict.gain is not None
    difference = compare(better, worse).summary["rmse"]
    assert difference.mean < 0
    assert (verdict.gain.mean, verdict.gain.low, verdict.gain.high) == (
        -difference.mean,
        -difference.high,
        -difference.low,
    )
    assert gate(worse, better, "rmse").outcome == "rejected"
    assert gate(report(-0.2, name="rmse"), worse, "rmse").outcome == "suspicious"


def test_too_few_users_are_ungated_whatever_the_gain() -> None:
    verdict = gate(report(0.3, n=199), report(n=199), "ndcg@10")
    assert (verdict.outcome, verdict.n_users) == ("ungated", 199)
    assert verdict.reason == "199 users are too few; expected at least 200"
    assert gate(report(0.05, n=200), report(n=200), "ndcg@10").outcome == "promoted"
    assert gate(report(0.05, n=2), report(n=2), "ndcg@10", min_users=2).outcome == "promoted"
    assert gate(report(n=1), report(n=1), "ndcg@10", min_users=2).outcome == "ungated"


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        (report(fingerprint="bb"), "different splits, bb and aa"),
        (report(n=250), "share 250 users"),
        (report(name="recall@5"), "the report of the candidate has no ndcg@10, only recall@5"),
        (report(exclude_seen=False), "exclude_seen"),
    ],
)
def test_reports_that_cannot_be_compared_are_ungated(candidate: Report, said: str) -> None:
    verdict = gate(candidate, report(fingerprint="aa"), "ndcg@10")
    assert verdict.outcome == "ungated"
    assert said in verdict.reason
    assert (verdict.gain, verdict.n_users) == (None, None)
    assert json.loads(verdict.to_json())["gain"] is None


def test_a_metric_that_the_current_report_lacks_is_named() -> None:
    verdict = gate(report(), report(name="recall@5"), "ndcg@10")
    assert verdict.reason == "the report of the current model has no ndcg@10, only recall@5"


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"tolerance": -0.1}, "tolerance = -0.1: expected a number from 0 on"),
        ({"tolerance": math.nan}, "tolerance = nan"),
        ({"tolerance": math.inf}, "tolerance = inf"),
        ({"max_gain": 0.0}, "max_gain = 0.0: expected a number above 0"),
        ({"max_gain": math.nan}, "max_gain = nan"),
        ({"min_users": 1}, "min_users = 1: expected at least 2"),
        ({"n_resamples": 0}, "n_resamples = 0"),
    ],
)
def test_limits_out_of_bounds_are_refused(limits: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        gate(report(), report(), "ndcg@10", **limits)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="there is no metric"):
        gate(report(), report(), "ndgc@10")


def test_json_has_the_verdict_and_its_limits() -> None:
    content = json.loads(gate(report(0.01), report(), "ndcg@10", tolerance=0.01, max_gain=0.5).to_json())
    assert content["outcome"] == "promoted"
    assert (content["tolerance"], content["max_gain"], content["min_users"], content["users"]) == (0.01, 0.5, 200, N)
    assert content["gain"]["mean"] == pytest.approx(0.01)
    assert content["reason"] == "the gain in ndcg@10 is +0.0100 [+0.0100, +0.0100], and its lower end is at least -0.01"
