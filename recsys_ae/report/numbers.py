"""Numbers of a report: means with their intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """A mean over seeds, and half the width of its 95 % interval by Student's t; one seed has no interval."""

    mean: float
    half: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        """Return the mean of at least one value."""
        n = len(values)
        mean = float(np.mean(values))
        if n < 2:
            return cls(mean, None, n)
        half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n))
        return cls(mean, half, n)
