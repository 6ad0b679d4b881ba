"""Projection quality: neighbourhoods, distances and their order in rows and in codes.

The library ZADU (Jeon et al. 2023; version 0.5.4) has these measures, too, with the square root of both stresses. But
it needs 4.6 GB of memory for 10,000 points, and numba and hdbscan. So they are computed here, in blocks.
"""

import math

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.distances import Points, slices
from recsys_ae.features.analysis.rank_correlation import RankCorrelation

BYTES = 128
"""Bytes of memory for a pair of points while its block is computed."""
SAMPLE = 2**14
"""Number of sampled pairs of points that estimate the distribution of the distances."""


def quality(
    high: "np.ndarray | csr_matrix",
    low: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    k: int = 7,
    memory: int = 2**28,
) -> dict[str, float]:
    """Return exact measures of the structure of rows ``high`` ``(n, width)`` in their codes ``low`` ``(n, latent)``.

    Returns
    -------
    dict
        ``trustworthiness`` and ``continuity`` with k neighbours (Venna and Kaski 2006), 1 is best; neighbours at equal
        distance are ordered by their rows. ``normalised_stress``: Σ (D − d)² / Σ D² over all pairs, without a root
        (Espadoto et al. 2019), 0 is best; ``scale_normalised_stress`` is its minimum over a factor of all d (Smelser et
        al. 2024). ``spearman``: the rank correlation ρ of D and d, and ``shepard``: (ρ + 1) / 2. With labels
        ``neighbourhood_hit``: the share of the k nearest codes, without the point itself, that have its label
        (Paulovich et al. 2008). A measure is NaN if it is undefined because all codes are equal.

    Parameters
    ----------
    memory
        Bytes of working memory, besides both tables in float64. If the pairs of points do not fit, temporary files hold
        16 bytes for each pair: 0.8 GB for 10,000 points.
    """
    points, codes = Points.of(high, name="rows"), Points.of(low, name="codes")
    _check(len(points), len(codes), labels, k, memory)
    n = len(points)
    near, far = _Neighbourhoods(k, labels), _Stress()
    n_pairs = n * (n - 1) // 2
    with RankCorrelation(n_pairs, *_sampled(points, codes), memory // 2) as ranks:
        for block in slices(n, max(1, memory // 2 // (BYTES * n))):
            wide, narrow = points.squared(block), codes.squared(block)
            upper = np.arange(n) > np.arange(block.start, block.stop)[:, None]
            pairs = wide[upper], narrow[upper]
            ranks.add(*pairs)
            far.add(*map(np.sqrt, pairs))
            near.add(block.start, wide, narrow)
        rho = ranks.value()
    return near.values(n) | far.values() | {"shepard": (rho + 1) / 2, "spearman": rho}


def _check(n: int, n_codes: int, labels: np.ndarray | None, k: int, memory: int) -> None:
    if n_codes != n or (labels is not None and len(labels) != n):
        n_labels = "" if labels is None else f" and {len(labels):,} labels"
        raise DataError(f"there are {n:,} rows, {n_codes:,} codes{n_labels}; expected one for each row")
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
    """Sums of the excess ranks of points that are neighbours in the rows or in the codes only."""

    def __init__(self, k: int, labels: np.ndarray | None) -> None:
        self.k = k
        self.labels = None if labels is None else np.asarray(labels)
        self.intruders = self.lost = self.hits = 0

    def add(self, start: int, wide: np.ndarray, narrow: np.ndarray) -> None:
        """Add the squared distances of a block of rows, beginning at ``start``, from all rows, ``(m, n)`` each."""
        rows = np.arange(len(wide))
        wide[rows, start + rows] = narrow[rows, start + rows] = np.inf
        among_rows, among_codes = _nearest(wide, self.k), _nearest(narrow, self.k)
        self.intruders += _excess(wide, among_codes & ~among_rows, self.k)
        self.lost += _excess(narrow, among_rows & ~among_codes, self.k)
        if self.labels is not None:
            nearest = np.nonzero(among_codes)[1].reshape(-1, self.k)
            self.hits += int((self.labels[nearest] == self.labels[start : start + len(nearest), None]).sum())

    def values(self, n: int) -> dict[str, float]:
        """Return 1 − 2 / (nk(2n − 3k − 1)) Σ (r − k), equations 2 and 4 of Venna and Kaski 2006."""
        factor = 2 / (n * self.k * (2 * n - 3 * self.k - 1))
        measures = {"trustworthiness": 1 - factor * self.intruders, "continuity": 1 - factor * self.lost}
        return measures if self.labels is None else measures | {"neighbourhood_hit": self.hits / (n * self.k)}


def _nearest(squares: np.ndarray, k: int) -> np.ndarray:
    """Return the mask of the k nearest columns of each row, ``(m, n)`` bool; of equal distances the first columns."""
    limits = np.partition(squares, k - 1, axis=1)[:, k - 1, None]
    chosen: np.ndarray = squares <= limits
    for row in np.flatnonzero(chosen.sum(axis=1) > k):
        equal = np.flatnonzero(squares[row] == limits[row])
        chosen[row, equal[len(equal) - (int(chosen[row].sum()) - k) :]] = False
    return chosen


def _excess(squares: np.ndarray, where: np.ndarray, k: int) -> int:
    """Return Σ (r − k) where ``where`` is True; r ≥ 1 is the rank of the column in its row, ties in their order."""
    total = 0
    for row, column in zip(*np.nonzero(where), strict=True):
        square = squares[row, column]
        closer = np.count_nonzero(squares[row] < square) + np.count_nonzero(squares[row, :column] == square)
        total += int(closer) + 1 - k
    return total
