"""Interactions: a sparse user-item matrix with ids, timestamps and the steps of its preparation."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.origin import Origin
from recsys_ae.data.parsing import NONE, Column, Ids, Series, column_of, ids, ratings, shown
from recsys_ae.data.times import seconds
from recsys_ae.errors import Argument, ConfigError, DataError

__all__ = ["Column", "Duplicates", "Ids", "Interactions", "Series", "Step"]

Duplicates: TypeAlias = Literal["error", "last", "sum"]


@dataclass(frozen=True)
class Step:
    """A preparation step, with the numbers of interactions, users and items before and after it."""

    name: str
    before: tuple[int, int, int]
    after: tuple[int, int, int]

    def __str__(self) -> str:
        removed = [b - a for b, a in zip(self.before, self.after, strict=True)]
        return f"{self.name}: removed {removed[0]:,} interactions, {removed[1]:,} users, {removed[2]:,} items"


@dataclass(frozen=True, eq=False)
class Interactions:
    """An immutable user-item matrix.

    Attributes
    ----------
    matrix
        ``(n_users, n_items)`` float32 in canonical CSR form (sorted columns, no duplicates): ratings or 1.0.
    users, items
        Ids of the rows and columns, sorted if they can be compared, else in the order of first appearance.
    timestamps
        ``(nnz,)`` int64 seconds since 1970, aligned with ``matrix.data``; None if unknown.
    order
        ``(nnz,)`` int32, or int64 past 2³¹ interactions, aligned with ``matrix.data``: the position of each
        interaction in its source. It breaks ties between equal timestamps.
    steps
        Preparation steps since the source, in order.
    origin
        Recipe and split of a training part that a data recipe made. `take`, `select_users` and
        `onto` return data without an origin.
    remarks
        What a reader noticed in the file: unused columns, skipped rows, the unit of the times. One sentence each.
    """

    matrix: csr_matrix
    users: Ids
    items: Ids
    timestamps: np.ndarray | None = None
    order: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    steps: tuple[Step, ...] = ()
    origin: Origin | None = None
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.users), len(self.items))
        if self.matrix.shape != shape:
            raise DataError(f"the matrix has shape {self.matrix.shape}, but there are ids for {shape}")
        if len(self.order) != self.matrix.nnz:
            object.__setattr__(self, "order", np.arange(self.matrix.nnz, dtype=_index_type(self.matrix.nnz)))

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the matrix, ``(n_users, n_items)``."""
        return (len(self.users), len(self.items))

    @property
    def nnz(self) -> int:
        """Number of interactions."""
        return int(self.matrix.nnz)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Numbers of interactions, users and items."""
        return (self.nnz, *self.shape)

    @property
    def rows(self) -> np.ndarray:
        """Row of each interaction, ``(nnz,)``, aligned with ``matrix.data``."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.matrix.indptr))

    def __repr__(self) -> str:
        return f"Interactions({self.nnz:,} by {self.shape[0]:,} users on {self.shape[1]:,} items)"

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        user: Column = "user",
        item: Column = "item",
        rating: Column | None = None,
        timestamp: Column | None = None,
        duplicates: Duplicates = "error",
    ) -> "Interactions":
        """Read one interaction from each row of a table.

        Parameters
        ----------
        user, item, rating, timestamp
            Names, or positions from 0, of the columns. Without ``rating`` every interaction is 1.0; ``"none"`` means
            the same, unless a column has that name. Timestamps are datetimes, ISO 8601 text, or numbers that
            count seconds, milliseconds, microseconds or nanoseconds since 1970, or are written dates such as
            20201231; the unit is detected and stated in ``remarks``. Times before 1970 are refused.
        duplicates
            Treatment of repeated pairs of user and item: raise an error, keep the last row, or sum the ratings (with
            the last row's timestamp).

        Raises
        ------
        DataError
            If a value cannot be used; the message names its column, row (counted from 1) and content.
        """
        if len(frame) == 0:
            raise DataError("the table has no rows")
        rows, users = ids(column_of(frame, user, "user"), "user")
        columns, items = ids(column_of(frame, item, "item"), "item")
        rating, timestamp = (None if _left_out(frame, column) else column for column in (rating, timestamp))
        values = np.ones(len(frame), np.float32)
        if rating is not None:
            values = ratings(column_of(frame, rating, "rating"))
        times, remark = None, ""
        if timestamp is not None:
            times, remark = seconds(column_of(frame, timestamp, "timestamp"))
        data = cls.from_arrays(rows, columns, values, users, items, times, duplicates=duplicates)
        return dataclasses.replace(data, remarks=(remark,)) if remark else data

    @classmethod
    def from_arrays(
        cls,
        rows: np.ndarray,
        columns: np.ndarray,
        values: np.ndarray,
        users: Ids,
        items: Ids,
        timestamps: np.ndarray | None = None,
        *,
        duplicates: Duplicates = "error",
    ) -> "Interactions":
        """Build interactions from aligned arrays of row positions, column positions and values, in source order."""
        if duplicates not in ("error", "last", "sum"):
            raise ConfigError(Argument("duplicates", duplicates), ": expected one of error, last, sum")
        key = rows.astype(np.int64) * len(items) + columns
        order = np.argsort(key, kind="stable")
        key = key[order]
        is_last = np.append(key[1:] != key[:-1], True)[: len(key)]
        repeated = len(key) - int(is_last.sum())
        steps: tuple[Step, ...] = ()
        if repeated:
            if duplicates == "error":
                raise _duplicate(order, key, is_last, users, items)
            name = "repeated pairs, last kept" if duplicates == "last" else "repeated pairs, ratings summed"
            sizes = (len(users), len(items))
            steps = (Step(name, (len(key), *sizes), (len(key) - repeated, *sizes)),)
        if repeated and duplicates == "sum":
            starts = np.append(0, np.flatnonzero(is_last)[:-1] + 1)
            data = _summed(values[order], starts)
        else:
            data = values[order[is_last]].astype(np.float32)
        order = order[is_last].astype(_index_type(len(key)))
        indptr = np.append(0, np.cumsum(np.bincount(rows[order], minlength=len(users))))
        matrix = csr_matrix((data, columns[order], indptr), shape=(len(users), len(items)))
        times = None if timestamps is None else timestamps[order]
        return cls(matrix, users, items, times, order, steps)

    def take(self, keep: np.ndarray, *, name: str | None = None) -> "Interactions":
        """Return the interactions under the boolean mask ``keep``, ``(nnz,)``; all ids are kept.

        With ``name`` the step is recorded in ``steps``.
        """
        rows = self.rows[keep]
        indptr = np.append(0, np.cumsum(np.bincount(rows, minlength=self.shape[0])))
        matrix = csr_matrix((self.matrix.data[keep], self.matrix.indices[keep], indptr), shape=self.shape)
        times = None if self.timestamps is None else self.timestamps[keep]
        steps = self.steps
        if name is not None:
            steps = (*steps, Step(name, self.counts, (matrix.nnz, *self.shape)))
        return Interactions(matrix, self.users, self.items, times, self.order[keep], steps)

    def select_users(self, positions: np.ndarray) -> "Interactions":
        """Return the rows at ``positions``, in that order."""
        lengths = np.diff(self.matrix.indptr)[positions]
        indptr = np.append(0, np.cumsum(lengths))
        starts = self.matrix.indptr[positions].astype(np.int64)
        source = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        matrix = csr_matrix(
            (self.matrix.data[source], self.matrix.indices[source], indptr), shape=(len(positions), self.shape[1])
        )
        times = None if self.timestamps is None else self.timestamps[source]
        return Interactions(matrix, self.users[positions], self.items, times, self.order[source], self.steps)

    def onto(self, items: Ids) -> "Interactions":
        """Return the same users with other items as columns; interactions with items not in ``items`` are dropped.

        ``steps`` records how many.
        """
        target = items.get_indexer(self.items)
        columns = target[self.matrix.indices]
        keep = columns >= 0
        rows, order = self.rows[keep], self.order[keep]
        times = None if self.timestamps is None else self.timestamps[keep]
        moved = Interactions.from_arrays(rows, columns[keep], self.matrix.data[keep], self.users, items, times)
        # from_arrays numbers its own input; these numbers lead back to those of the source.
        unknown = Step("items unknown to the model", self.counts, (moved.nnz, self.shape[0], int((target >= 0).sum())))
        steps = (*self.steps, unknown) if moved.nnz < self.nnz else self.steps
        return dataclasses.replace(moved, order=order[moved.order], steps=steps)


