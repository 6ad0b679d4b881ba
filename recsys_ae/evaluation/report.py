"""What an evaluation found, user by user and on the whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from recsys_ae.evaluation.estimate import LEVEL, Estimate, explained, table, to_frame
from recsys_ae.metrics import parse

DEFINITIONS = {
    "recall": "recall@k = hits / min(k, number of targets)",
    "recall_all": "recall_all@k = hits / number of targets",
    "rmse": "rmse = root of the mean squared error of all predicted ratings; smaller is better",
    "mae": "mae = mean absolute error of all predicted ratings; smaller is better",
}


@dataclass(frozen=True, eq=False)
class Report:
    """The measures of one model on one holdout.

    Attributes
    ----------
    values
        ``(n_users, n_metrics)`` of the users with targets, indexed by their ids: what paired comparisons need. Under
        rmse and mae stands the error of the user's own ratings.
    summary
        Mean, standard error and interval of each metric; rmse and mae are over all ratings, not means of the users'.
    without_targets
        How many users were left out because they have no target.
    unknown_targets
        How many targets the holdout left out because no training user has touched their item.
    exclude_seen
        Whether the items of the history were kept out of the lists.
    n_resamples
        How many resamples of the users the intervals rest on.
    fingerprint
        That of the split, where it is known: only equal ones may be compared.
    ratings
        ``(n_users,)``, indexed as ``values``: how many ratings of each user were predicted; None without rmse and mae.
    """

    values: pd.DataFrame
    summary: Mapping[str, Estimate]
    without_targets: int
    unknown_targets: int
    exclude_seen: bool
    n_resamples: int
    fingerprint: str | None = None
    ratings: "pd.Series[Any] | None" = None

    @property
    def n_users(self) -> int:
        """How many users were measured."""
        return len(self.values)

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each metric over users; of rmse and mae the error over all ratings."""
        return {name: one.mean for name, one in self.summary.items()}

    @property
    def n_ratings(self) -> int | None:
        """How many ratings were predicted; None without rmse and mae."""
        return None if self.ratings is None else int(self.ratings.sum())

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the users' own values, in types that JSON knows."""
        return {
            "metrics": {name: one.as_dict() for name, one in self.summary.items()},
            "users": self.n_users,
            "ratings": self.n_ratings,
            "users_without_targets": self.without_targets,
            "unknown_targets": self.unknown_targets,
            "exclude_seen": self.exclude_seen,
            "interval": {"method": "percentile bootstrap", "level": LEVEL, "resamples": self.n_resamples},
            "fingerprint": self.fingerprint,
        }

    def to_json(self) -> str:
        """Return ``as_dict`` as indented text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per metric: mean, standard_error, low, high."""
        return to_frame(self.summary)

    def __str__(self) -> str:
        lines = [*table(self.summary), *explained(self.summary, self.n_users, self.n_resamples, self.n_ratings)]
        kinds = {parse(name).kind for name in self.summary}
        lines += [text for kind, text in DEFINITIONS.items() if kind in kinds]
        if self.without_targets:
            lines.append(f"left out: {self.without_targets:,} users without targets")
        if self.unknown_targets:
            lines.append(f"left out: {self.unknown_targets:,} targets whose items are not in the training data")
        if not self.exclude_seen:
            lines.append("recommendations may include items of the history")
        if self.fingerprint is not None:
            lines.append(f"split {self.fingerprint}")
        return "\n".join(lines)
