"""Euclidean distances between rows, a block at a time, exact enough to be ranked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix, issparse

from recsys_ae.errors import DataError

NEAR = 1e-6
"""A squared distance below this share of the squared norms is computed from the differences themselves."""
AT_ONCE = 2**20
"""Numbers of differences held at a time."""


@dataclass(frozen=True, eq=False)
class Points:
    """Rows ``(n, width)`` float64, dense or CSR, and their squared norms ``(n,)``.

    Dense rows are moved so that the median of each column lies at 0: norms are then of the size of the distances, and
    whole numbers stay whole.
    """

    rows: Any
    norms: np.ndarray
    centre: np.ndarray

    @classmethod
    def of(cls, rows: "np.ndarray | csr_matrix", like: "Points | None" = None, *, what: str = "rows") -> Self:
        """Take rows; ``like``: moved as those, which they shall be compared with."""
        if issparse(rows):
            sparse = csr_matrix(rows, dtype=np.float64)
            _refuse_not_finite(sparse.data, what)
            return cls(sparse, np.asarray(sparse.multiply(sparse).sum(axis=1)).ravel(), np.zeros(sparse.shape[1]))
        table = np.asarray(rows, np.float64)
        if table.ndim != 2 or not (table.size or like is not None):
            raise DataError(f"{what} must be a table of points, not of shape {table.shape}")
        _refuse_not_finite(table, what)
        if like is not None and like.rows.shape[1] != table.shape[1]:
            raise DataError(f"{what} have {table.shape[1]:,} columns, but those they are compared with {like.width:,}")
        centre = np.partition(table, len(table) // 2, axis=0)[len(table) // 2] if like is None else like.centre
        table = table - centre
        return cls(table, np.einsum("ij,ij->i", table, table), centre)

    def __len__(self) -> int:
        return len(self.norms)

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.rows.shape[1])

    def squared(self, part: slice, others: "Points | None" = None) -> np.ndarray:
        """Return ‖a − b‖² of some of these rows a from all rows b of the others, else of these, ``(len(a), n)``."""
        others = self if others is None else others
        products: Any = self.rows[part] @ others.rows.T
        found: np.ndarray = products if isinstance(products, np.ndarray) else products.toarray()
        scale = np.add.outer(self.norms[part], others.norms)
        found *= -2
        found += scale
        scale *= NEAR
        near = np.nonzero(found <= scale)
        start = part.indices(len(self))[0]
        found[near] = self.apart(near[0] + start, near[1], others)
        return found

    def apart(self, first: np.ndarray, second: np.ndarray, others: "Points | None" = None) -> np.ndarray:
        """Return ‖a − b‖² of pairs of a row a, and b of the others, else of these, by positions, ``(m,)``."""
        others = self if others is None else others
        found = np.empty(len(first))
        for part in slices(len(first), max(1, AT_ONCE // self.width)):
            difference: Any = self.rows[first[part]] - others.rows[second[part]]
            squares = np.square(difference) if isinstance(difference, np.ndarray) else difference.multiply(difference)
            found[part] = np.asarray(squares.sum(axis=1)).ravel()
        return found


def slices(n: int, size: int) -> Iterator[slice]:
    """Yield slices of at most ``size`` that make up ``n``."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def _refuse_not_finite(values: np.ndarray, what: str) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        raise DataError(
            f"{what} have {int(bad.sum()):,} values that are missing or infinite; distances need complete rows: fill "
            "the values, or leave out such rows or columns"
        )
