"""Metrics of the lists of all users together."""

from collections.abc import Sequence

import numpy as np

from recsys_ae.errors import ConfigError
from recsys_ae.metrics.names import is_overall, parse


def overall(top: np.ndarray, n_items: int, metrics: Sequence[str]) -> dict[str, float]:
    """Compute metrics of all lists together.

    Parameters
    ----------
    top
        Item positions ``(n, k)``, and -1 where a list ends early.
    n_items
        Number of items that could be recommended.
    metrics
        Names: ``"coverage@k"`` and ``"gini@k"``. Both depend on the number of users.

    Raises
    ------
    ConfigError
        If a metric is unknown, or has a value for each user.
    """
    values = {}
    for name in metrics:
        if not is_overall(name):
            raise ConfigError(f"metric {name!r} has a value for each user; compute it with per_user")
        metric = parse(name)
        listed = top[:, : metric.k]
        counts = np.bincount(listed[listed >= 0], minlength=n_items)
        values[name] = _coverage(counts) if metric.kind == "coverage" else _gini(counts)
    return values


def _coverage(counts: np.ndarray) -> float:
    """Return the share of items that are in a list (Ge et al. 2010)."""
    return float(np.count_nonzero(counts) / max(1, len(counts)))


def _gini(counts: np.ndarray) -> float:
    """Return sum over j of (2j - n - 1) p_j / (n - 1), with the shares of places p_j in ascending order."""
    n, places = len(counts), counts.sum()
    if n < 2 or places == 0:
        return 0.0
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float((weights * np.sort(counts)).sum() / places / (n - 1))