def _left_out(frame: pd.DataFrame, column: Column | None) -> bool:
    return column is None or (column == NONE and NONE not in frame.columns)


def _summed(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    sums = np.add.reduceat(values.astype(np.float64), starts)
    if np.abs(sums).max() > np.finfo(np.float32).max:
        raise DataError("the ratings of a repeated pair add up to more than a 32-bit number holds")
    return sums.astype(np.float32)


def _index_type(n: int) -> type[np.signedinteger[Any]]:
    """Return the smallest integer type for positions up to ``n``, as SciPy chooses it for its indices."""
    return np.int32 if n <= np.iinfo(np.int32).max else np.int64


def _duplicate(order: np.ndarray, key: np.ndarray, is_last: np.ndarray, users: Ids, items: Ids) -> DataError:
    repeat = int(np.argmin(is_last))
    user, item = users[key[repeat] // len(items)], items[key[repeat] % len(items)]
    rows = f"{order[repeat] + 1} and {order[repeat + 1] + 1}"
    return DataError(
        f"user {shown(user)} and item {shown(item)} occur together in rows {rows} "
        f"({int((~is_last).sum()):,} repeated pairs); to allow it, set ",
        Argument("duplicates", "last"),
        " or ",
        Argument("duplicates", "sum"),
    )
