"""Paired comparison of two models: differences per user, in which the difficulty of the users cancels out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.data.id_matching import match
from recsys_ae.errors import Argument, DataError
from recsys_ae.evaluation.estimate import Estimate, estimate, explained, table, to_frame
from recsys_ae.evaluation.report import Report
from recsys_ae.metrics import smaller_is_better


@dataclass(frozen=True, eq=False)
class Comparison:
    """Difference of two models, first minus second, for each metric.

    If an interval does not contain 0, one of the models is better. The differences are those of the reports: of means
    over users, and for rmse and mae of errors over all ratings.

    Attributes
    ----------
    summary
        Difference, standard error and 95 % bootstrap interval of each metric.
    n_users
        Number of users.
    n_resamples
        Number of bootstrap resamples of the users.
    n_ratings
        Number of ratings; None without rmse and mae.
    """

    summary: Mapping[str, Estimate]
    n_users: int
    n_resamples: int
    n_ratings: int | None = None

    def as_dict(self) -> dict[str, dict[str, float | None]]:
        """Return the numbers of each metric as JSON values."""
        return {name: difference.as_dict() for name, difference in self.summary.items()}

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row per metric: mean, standard_error, low, high of the difference."""
        return to_frame(self.summary)

    def __str__(self) -> str:
        lines = table(self.summary, signed=True)
        for line in explained(self.summary, self.n_users, self.n_resamples, self.n_ratings):
            lines.append(f"paired difference: {line}")
        errors = [name for name in self.summary if smaller_is_better(name)]
        if errors:
            names = ", ".join(errors)
            lines.append(f"{names}: smaller is better; a difference below 0 means that the first model is better")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Pair:
    """Values of two models for the same users and metrics, ``(n_users, n_metrics)`` each, in the same order.

    ``ratings`` holds the number of ratings of each user; None without rmse and mae.
    """

    values: pd.DataFrame
    minus: pd.DataFrame
    ratings: "pd.Series[Any] | None"

    @classmethod
    def of(cls, first: Report, second: Report) -> "Pair":
        """Match the users and the metrics of two reports; raise a `DataError` if the reports are not comparable."""
        if None not in (first.fingerprint, second.fingerprint) and first.fingerprint != second.fingerprint:
            raise DataError(
                f"the reports are of different splits, {first.fingerprint} and {second.fingerprint}; "
                "evaluate both models on the same split"
            )
        values, other_values = first.values, second.values  # noqa: PD011  attributes of reports
        common = match(other_values.index, values.index)
        if (common < 0).any() or first.n_users != second.n_users:
            raise DataError(
                f"the reports share {int((common >= 0).sum()):,} users, but hold {first.n_users:,} and "
                f"{second.n_users:,}; evaluate both models on the same users"
            )
        metrics = [str(name) for name in values if name in other_values]
        if not metrics:
            raise DataError(
                f"the reports share no metric: {', '.join(first.summary)} and {', '.join(second.summary)}; "
                "evaluate both models with the same metrics"
            )
        _refuse_other_lists(first, second, metrics)
        _refuse_other_ratings(first, second, metrics, common)
        return cls(values[metrics], other_values[metrics].iloc[common], first.ratings)


def compare(first: Report, second: Report, *, n_resamples: int = 1000, seed: int = 0) -> Comparison:
    """Compare two models on the same users by the metrics that both reports contain.

    The bootstrap is paired: each resample takes the values of both models, and all ratings, of the drawn users.

    Parameters
    ----------
    first, second
        Reports of `evaluate` on the same holdout; the order of the users may differ.
    n_resamples
        Number of bootstrap resamples of the users.
    seed
        Random seed of the resamples.

    Returns
    -------
    Comparison
        The differences, first minus second.

    Raises
    ------
    DataError
        If the reports are of different splits or users, share no metric, have different ratings, or only one of them
        excludes the items of the histories.
    ConfigError
        If ``n_resamples`` is below 1, or ``seed`` below 0.
    """
    pair = Pair.of(first, second)
    summary = estimate(pair.values, n_resamples=n_resamples, seed=seed, ratings=pair.ratings, minus=pair.minus)
    return Comparison(summary, first.n_users, n_resamples, first.n_ratings)


def _refuse_other_lists(first: Report, second: Report, metrics: Sequence[str]) -> None:
    """Raise a `DataError` if only one of two reports excludes the items of the histories from the lists."""
    if first.exclude_seen != second.exclude_seen and not all(map(smaller_is_better, metrics)):
        raise DataError(
            "one report excludes the items of the history from the lists, the other does not; evaluate both models "
            "with the same ",
            Argument("exclude_seen"),
        )


def _refuse_other_ratings(first: Report, second: Report, metrics: Sequence[str], positions: np.ndarray) -> None:
    """Raise a `DataError` if errors are compared and users have different numbers of ratings in the reports."""
    if first.ratings is None or second.ratings is None or not any(map(smaller_is_better, metrics)):
        return
    n_differing = int(np.count_nonzero(first.ratings.to_numpy() != second.ratings.to_numpy()[positions]))
    if n_differing:
        raise DataError(
            f"{n_differing:,} of {first.n_users:,} users have more ratings in one report than in the other; "
            "evaluate both models on the same ratings"
        )
