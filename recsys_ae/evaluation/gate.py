"""Gate for automatic retraining: verdict on a candidate that may replace the current model."""

import json
import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from recsys_ae.errors import Argument, ConfigError, DataError
from recsys_ae.evaluation.compare import compare
from recsys_ae.evaluation.estimate import LEVEL, Estimate
from recsys_ae.evaluation.report import Report
from recsys_ae.metrics import parse, smaller_is_better

Outcome: TypeAlias = Literal["promoted", "rejected", "suspicious", "ungated"]
ROUNDING = 1e-12
"""Rounding error of a difference, which decides nothing."""


@dataclass(frozen=True)
class Verdict:
    """Verdict on a candidate that may replace the current model; ``str`` is the verdict with its reason, in one line.

    Attributes
    ----------
    outcome
        ``"promoted"``, ``"rejected"``, ``"suspicious"`` or ``"ungated"``, see `gate`.
    reason
        Numbers behind the outcome.
    metric
        Name of the metric.
    gain
        Gain of the candidate over the current model with its 95 % interval: the paired difference, with the sign
        changed if smaller is better. None if they cannot be compared.
    n_users
        Number of users of both reports; None if they cannot be compared.
    tolerance, max_gain, min_users
        Limits, as for `gate`.
    """

    outcome: Outcome
    reason: str
    metric: str
    gain: Estimate | None
    n_users: int | None
    tolerance: float
    max_gain: float
    min_users: int

    @property
    def promoted(self) -> bool:
        """True if the candidate may replace the current model."""
        return self.outcome == "promoted"

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "metric": self.metric,
            "gain": None if self.gain is None else self.gain.as_dict(),
            "users": self.n_users,
            "level": LEVEL,
            "tolerance": self.tolerance,
            "max_gain": self.max_gain,
            "min_users": self.min_users,
        }

    def to_json(self) -> str:
        """Return `as_dict` as indented JSON text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)

    def __str__(self) -> str:
        return f"{self.outcome}: {self.reason}"


def gate(
    candidate: Report,
    current: Report,
    metric: str = "ndcg@100",
    *,
    tolerance: float = 0.002,
    max_gain: float = 0.1,
    min_users: int = 200,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Verdict:
    """Decide whether a candidate may replace the current model, by the paired difference of their reports.

    The gain is the candidate's metric minus that of the current model; for rmse and mae it is the error of the current
    model minus that of the candidate. The first of these rules that holds decides:

    - *ungated*: the reports cannot be compared (other splits, users or metrics), or fewer users than ``min_users``;
    - *suspicious*: the gain is larger than ``max_gain``, as by test users in the training data;
    - *promoted*: the lower end of the 95 % bootstrap interval of the gain is at least −``tolerance``, so that the
      candidate is not worse by more than the tolerance (a one-sided test of non-inferiority at 2.5 %);
    - *rejected*: otherwise.

    Parameters
    ----------
    candidate, current
        Reports on the same holdout.
    metric
        Name of a metric of both reports.
    tolerance
        Largest loss that is accepted, at least 0, in units of the metric.
    max_gain
        Largest gain that is believed, above 0, in units of the metric.
    min_users
        Smallest number of users for a verdict, at least 2: a single user has no interval.
    n_resamples, seed
        As for `compare`.

    Raises
    ------
    ConfigError
        If the metric is unknown or a limit is out of bounds.
    """
    metric = str(parse(metric))
    refuse_limits(tolerance, max_gain, min_users)

    def verdict(outcome: Outcome, reason: str, gain: Estimate | None = None, n_users: int | None = None) -> Verdict:
        return Verdict(outcome, reason, metric, gain, n_users, tolerance, max_gain, min_users)

    for name, report in (("candidate", candidate), ("current model", current)):
        if metric not in report.summary:
            return verdict("ungated", f"the report of the {name} has no {metric}, only {', '.join(report.summary)}")
    try:
        difference = compare(candidate, current, n_resamples=n_resamples, seed=seed)
    except DataError as error:
        return verdict("ungated", str(error))
    gain, n_users = _gain(metric, difference.summary[metric]), difference.n_users
    outcome, reason = _decided(metric, gain, n_users, tolerance, max_gain, min_users)
    return verdict(outcome, reason, gain, n_users)


def _decided(
    metric: str, gain: Estimate, n_users: int, tolerance: float, max_gain: float, min_users: int
) -> tuple[Outcome, str]:
    if n_users < min_users:
        return "ungated", f"{n_users:,} users are too few; expected at least {min_users:,}"
    if gain.mean > max_gain + ROUNDING:
        return "suspicious", (
            f"the gain in {metric}, {gain.mean:+.4f}, is larger than {max_gain:g}; check that the candidate was not "
            "trained on the evaluated users"
        )
    interval = f"{gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    if gain.low >= -tolerance - ROUNDING:
        return "promoted", f"the gain in {metric} is {interval}, and its lower end is at least {-tolerance:g}"
    return "rejected", f"the gain in {metric} is {interval}, and its lower end is below {-tolerance:g}"


def _gain(metric: str, difference: Estimate) -> Estimate:
    """Return a difference with the sign changed if smaller is better."""
    if not smaller_is_better(metric):
        return difference
    return Estimate(-difference.mean, difference.standard_error, -difference.high, -difference.low)


def refuse_limits(tolerance: float, max_gain: float, min_users: int) -> None:
    """Raise a `ConfigError` if a limit is out of bounds."""
    for name, value, is_valid, expected in (
        ("tolerance", tolerance, 0 <= tolerance < math.inf, "a number from 0 on"),
        ("max_gain", max_gain, 0 < max_gain < math.inf, "a number above 0"),
        ("min_users", min_users, min_users >= 2, "at least 2"),
    ):
        if not is_valid:
            raise ConfigError(Argument(name, value), f": expected {expected}")
