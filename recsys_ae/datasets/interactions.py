"""Who touched what: a sparse user-item matrix with its ids, and where the rows of it come from."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.errors import DataError

Ids: TypeAlias = "pd.Index[Any]"
Series: TypeAlias = "pd.Series[Any]"
Column: TypeAlias = str | int
Duplicates: TypeAlias = Literal["error", "last", "sum"]


@dataclass(frozen=True)
class Step:
    """One preparation step and what it left: interactions, users and items before and after it."""

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
        The ids of the rows and columns: sorted where they can be, else in the order of first appearance.
    timestamps
        ``(nnz,)`` int64 seconds since 1970, aligned with ``matrix.data``; None where unknown.
    order
        ``(nnz,)`` int64, aligned with ``matrix.data``: the position of each interaction in its source. It breaks
        ties between equal timestamps.
    steps
        What was done to the source to get here, in order.
    """

    matrix: csr_matrix
    users: Ids
    items: Ids
    timestamps: np.ndarray | None = None
    order: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.users), len(self.items))
        if self.matrix.shape != shape:
            raise DataError(f"the matrix is {self.matrix.shape}, but there are ids for {shape}")
        if len(self.order) != self.matrix.nnz:
            object.__setattr__(self, "order", np.arange(self.matrix.nnz, dtype=np.int64))

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_users, n_items)``."""
        return (len(self.users), len(self.items))

    @property
    def nnz(self) -> int:
        """The number of interactions."""
        return int(self.matrix.nnz)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Interactions, users, items."""
        return (self.nnz, *self.shape)

    @property
    def rows(self) -> np.ndarray:
        """``(nnz,)``: the row of each interaction, aligned with ``matrix.data``."""
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
            Names, or positions from 0, of the columns. Without ``rating`` every interaction counts 1.0. Timestamps
            are seconds since 1970, or datetimes.
        duplicates
            What to do with a pair that occurs again: refuse, keep the last row, or add the ratings up (with the last
            row's timestamp).

        Raises
        ------
        DataError
            With the column, row (counted from 1) and value that cannot be used.
        """
        if len(frame) == 0:
            raise DataError("the table has no rows")
        rows, users = _ids(_column(frame, user, "user"), "user")
        columns, items = _ids(_column(frame, item, "item"), "item")
        values = np.ones(len(frame), np.float32)
        if rating is not None:
            values = _numbers(_column(frame, rating, "rating"), "rating").astype(np.float32)
            _refuse(~np.isfinite(values), frame.iloc[:, 0], "rating", "is too large for a 32-bit number")
        times = None if timestamp is None else _seconds(_column(frame, timestamp, "timestamp"))
        return cls.from_arrays(rows, columns, values, users, items, times, duplicates=duplicates)

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
        """Build from aligned arrays of row and column positions, in the order of their source."""
        if duplicates not in ("error", "last", "sum"):
            raise DataError(f"duplicates = {duplicates!r} is not one of 'error', 'last', 'sum'")
        key = rows.astype(np.int64) * len(items) + columns
        order = np.argsort(key, kind="stable")
        key = key[order]
        last = np.append(key[1:] != key[:-1], True)
        repeated = len(key) - int(last.sum())
        steps: tuple[Step, ...] = ()
        if repeated:
            if duplicates == "error":
                raise _duplicate(order, key, last, users, items)
            name = "repeated pairs, last kept" if duplicates == "last" else "repeated pairs, ratings summed"
            sizes = (len(users), len(items))
            steps = (Step(name, (len(key), *sizes), (len(key) - repeated, *sizes)),)
        if repeated and duplicates == "sum":
            starts = np.append(0, np.flatnonzero(last)[:-1] + 1)
            data = np.add.reduceat(values[order].astype(np.float64), starts).astype(np.float32)
        else:
            data = values[order[last]].astype(np.float32)
        order = order[last]
        indptr = np.append(0, np.cumsum(np.bincount(rows[order], minlength=len(users))))
        matrix = csr_matrix((data, columns[order], indptr), shape=(len(users), len(items)))
        times = None if timestamps is None else timestamps[order]
        return cls(matrix, users, items, times, order, steps)

    def take(self, keep: np.ndarray, *, name: str | None = None) -> "Interactions":
        """Return the interactions for which the boolean mask ``keep``, ``(nnz,)``, holds; ids stay as they are.

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
        """Return the same users on another list of items; interactions with items not in it are dropped.

        ``steps`` says how many went.
        """
        target = items.get_indexer(self.items)
        columns = target[self.matrix.indices]
        keep = columns >= 0
        rows, order = self.rows[keep], self.order[keep]
        times = None if self.timestamps is None else self.timestamps[keep]
        moved = Interactions.from_arrays(rows, columns[keep], self.matrix.data[keep], self.users, items, times)
        # from_arrays numbers what it was given; the numbers of the source are restored through them.
        unknown = Step("items unknown to the model", self.counts, (moved.nnz, self.shape[0], int((target >= 0).sum())))
        steps = (*self.steps, unknown) if moved.nnz < self.nnz else self.steps
        return dataclasses.replace(moved, order=order[moved.order], steps=steps)


def _column(frame: pd.DataFrame, column: Column, role: str) -> Series:
    if column in frame.columns:
        found = frame[column]
        if isinstance(found, pd.DataFrame):
            raise DataError(f"the {role} column {column!r} occurs {found.shape[1]} times")
        return found
    if isinstance(column, int) and 0 <= column < frame.shape[1]:
        return frame.iloc[:, column]
    known = ", ".join(map(str, frame.columns))
    raise DataError(f"there is no column {column!r} to read the {role} from; the columns are: {known}")


def _refuse(bad: np.ndarray, column: Series, role: str, why: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{role} in row {row + 1} {why}: {column.iloc[row]!r} ({int(bad.sum()):,} such rows)")


def _ids(column: Series, role: str) -> tuple[np.ndarray, Ids]:
    """Return the position of each row's id and the ids, sorted where they can be."""
    _refuse(column.isna().to_numpy(), column, role, "is missing")
    if column.dtype == object:
        fits = column.map(lambda value: isinstance(value, (str, int, float, np.integer, np.floating)))
        _refuse(~fits.to_numpy(dtype=bool), column, role, "is neither text nor a number")
    elif isinstance(column.dtype, pd.CategoricalDtype):
        return _ids(column.astype(column.cat.categories.dtype), role)
    elif not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_string_dtype(column)):
        raise DataError(f"{role} ids of type {column.dtype} are neither text nor numbers; convert the column first")
    if pd.api.types.is_float_dtype(column):
        _refuse(~np.isfinite(column.to_numpy(dtype=np.float64)), column, role, "is not finite")
    codes, uniques = pd.factorize(column, sort=True)
    return codes.astype(np.int64), pd.Index(uniques)


def _numbers(column: Series, role: str) -> np.ndarray:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(column.isna().to_numpy(), column, role, "is missing")
    _refuse(np.isnan(values), column, role, "is not a number")
    _refuse(~np.isfinite(values), column, role, "is not finite")
    return values


def _seconds(column: Series) -> np.ndarray:
    if pd.api.types.is_datetime64_any_dtype(column):
        _refuse(column.isna().to_numpy(), column, "timestamp", "is missing")
        aware = isinstance(column.dtype, pd.DatetimeTZDtype)
        plain = column.dt.tz_convert(None) if aware else column
        seconds = plain.astype("datetime64[s]").astype("int64").to_numpy()
    else:
        numbers = _numbers(column, "timestamp")
        _refuse(np.abs(numbers) > 2**62, column, "timestamp", "is out of range")
        seconds = numbers.astype(np.int64)
    _refuse(seconds < 0, column, "timestamp", "is negative")
    return seconds


def _duplicate(order: np.ndarray, key: np.ndarray, last: np.ndarray, users: Ids, items: Ids) -> DataError:
    first = int(np.argmin(last))
    user, item = users[key[first] // len(items)], items[key[first] % len(items)]
    return DataError(
        f"user {user!r} and item {item!r} occur together in rows {order[first] + 1} and {order[first + 1] + 1} "
        f"({int((~last).sum()):,} repeated pairs); pass duplicates='last' or 'sum' to allow it"
    )
