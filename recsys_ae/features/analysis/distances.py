"""Euclidean distances between rows in blocks, exact enough for rankings."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix, issparse

from recsys_ae.errors import DataError

NEAR = 1e-6
"""Share of the squared norms below which a squared distance is computed from the difference of the rows."""
AT_ONCE = 2**20
"""Number of values of differences in memory at a time."""


@dataclass(frozen=True, eq=False)
class Points:
    """Rows ``(n, width)`` float64, dense or CSR, and their squared norms ``(n,)``.

    Dense rows are shifted so that the median of each column is 0. Norms then have the size of distances, and whole
    numbers stay whole.
    """

    rows: Any
    norms: np.ndarray
    centre: np.ndarray

    @classmethod
    def of(cls, rows: "np.ndarray | csr_matrix", like: "Points | None" = None, *, name: str = "rows") -> Self:
        """Return points from rows, shifted as the points ``like`` that they are compared with; errors say ``name``."""
        if issparse(rows):
            sparse = csr_matrix(rows, dtype=np.float64)
            _refuse_not_finite(sparse.data, name)
            return cls(sparse, np.asarray(sparse.multiply(sparse).sum(axis=1)).ravel(), np.zeros(sparse.shape[1]))
        table = np.asarray(rows, np.float64)
        if table.ndim != 2 or not (table.size or like is not None):
            raise DataError(f"{name} must be a table of points, not of shape {table.shape}")
        _refuse_not_finite(table, name)
        if like is not None and like.rows.shape[1] != table.shape[1]:
            raise DataError(f"{name} have {table.shape[1]:,} columns, but those they are compared with {like.width:,}")
        centre = np.partition(table, len(table) // 2, axis=0)[len(table) // 2] if like is None else like.centre
        table = table - centre
        return cls(table, np.einsum("ij,ij->i", table, table), centre)

    def __len__(self) -> int:
        return len(self.norms)

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.rows.shape[1])

    def squared(self, block: slice, targets: "Points | None" = None) -> np.ndarray:
        """Return ‖a − b‖² of a block of these rows a and all rows b of ``targets``, ``(len(a), n)``.

        ``targets`` are these points by default.
        """
        targets = self if targets is None else targets
        products: Any = self.rows[block] @ targets.rows.T
        squares: np.ndarray = products if isinstance(products, np.ndarray) else products.toarray()
        scale = np.add.outer(self.norms[block], targets.norms)
        squares *= -2
        squares += scale
        scale *= NEAR
        near = np.nonzero(squares <= scale)
        start = block.indices(len(self))[0]
        squares[near] = self.apart(near[0] + start, near[1], targets)
        return squares

    def apart(self, first: np.ndarray, second: np.ndarray, targets: "Points | None" = None) -> np.ndarray:
        """Return ‖a − b‖² of pairs of these rows a and rows b of ``targets``, by their positions, ``(m,)``.

        ``targets`` are these points by default.
        """
        targets = self if targets is None else targets
        distances = np.empty(len(first))
        for block in slices(len(first), max(1, AT_ONCE // self.width)):
            difference: Any = self.rows[first[block]] - targets.rows[second[block]]
            squares = np.square(difference) if isinstance(difference, np.ndarray) else difference.multiply(difference)
            distances[block] = np.asarray(squares.sum(axis=1)).ravel()
        return distances


def slices(n: int, size: int) -> Iterator[slice]:
    """Yield slices of at most ``size`` positions that cover 0 to ``n``."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def _refuse_not_finite(values: np.ndarray, name: str) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        raise DataError(
            f"{name} have {int(bad.sum()):,} values that are missing or infinite; distances need complete rows: fill "
            "the values, or leave out such rows or columns"
        )
