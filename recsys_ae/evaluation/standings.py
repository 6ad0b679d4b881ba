"""Leaderboard as a result: the standing of each model, as text, table and JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pandas as pd

from recsys_ae.evaluation.estimate import LEVEL, Estimate
from recsys_ae.evaluation.paired_tests import Difference
from recsys_ae.metrics import DEFINITIONS, parse, smaller_is_better
from recsys_ae.spec.text_table import RIGHT, aligned

TESTS = ("difference", "95 % interval", "p boot.", "p Wilc.", "effect", "better", "worse")
"""Columns of the comparison with the baseline."""


@dataclass(frozen=True, eq=False)
class Standing:
    """One model of a leaderboard.

    Attributes
    ----------
    name
        Name of the model.
    summary
        Mean, standard error and 95 % interval of each metric, as in its report.
    differences
        Paired difference from the baseline in each metric; empty for the baseline.
    details
        What else is known of the model, such as its kind or its seconds: JSON values by name.
    overall
        Metrics of the lists of all users together.
    """

    name: str
    summary: Mapping[str, Estimate]
    differences: Mapping[str, Difference]
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    overall: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        return {
            "name": self.name,
            **({"details": dict(self.details)} if self.details else {}),
            "metrics": {name: numbers.as_dict() for name, numbers in self.summary.items()},
            **({"overall": dict(self.overall)} if self.overall else {}),
            "differences": {name: difference.as_dict() for name, difference in self.differences.items()},
        }


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """Models on the same users, the best by the first metric first. ``print(leaderboard)`` shows a table per metric.

    Attributes
    ----------
    standings
        The models, in order.
    baseline
        Name of the model that the others are compared with.
    baseline_is_best
        True if no baseline was named, so that it is the model that is best on the same users.
    n_users, n_ratings
        Number of users, and of ratings; None without rmse and mae.
    n_resamples
        Number of bootstrap resamples of the users.
    fingerprint
        Fingerprint of the split, if known.
    """

    standings: Sequence[Standing]
    baseline: str
    baseline_is_best: bool
    n_users: int
    n_resamples: int
    n_ratings: int | None = None
    fingerprint: str | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics; the first one decides the order."""
        return tuple(self.standings[0].summary)

    @property
    def best(self) -> Standing:
        """The model that is best by the first metric."""
        return self.standings[0]

    def as_dict(self) -> dict[str, Any]:
        """Return all numbers as JSON values; None for NaN."""
        return {
            "models": [standing.as_dict() for standing in self.standings],
            "baseline": self.baseline,
            "baseline_is_best": self.baseline_is_best,
            "users": self.n_users,
            "ratings": self.n_ratings,
            "interval": {"method": "paired percentile bootstrap", "level": LEVEL, "resamples": self.n_resamples},
            "adjustment": {"method": "Holm", "comparisons": len(self.standings) - 1},
            "fingerprint": self.fingerprint,
        }

    def to_json(self) -> str:
        """Return `as_dict` as indented JSON text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row per model and metric, and NaN as the differences of the baseline.

        The index has the levels model and metric. The columns are those of `Report.to_frame`, then those of the
        difference with the prefix ``difference_`` for its estimate, then the details.
        """
        rows = {}
        for standing in self.standings:
            for metric, numbers in standing.summary.items():
                row = {**standing.details, **vars(numbers)}
                if metric in standing.differences:
                    difference = standing.differences[metric]
                    row |= {f"difference_{name}": value for name, value in vars(difference.estimate).items()}
                    row |= {name: value for name, value in vars(difference).items() if name != "estimate"}
                rows[standing.name, metric] = row
        index = pd.MultiIndex.from_tuples(list(rows), names=["model", "metric"])
        return pd.DataFrame(list(rows.values()), index=index)

    def table(self, metric: str) -> tuple[list[str], list[list[str]]]:
        """Return the headings and the cells of the table of a metric; headings of numbers begin with ``>``.

        The table of the first metric has the details, too.
        """
        details = self._details() if metric == self.metrics[0] else {}
        headers = ["model", *details, f"{RIGHT}{metric}", *(RIGHT + name for name in TESTS)]
        rows = []
        for position, standing in enumerate(self.standings):
            more = [column[position] for column in details.values()]
            tests = _cells(standing.differences.get(metric), is_baseline=standing.name == self.baseline)
            rows.append([standing.name, *more, _mean(standing.summary[metric]), *tests])
        return headers, rows

    def overall_table(self) -> tuple[list[str], list[list[str]]]:
        """Return the headings and cells of the table of metrics of all lists together; no rows without such metrics."""
        names = list(self.standings[0].overall)
        standings = self.standings if names else ()
        rows = [[standing.name, *(f"{standing.overall[name]:.4f}" for name in names)] for standing in standings]
        return ["model", *(RIGHT + name for name in names)], rows

    def _details(self) -> dict[str, list[str]]:
        """Return the cells of the columns of details by their headings, of which those of numbers begin with ``>``."""
        columns = {}
        for name in dict.fromkeys(name for standing in self.standings for name in standing.details):
            values = [standing.details.get(name) for standing in self.standings]
            is_number = all(value is None or isinstance(value, int | float) for value in values)
            columns[f"{RIGHT if is_number else ''}{name}"] = [_plain(value) for value in values]
        return columns

    def described(self) -> list[str]:
        """Return lines that explain the numbers of the tables."""
        lines = [
            f"{self.n_users:,} users; mean ± standard error; paired difference from {self.baseline} with its 95 % "
            f"bootstrap interval, {self.n_resamples:,} resamples"
        ]
        if self.n_users == 1:
            lines = [f"one user: no standard error and no interval; difference from {self.baseline}"]
        n = len(self.standings) - 1
        if n:
            lines.append(
                "p boot., p Wilc.: two-sided p-values of the paired bootstrap and of the Wilcoxon signed-rank test, "
                f"adjusted for {n:,} {'comparison' if n == 1 else 'comparisons'} (Holm)"
            )
            lines.append(
                "effect: mean gain of the users / its standard deviation, positive if the model is better than "
                f"{self.baseline}; better, worse: shares of users"
            )
        if n and self.baseline_is_best:
            lines.append(f"{self.baseline} was selected by the same users, so its lead is slightly optimistic")
        errors = ", ".join(filter(smaller_is_better, self.metrics))
        if errors:
            lines.append(
                f"{errors} of all {self.n_ratings:,} ratings; smaller is better; the Wilcoxon test, effect and shares "
                "are of each user's own errors"
            )
        kinds = {parse(name).kind for name in (*self.metrics, *self.standings[0].overall)}
        lines += [text for kind, text in DEFINITIONS.items() if kind in kinds]
        return [*lines, *([f"split {self.fingerprint}"] if self.fingerprint is not None else [])]

    def __str__(self) -> str:
        blocks = ["\n".join(aligned(*self.table(metric))) for metric in self.metrics]
        if self.overall_table()[1]:
            blocks.append("\n".join(aligned(*self.overall_table())))
        return "\n\n".join([*blocks, "\n".join(self.described())])


def _cells(difference: Difference | None, *, is_baseline: bool) -> list[str]:
    """Return the cells of the columns `TESTS`."""
    if difference is None:
        return ["baseline" if is_baseline else "", *[""] * (len(TESTS) - 1)]
    numbers = difference.estimate
    interval = "" if math.isnan(numbers.low) else f"[{numbers.low:+.4f}, {numbers.high:+.4f}]"
    effect = "" if math.isnan(difference.standardized) else f"{difference.standardized:+.2f}"
    p_values = [_p(p) for p in (difference.p_bootstrap_holm, difference.p_wilcoxon_holm)]
    shares = [f"{share:.0%}" for share in (difference.better, difference.worse)]
    return [f"{numbers.mean:+.4f}", interval, *p_values, effect, *shares]


def _mean(numbers: Estimate) -> str:
    error = "" if math.isnan(numbers.standard_error) else f" ± {numbers.standard_error:.4f}"
    return f"{numbers.mean:.4f}{error}"


def _p(value: float) -> str:
    if math.isnan(value):
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _plain(value: Any) -> str:
    """Return a detail as a cell."""
    if value is None:
        return ""
    return f"{value:,.4g}" if isinstance(value, float) else f"{value}"
