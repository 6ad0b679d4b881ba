"""Users of a holdout who are evaluated, and the report of their metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.data.splits.holdout import Holdout
from recsys_ae.errors import Argument, ConfigError, DataError
from recsys_ae.evaluation.estimate import estimate
from recsys_ae.evaluation.list_counts import ListCounts
from recsys_ae.evaluation.report import Report
from recsys_ae.metrics import DEFAULT, parse


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Users with targets of a holdout, and the metrics that are computed for them.

    Attributes
    ----------
    users
        The rows of the holdout with targets.
    metrics
        Names of the metrics.
    k
        Length of the lists: the largest cut-off, at most the number of items; 0 for metrics of ratings only.
    without_targets
        Number of users without targets, who are left out.
    """

    users: Holdout
    metrics: tuple[str, ...]
    k: int
    without_targets: int

    @classmethod
    def of(cls, holdout: Holdout, metrics: Sequence[str]) -> "Evaluated":
        """Check the metrics and the holdout, and select its users with targets.

        Raises
        ------
        ConfigError
            If a metric is unknown.
        DataError
            If no user has a target.
        """
        if isinstance(metrics, str) or not metrics:
            raise ConfigError(
                Argument("metrics", metrics), f" must be a list of at least one metric, such as {list(DEFAULT)}"
            )
        if not isinstance(holdout, Holdout):
            raise DataError(f"holdout must be a Holdout such as split.test, not {type(holdout).__name__}")
        k = min(max(parse(name).k for name in metrics), holdout.targets.shape[1])
        rows = np.flatnonzero(np.diff(holdout.targets.indptr))
        n_users = len(holdout.users)
        if len(rows) == 0:
            raise DataError(f"none of the {n_users:,} users of the holdout has a target; hold out more interactions")
        users = holdout if len(rows) == n_users else holdout.select(rows)
        return cls(users, tuple(metrics), k, n_users - len(rows))

    def report(
        self,
        measured: Mapping[str, np.ndarray],
        *,
        exclude_seen: bool,
        n_resamples: int,
        seed: int,
        fingerprint: str | None = None,
        ratings: "pd.Series[Any] | None" = None,
        lists: ListCounts | None = None,
        overall: Mapping[str, float] | None = None,
    ) -> Report:
        """Return the report of the values ``(n_users,)`` of each metric, and of those of all lists together."""
        together = overall or {}
        names = [name for name in self.metrics if name not in together]
        values = pd.DataFrame({name: measured[name] for name in names}, index=self.users.users)
        return Report(
            values,
            estimate(values, n_resamples=n_resamples, seed=seed, ratings=ratings),
            without_targets=self.without_targets,
            unknown_targets=self.users.unknown,
            exclude_seen=exclude_seen,
            n_resamples=n_resamples,
            fingerprint=fingerprint or self.users.fingerprint,
            ratings=ratings,
            lists=lists,
            overall=together,
        )
