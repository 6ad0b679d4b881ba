"""Standard errors and bootstrap intervals of metrics over users and of errors over ratings."""

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from recsys_ae.errors import Argument, ConfigError, DataError
from recsys_ae.metrics import smaller_is_better

LEVEL = 0.95
BATCH = 2**22
"""Resampled numbers in memory at a time: 32 MiB."""


@dataclass(frozen=True)
class Estimate:
    """Estimate of a metric or of a difference.

    Attributes
    ----------
    mean
        Mean over users; for rmse and mae the error over all ratings. In a comparison, the difference of these.
    standard_error
        Standard error of ``mean``; NaN with a single user.
    low, high
        Ends of the 95 % bootstrap interval; NaN with a single user.
    """

    mean: float
    standard_error: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """Return the numbers by name, as JSON values; None for NaN."""
        return {name: None if math.isnan(value) else value for name, value in vars(self).items()}


@dataclass(frozen=True, eq=False)
class _Statistic:
    """Statistic of a group of users, computed from arrays ``(n_users,)``.

    For a metric of lists it is the mean of ``own``, without users for whom it is NaN. For an error, ``own`` holds sums
    over each user's ratings: they are added and divided by the number of ``ratings``, with a square root for rmse
    (``root``). If ``other`` holds the sums of a second model, the statistic is the difference.
    """

    root: bool
    own: np.ndarray
    other: np.ndarray | None = None
    ratings: np.ndarray | None = None

    def of(self, users: np.ndarray) -> np.ndarray:
        """Return the statistic of each row of user positions ``(..., n)``."""
        if self.ratings is None:
            return _mean(self.own[users])
        counts = self.ratings[users].sum(axis=-1)
        errors = [sums[users].sum(axis=-1) / counts for sums in (self.own, self.other) if sums is not None]
        errors = [np.sqrt(error) for error in errors] if self.root else errors
        return np.asarray(errors[0] - errors[1] if len(errors) > 1 else errors[0])


def estimate(
    values: pd.DataFrame,
    *,
    n_resamples: int,
    seed: int,
    ratings: "pd.Series[Any] | None" = None,
    minus: pd.DataFrame | None = None,
) -> dict[str, Estimate]:
    """Estimate each metric over all users, with the same resamples of users for all metrics.

    Intervals are percentile bootstrap intervals (Efron and Tibshirani 1993, chapter 13). The standard error of rmse and
    mae is that of the bootstrap: users are drawn with all their ratings, because ratings of a user are correlated, and
    each resample computes the error over all drawn ratings. For other metrics it is that of the mean over users.

    Parameters
    ----------
    values
        ``(n_users, n_metrics)``, a column per metric.
    n_resamples, seed
        Number of resamples, and their random seed.
    ratings
        Number of ratings behind each user's rmse and mae.
    minus
        Values of a second model for the same users. Then the differences of means and pooled errors are estimated.
    """
    return resampled(values, n_resamples=n_resamples, seed=seed, ratings=ratings, minus=minus)[0]


