"""Evaluation report: metrics per user, and their means with intervals."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pandas as pd

from recsys_ae.evaluation.estimate import LEVEL, Estimate, explained, table, to_frame, together
from recsys_ae.evaluation.list_counts import ListCounts
from recsys_ae.metrics import DEFINITIONS, parse


@dataclass(frozen=True, eq=False)
class Report:
    """Metrics of one model on one holdout. ``print(report)`` shows them as a table.

    Attributes
    ----------
    values
        Metrics of each user with targets, ``(n_users, n_metrics)``, indexed by user ids. Rmse and mae are the errors of
        the user's ratings. `compare` needs these values.
    summary
        Mean, standard error and 95 % interval of each metric. Rmse and mae are errors over all ratings, not means over
        users.
    without_targets
        Number of users without targets, who were left out.
    unknown_targets
        Number of targets that the holdout left out because their items are not in the training data.
    exclude_seen
        True if the items of the history were excluded from the lists.
    n_resamples
        Number of bootstrap resamples of the users behind the intervals.
    fingerprint
        Fingerprint of the split, if known. Only reports with equal fingerprints are comparable.
    ratings
        Number of predicted ratings of each user, ``(n_users,)``, indexed as ``values``; None without rmse and mae.
    lists
        Counts of what was noticed in the lists of another system (`evaluate_lists`); None for models.
    overall
        Metrics of the lists of all users together (coverage, gini). They have no interval, because they depend on the
        number of users.
    """

    values: pd.DataFrame
    summary: Mapping[str, Estimate]
    without_targets: int
    unknown_targets: int
    exclude_seen: bool
    n_resamples: int
    fingerprint: str | None = None
    ratings: "pd.Series[Any] | None" = None
    lists: ListCounts | None = None
    overall: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def n_users(self) -> int:
        """Number of users with targets."""
        return len(self.values)

    @property
    def mean(self) -> dict[str, float]:
        """Mean of each metric over users; for rmse and mae the error over all ratings."""
        return {name: numbers.mean for name, numbers in self.summary.items()}

    @property
    def n_ratings(self) -> int | None:
        """Number of predicted ratings; None without rmse and mae."""
        return None if self.ratings is None else int(self.ratings.sum())

    def as_dict(self) -> dict[str, Any]:
        """Return the report without the values of each user, as JSON values."""
        return {
            "metrics": {name: numbers.as_dict() for name, numbers in self.summary.items()},
            **({"overall": dict(self.overall)} if self.overall else {}),
            "users": self.n_users,
            "ratings": self.n_ratings,
            "users_without_targets": self.without_targets,
            "unknown_targets": self.unknown_targets,
            "exclude_seen": self.exclude_seen,
            "interval": {"method": "percentile bootstrap", "level": LEVEL, "resamples": self.n_resamples},
            "fingerprint": self.fingerprint,
            **({} if self.lists is None else {"lists": self.lists.as_dict()}),
        }

    def to_json(self) -> str:
        """Return `as_dict` as indented JSON text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row per metric: mean, standard_error, low, high."""
        return to_frame(self.summary)

    def __str__(self) -> str:
        lines = table(self.summary)
        lines += explained(self.summary, self.n_users, self.n_resamples, self.n_ratings) if self.summary else []
        lines += together(self.overall, self.n_users)
        kinds = {parse(name).kind for name in (*self.summary, *self.overall)}
        lines += [text for kind, text in DEFINITIONS.items() if kind in kinds]
        if self.without_targets:
            lines.append(f"left out: {self.without_targets:,} users without targets")
        if self.unknown_targets:
            lines.append(f"left out: {self.unknown_targets:,} targets whose items are not in the training data")
        if self.lists is not None:
            lines += self.lists.lines()
        if not self.exclude_seen:
            lines.append("recommendations may include items of the history")
        if self.fingerprint is not None:
            lines.append(f"split {self.fingerprint}")
        return "\n".join(lines)
