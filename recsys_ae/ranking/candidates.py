"""Candidate items of top-N lists: seen items, allow lists and deny lists."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy.sparse import csr_matrix, issparse

from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.errors import Argument, ConfigError, DataError

Filter: TypeAlias = csr_matrix | Sequence[int] | np.ndarray


@dataclass(frozen=True, eq=False)
class Candidates:
    """Items that may be recommended for each row: all but the denied ones, or only the allowed ones.

    Attributes
    ----------
    denied, allowed
        ``(n, n_items)`` CSR matrices. Their entries, whatever their value, are the items of each row; None allows all.
    denied_to_all
        ``(n_items,)`` bool: items denied for all rows; None denies none.
    """

    denied: tuple[csr_matrix, ...] = ()
    allowed: csr_matrix | None = None
    denied_to_all: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        histories: csr_matrix,
        *,
        exclude_seen: bool = True,
        allow: Filter | None = None,
        deny: Filter | None = None,
        exclude: csr_matrix | None = None,
    ) -> "Candidates":
        """Return the candidates for these histories.

        ``allow`` and ``deny`` are lists of item positions for all rows, or sparse matrices of the histories' shape.
        ``exclude`` is such a matrix of items to leave out, besides the histories and ``deny``.
        """
        n_items = histories.shape[1]
        denied = [histories] if exclude_seen else []
        allowed = None
        denied_to_all = np.zeros(n_items, dtype=bool)
        if issparse(allow):
            allowed = _per_row(allow, histories, "allow")
        elif allow is not None:
            denied_to_all[:] = True
            denied_to_all[places(allow, n_items)] = False
        if issparse(deny):
            denied.append(_per_row(deny, histories, "deny"))
        elif deny is not None:
            denied_to_all[places(deny, n_items)] = True
        if exclude is not None:
            if not issparse(exclude):
                raise DataError(
                    Argument("exclude"), f" must be a sparse {histories.shape} matrix, not {type(exclude).__name__}"
                )
            denied.append(_per_row(exclude, histories, "exclude"))
        return cls(tuple(denied), allowed, denied_to_all if denied_to_all.any() else None)

    def without(self, n_first: int, n_items: int) -> "Candidates":
        """Return the candidates without the items at the first ``n_first`` positions."""
        denied = np.zeros(n_items, dtype=bool) if self.denied_to_all is None else self.denied_to_all.copy()
        denied[:n_first] = True
        return dataclasses.replace(self, denied_to_all=denied)


def at_least_1(name: str, value: Any) -> int:
    """Return a whole number of at least 1, such as 5, 5.0 or that of NumPy; raise a `ConfigError` for all others."""
    whole = value.item() if isinstance(value, np.generic) else value
    if isinstance(whole, float) and whole.is_integer():
        whole = int(whole)
    if isinstance(whole, bool) or not isinstance(whole, int):
        raise ConfigError(Argument(name, value), " must be a whole number, at least 1")
    if whole < 1:
        raise ConfigError(Argument(name, value), " must be at least 1")
    return whole


def places(items: Any, n_items: int, noun: str = "items") -> np.ndarray:
    """Return positions of items, or of ``noun``, as an int64 array; raise `DataError` if they are not positions."""
    positions = np.asarray(items)
    if positions.size == 0:
        return np.empty(0, np.int64)
    if positions.dtype.kind not in "iu" or positions.ndim != 1:
        raise DataError(f"{noun} must be a list of positions from 0 to {n_items - 1:,}; positions() looks up ids")
    if positions.min() < 0 or positions.max() >= n_items:
        wrong = positions[(positions < 0) | (positions >= n_items)][0]
        raise DataError(f"there is no {noun[:-1]} at position {wrong}; there are {n_items:,} {noun}")
    return positions.astype(np.int64)


def _per_row(matrix: Any, histories: csr_matrix, name: str) -> csr_matrix:
    if matrix.shape != histories.shape:
        raise DataError(Argument(name), f" has the shape {matrix.shape}, but the histories have {histories.shape}")
    return canonical(matrix, name)