def resampled(
    values: pd.DataFrame,
    *,
    n_resamples: int,
    seed: int,
    ratings: "pd.Series[Any] | None" = None,
    minus: pd.DataFrame | None = None,
) -> tuple[dict[str, Estimate], np.ndarray]:
    """Return what `estimate` returns, and the resampled values behind the intervals.

    The values are ``(n_metrics, n_resamples)``; ``(n_metrics, 0)`` for a single user.
    """
    if n_resamples < 1 or seed < 0:
        resamples = Argument("n_resamples", n_resamples)
        raise ConfigError(resamples, " and ", Argument("seed", seed), ": expected at least 1 and at least 0")
    names, n_users = [str(name) for name in values], len(values)
    if not names:
        return {}, np.empty((0, 0))
    statistics = list(_statistics(values, ratings, minus))
    means = [float(statistic.of(np.arange(n_users))) for statistic in statistics]
    if n_users == 1:
        single = {name: Estimate(mean, *3 * [math.nan]) for name, mean in zip(names, means, strict=True)}
        return single, np.empty((len(names), 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # resamples without users who have a value
        bootstrap = stats.bootstrap(
            (np.arange(n_users),),
            lambda users, axis: np.stack([one.of(users) for one in statistics]),  # noqa: ARG005  always the last
            n_resamples=n_resamples,
            batch=max(1, BATCH // values.size),
            vectorized=True,
            confidence_level=LEVEL,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    errors = [
        _standard_error(statistic.own) if statistic.ratings is None else resampled
        for statistic, resampled in zip(statistics, bootstrap.standard_error, strict=True)
    ]
    drawn = np.asarray(bootstrap.bootstrap_distribution)
    ends = np.column_stack(bootstrap.confidence_interval)
    for row in np.flatnonzero(np.isnan(ends).any(axis=1)):
        ends[row] = _interval(drawn[row])
    numbers = np.column_stack([means, errors, ends]).tolist()
    estimates = {name: Estimate(*row) for name, row in zip(names, numbers, strict=True)}
    return estimates, drawn


def _interval(drawn: np.ndarray) -> tuple[float, float]:
    """Return the interval of the resamples that have a value; NaN if none has."""
    defined = drawn[~np.isnan(drawn)]
    if len(defined) == 0:
        return math.nan, math.nan
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis of all values but NaN; NaN if there is no other."""
    defined = ~np.isnan(values)
    if defined.all():
        return np.asarray(values.mean(axis=-1))
    with np.errstate(invalid="ignore"):  # 0 / 0
        return np.asarray(np.where(defined, values, 0.0).sum(axis=-1) / defined.sum(axis=-1))


def _standard_error(values: np.ndarray) -> float:
    """Return the standard error of the mean of all values but NaN; NaN with fewer than two."""
    defined = values[~np.isnan(values)]
    return float(defined.std(ddof=1) / math.sqrt(len(defined))) if len(defined) > 1 else math.nan


def _statistics(
    values: pd.DataFrame, ratings: "pd.Series[Any] | None", minus: pd.DataFrame | None
) -> Iterator[_Statistic]:
    for name in values:
        model_values = values[name].to_numpy(dtype=np.float64)
        minus_values = None if minus is None else minus[name].to_numpy(dtype=np.float64)
        if not smaller_is_better(str(name)):
            yield _Statistic(False, model_values if minus_values is None else model_values - minus_values)
            continue
        if ratings is None:
            raise DataError(
                f"{name} needs the number of ratings of each user, which the report does not hold; evaluate again"
            )
        root, counts = name == "rmse", ratings.to_numpy(dtype=np.int64)
        power = 2 if root else 1
        yield _Statistic(
            root, model_values**power * counts, None if minus_values is None else minus_values**power * counts, counts
        )


def to_frame(summary: Mapping[str, Estimate]) -> pd.DataFrame:
    """Return a table with a row per metric: mean, standard_error, low, high."""
    rows = {name: vars(numbers) for name, numbers in summary.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")


def table(summary: Mapping[str, Estimate], *, signed: bool = False) -> list[str]:
    """Return aligned lines of text: metric, mean ± standard error, [interval]."""
    sign = "+" if signed else ""
    width = max(map(len, summary), default=0)
    lines = []
    for name, numbers in summary.items():
        line = f"{name:<{width}}  {numbers.mean:{sign}.4f}"
        if not math.isnan(numbers.standard_error):
            line += f" ± {numbers.standard_error:.4f}  [{numbers.low:{sign}.4f}, {numbers.high:{sign}.4f}]"
        lines.append(line)
    return lines


def together(overall: Mapping[str, float], n_users: int) -> list[str]:
    """Return lines with metrics of all lists together."""
    width = max(map(len, overall), default=0)
    lines = [f"{name:<{width}}  {value:.4f}" for name, value in overall.items()]
    return [*lines, f"of the lists of all {n_users:,} users together; it depends on their number"] if lines else []


def explained(names: Iterable[str], n_users: int, n_resamples: int, n_ratings: int | None) -> list[str]:
    """Return lines that explain the numbers of a table, for metrics of lists and for errors of ratings."""
    if n_users == 1:
        return ["one user: no standard error and no interval"]
    errors = [name for name in names if smaller_is_better(name)]
    lines = []
    if len(errors) < len(list(names)):
        lines.append(
            f"mean ± standard error [95 % bootstrap interval] over {n_users:,} users, {n_resamples:,} resamples"
        )
    if errors:
        lines.append(
            f"{', '.join(errors)} of all {n_ratings:,} ratings ± standard error [95 % bootstrap interval] from "
            f"{n_resamples:,} resamples of the {n_users:,} users, each with all their ratings"
        )
    return lines
