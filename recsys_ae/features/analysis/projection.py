"""How well codes keep the structure of the rows they stand for: neighbourhoods, distances and their order.

The library ZADU (Jeon et al. 2023; 0.5.4 was looked at) has these measures too, with the square root of both stresses,
but for 10,000 points it asks for 4.6 GB of memory, and needs numba and hdbscan; so they are computed here in blocks.
"""

import math

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.distances import Points, slices
from recsys_ae.features.analysis.rank_correlation import RankCorrelation

BYTES = 128
"""Bytes that a pair of points takes while its block is worked on."""
SAMPLE = 2**14
"""Pairs of points that tell how distances are spread."""


def quality(
    high: "np.ndarray | csr_matrix",
    low: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    k: int = 7,
    memory: int = 2**28,
) -> dict[str, float]:
    """Measure how codes ``low`` ``(n, latent)`` keep the structure of rows ``high`` ``(n, width)``, exactly.

    Returns
    -------
    dict
        ``trustworthiness`` and ``continuity`` with k neighbours (Venna and Kaski 2006), 1 is best; neighbours at equal
        distance count in the order of their rows. ``normalised_stress``: Σ (D − d)² / Σ D² over all pairs, without a
        root (Espadoto et al. 2019), 0 is best, and ``scale_normalised_stress``, the least that d times one factor
        reaches (Smelser et al. 2024). ``spearman``: the rank correlation ρ of D and d, and ``shepard``: (ρ + 1) / 2.
        With labels ``neighbourhood_hit``: the share of the k nearest codes, without the point itself, that have its
        label (Paulovich et al. 2008). NaN where all codes are alike and a measure is not defined.

    Parameters
    ----------
    memory
        Bytes to work in, beside both tables in float64. Where all pairs of points do not fit, 16 bytes for each of
        them lie in temporary files for a while: 0.8 GB for 10,000 points.
    """
    points, codes = Points.of(high, what="rows"), Points.of(low, what="codes")
    _check(len(points), len(codes), labels, k, memory)
    n = len(points)
    near, far = _Neighbourhoods(k, labels), _Stress()
    n_pairs = n * (n - 1) // 2
    with RankCorrelation(n_pairs, *_sampled(points, codes), memory // 2) as ranks:
        for part in slices(n, max(1, memory // 2 // (BYTES * n))):
            wide, narrow = points.squared(part), codes.squared(part)
            upper = np.arange(n) > np.arange(part.start, part.stop)[:, None]
            pairs = wide[upper], narrow[upper]
            ranks.add(*pairs)
            far.add(*map(np.sqrt, pairs))
            near.add(part.start, wide, narrow)
        rho = ranks.value()
    return near.values(n) | far.values() | {"shepard": (rho + 1) / 2, "spearman": rho}


def _check(n: int, n_codes: int, labels: np.ndarray | None, k: int, memory: int) -> None:
    if n_codes != n or (labels is not None and len(labels) != n):
        given = "" if labels is None else f" and {len(labels):,} labels"
        raise DataError(f"there are {n:,} rows, {n_codes:,} codes{given}; expected one for each row")
    if k < 1 or 2 * k >= n:
        raise ConfigError(f"k = {k} neighbours of {n:,} points: expected at least 1 and fewer than half of the points")
    if memory < 2**20:
        raise ConfigError(f"memory = {memory:,} bytes: expected at least {2**20:,}")


def _sampled(points: Points, codes: Points) -> tuple[np.ndarray, np.ndarray]:
    rng, n = np.random.default_rng(0), len(points)
    first = rng.integers(n, size=SAMPLE)
    second = (first + rng.integers(1, n, size=SAMPLE)) % n
    return points.apart(first, second), codes.apart(first, second)


class _Stress:
    """Sums over all pairs of distances D between rows and d between codes."""

    def __init__(self) -> None:
        self.differences = self.wide = self.narrow = self.both = 0.0

    def add(self, wide: np.ndarray, narrow: np.ndarray) -> None:
        self.wide += float(wide @ wide)
        self.narrow += float(narrow @ narrow)
        self.both += float(wide @ narrow)
        wide = wide - narrow
        self.differences += float(wide @ wide)

    def values(self) -> dict[str, float]:
        # Σ (D − αd)² / Σ D² is least for α = ΣDd / Σd², and there 1 − (ΣDd)² / (ΣD² Σd²).
        defined = self.wide > 0 and self.narrow > 0
        return {
            "normalised_stress": self.differences / self.wide if self.wide else math.nan,
            "scale_normalised_stress": max(0.0, 1 - self.both / self.wide * (self.both / self.narrow))
            if defined
            else math.nan,
        }


class _Neighbourhoods:
    """Sums of how far those are from a row's neighbours that are neighbours on one side only."""

    def __init__(self, k: int, labels: np.ndarray | None) -> None:
        self.k = k
        self.labels = None if labels is None else np.asarray(labels)
        self.intruders = self.lost = self.hits = 0

    def add(self, start: int, wide: np.ndarray, narrow: np.ndarray) -> None:
        """Take squared distances of some rows, the first of them at ``start``, from all, ``(m, n)`` each."""
        own = np.arange(len(wide))
        wide[own, start + own] = narrow[own, start + own] = np.inf
        among_rows, among_codes = _nearest(wide, self.k), _nearest(narrow, self.k)
        self.intruders += _excess(wide, among_codes & ~among_rows, self.k)
        self.lost += _excess(narrow, among_rows & ~among_codes, self.k)
        if self.labels is not None:
            found = np.nonzero(among_codes)[1].reshape(-1, self.k)
            self.hits += int((self.labels[found] == self.labels[start : start + len(found), None]).sum())

    def values(self, n: int) -> dict[str, float]:
        """1 − 2 / (nk(2n − 3k − 1)) Σ (r − k), equations 2 and 4 of Venna and Kaski 2006."""
        factor = 2 / (n * self.k * (2 * n - 3 * self.k - 1))
        found = {"trustworthiness": 1 - factor * self.intruders, "continuity": 1 - factor * self.lost}
        return found if self.labels is None else found | {"neighbourhood_hit": self.hits / (n * self.k)}


def _nearest(squares: np.ndarray, k: int) -> np.ndarray:
    """Return which columns are the k nearest of each row, ``(m, n)`` bool; of equals the first ones."""
    last = np.partition(squares, k - 1, axis=1)[:, k - 1, None]
    chosen: np.ndarray = squares <= last
    for row in np.flatnonzero(chosen.sum(axis=1) > k):
        equal = np.flatnonzero(squares[row] == last[row])
        chosen[row, equal[len(equal) - (int(chosen[row].sum()) - k) :]] = False
    return chosen


def _excess(squares: np.ndarray, where: np.ndarray, k: int) -> int:
    """Return Σ (r − k) over these places, r the rank of the column in its row from 1, of equals the first first."""
    total = 0
    for row, column in zip(*np.nonzero(where), strict=True):
        own = squares[row, column]
        closer = np.count_nonzero(squares[row] < own) + np.count_nonzero(squares[row, :column] == own)
        total += int(closer) + 1 - k
    return total
