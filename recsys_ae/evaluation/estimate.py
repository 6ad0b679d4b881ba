"""Means over users, and how far they can be trusted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from recsys_ae.errors import ConfigError

LEVEL = 0.95
BATCH = 2**22
"""Resampled numbers held at a time: 32 MiB."""


@dataclass(frozen=True)
class Estimate:
    """A mean over users, its standard error, and the ends of its 95 % bootstrap interval; NaN with a single user."""

    mean: float
    standard_error: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """Return the numbers by name, None for NaN, which JSON does not know."""
        return {name: None if math.isnan(value) else value for name, value in vars(self).items()}


def estimate(values: pd.DataFrame, *, n_resamples: int, seed: int) -> dict[str, Estimate]:
    """Estimate the mean of each column of ``(n_users, n_metrics)``, all from the same resamples of the users.

    The interval is the percentile bootstrap's (Efron and Tibshirani 1993, chapter 13).
    """
    if n_resamples < 1 or seed < 0:
        raise ConfigError(f"n_resamples = {n_resamples} and seed = {seed}: expected at least 1 and at least 0")
    samples = np.ascontiguousarray(values.to_numpy(dtype=np.float64).T)
    means = samples.mean(axis=1)
    names = [str(name) for name in values]
    if samples.shape[1] == 1:
        return {name: Estimate(float(mean), *3 * [math.nan]) for name, mean in zip(names, means, strict=True)}
    errors = samples.std(axis=1, ddof=1) / math.sqrt(samples.shape[1])
    interval = stats.bootstrap(
        (samples,),
        np.mean,
        n_resamples=n_resamples,
        batch=max(1, BATCH // samples.size),
        axis=1,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    numbers = np.column_stack([means, errors, interval.low, interval.high]).tolist()
    return {name: Estimate(*row) for name, row in zip(names, numbers, strict=True)}


def table(summary: Mapping[str, Estimate], *, signed: bool = False) -> list[str]:
    """Return aligned lines of text: metric, mean ± standard error [interval]."""
    sign = "+" if signed else ""
    width = max(map(len, summary))
    lines = []
    for name, one in summary.items():
        line = f"{name:<{width}}  {one.mean:{sign}.4f}"
        if not math.isnan(one.standard_error):
            line += f" ± {one.standard_error:.4f}  [{one.low:{sign}.4f}, {one.high:{sign}.4f}]"
        lines.append(line)
    return lines


def explained(n_users: int, n_resamples: int) -> str:
    """Say what the numbers of the table are."""
    if n_users == 1:
        return "one user: no standard error and no interval"
    return f"mean ± standard error [95 % bootstrap interval] over {n_users:,} users, {n_resamples:,} resamples"
