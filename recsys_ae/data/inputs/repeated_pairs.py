"""Entries of a matrix in the order of their users and items, and treatment of repeated pairs."""

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.data.inputs.matrices import Entries
from recsys_ae.data.parsing import Ids, shown
from recsys_ae.errors import Argument, ConfigError, DataError

Duplicates: TypeAlias = Literal["error", "last", "sum"]


class Arranged(NamedTuple):
    """A canonical matrix, and where its entries come from.

    Attributes
    ----------
    matrix
        Float32 CSR with sorted columns, each pair once.
    source
        ``(nnz,)`` int32, or int64 past 2³¹ entries: position of each in the source, the last of a repeated pair.
    repeated
        Number of entries that were left out or added to another.
    """

    matrix: csr_matrix
    source: np.ndarray
    repeated: int


def arranged(
    entries: Entries,
    users: Ids,
    items: Ids,
    duplicates: Duplicates = "error",
    *,
    noun: str = "rows",
    places: np.ndarray | None = None,
) -> Arranged:
    """Arrange entries, given in source order, by their row and column.

    Messages call the entries ``noun`` and number them from 1, by ``places`` if these are given.
    """
    if duplicates not in ("error", "last", "sum"):
        raise ConfigError(Argument("duplicates", duplicates), ": expected one of error, last, sum")
    key = entries.rows.astype(np.int64) * len(items) + entries.columns
    order = np.argsort(key, kind="stable")
    key = key[order]
    is_last = np.append(key[1:] != key[:-1], True)[: len(key)]
    repeated = len(key) - int(is_last.sum())
    if repeated and duplicates == "error":
        first = int(np.argmin(is_last))
        user, item = users[key[first] // len(items)], items[key[first] % len(items)]
        pair = order[first : first + 2] if places is None else places[order[first : first + 2]]
        raise DataError(
            f"user {shown(user)} and item {shown(item)} occur together in {noun} {pair[0] + 1} and {pair[1] + 1} "
            f"({repeated:,} repeated pairs); to allow it, set ",
            Argument("duplicates", "last"),
            " or ",
            Argument("duplicates", "sum"),
        )
    if repeated and duplicates == "sum":
        values = _summed(entries.values[order], np.append(0, np.flatnonzero(is_last)[:-1] + 1))
    else:
        values = entries.values[order[is_last]].astype(np.float32)
    source = order[is_last].astype(index_type(len(key)))
    indptr = np.append(0, np.cumsum(np.bincount(entries.rows[source], minlength=len(users))))
    matrix = csr_matrix((values, entries.columns[source], indptr), shape=(len(users), len(items)))
    return Arranged(matrix, source, repeated)


def index_type(n: int) -> type[np.signedinteger[Any]]:
    """Return the smallest integer type for positions up to ``n``, as SciPy chooses it for its indices."""
    return np.int32 if n <= np.iinfo(np.int32).max else np.int64


def _summed(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    sums = np.add.reduceat(values.astype(np.float64), starts)
    if np.abs(sums).max() > np.finfo(np.float32).max:
        raise DataError("the ratings of a repeated pair add up to more than a 32-bit number holds")
    return sums.astype(np.float32)
