"""Interactions: a sparse user-item matrix with ids, timestamps and the steps of its preparation."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.id_matching import match, mismatch
from recsys_ae.data.inputs import matrices
from recsys_ae.data.inputs.frames import as_frame
from recsys_ae.data.inputs.id_checks import distinct_ids
from recsys_ae.data.inputs.repeated_pairs import Duplicates, arranged, index_type
from recsys_ae.data.inputs.timestamps import aligned, whole_seconds
from recsys_ae.data.origin import Origin, Step
from recsys_ae.data.parsing import NONE, Column, Ids, Series, column_of, shown
from recsys_ae.data.table_rows import Missing, Rows
from recsys_ae.data.times import seconds
from recsys_ae.errors import DataError

__all__ = ["Column", "Duplicates", "Ids", "Interactions", "Series", "Step"]


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
        users, items = distinct_ids(self.users, "users"), distinct_ids(self.items, "items")
        _refuse_other_shape(self.matrix, users, items)
        matrix, times, order = self.matrix, self.timestamps, self.order
        if not matrices.is_canonical(matrix):
            entries = matrices.entries(matrix, "the matrix")
            try:
                matrix, source, _ = arranged(entries, users, items, noun="entries")
            except DataError as error:
                raise DataError(*error.parts, " of Interactions.from_matrix") from error
            order = order[source] if len(order) == len(source) else source
            times = None if times is None else aligned(times, len(source))[source]
        matrices.refuse_not_finite(
            matrix, "the matrix", lambda row, column: f"user {shown(users[row])} and item {shown(items[column])}"
        )
        times = None if times is None else whole_seconds(times, matrix.nnz)
        if len(order) != matrix.nnz:
            order = np.arange(matrix.nnz, dtype=index_type(matrix.nnz))
        parts = {"matrix": matrix, "users": users, "items": items, "timestamps": times, "order": order}
        for name, part in parts.items():
            object.__setattr__(self, name, part)

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
        missing: Missing = "error",
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
        missing
            Treatment of rows with a missing value: raise an error, or skip them and record their number in ``steps``.

        Raises
        ------
        DataError
            If a value cannot be used; the message names its column, row (counted from 1) and content.
        """
        frame = as_frame(frame)
        if len(frame) == 0:
            raise DataError("the table has no rows")
        names = {"user": user, "item": item}
        names |= {
            role: column
            for role, column in (("rating", rating), ("timestamp", timestamp))
            if column is not None and not _left_out(frame, column)
        }
        read = Rows.of({role: column_of(frame, column, role) for role, column in names.items()}, missing)
        data = cls._of(read.entries, read.users, read.items, read.times, duplicates, places=read.positions)
        steps = tuple(Step(*skipped) for skipped in read.skipped)
        return dataclasses.replace(data, steps=(*steps, *data.steps), remarks=read.remarks)

    @classmethod
    def from_matrix(
        cls,
        matrix: Any,
        users: Ids | Iterable[Any] | None = None,
        items: Ids | Iterable[Any] | None = None,
        timestamps: Any = None,
        *,
        duplicates: Duplicates = "error",
    ) -> "Interactions":
        """Read one interaction from each entry of a matrix of users × items.

        Parameters
        ----------
        matrix
            Sparse matrix or array of any format, or a dense array, of numbers or bool. Explicit zeros of a sparse
            matrix are interactions with the value 0; zeros of a dense array are no interactions. A DataFrame, such as
            a pivot table, also gives the ids.
        users, items
            Ids of the rows and columns, in their order; by default their positions from 0.
        timestamps
            ``(nnz,)``, as in `from_frame`, aligned with the stored entries (``matrix.tocoo()``, ``np.nonzero``).
        duplicates
            As in `from_frame`, for entries that a sparse matrix stores several times.

        Raises
        ------
        DataError
            If a value is NaN or infinite, or if ids or timestamps do not suit; the message names user and item.
        """
        if isinstance(matrix, pd.DataFrame):
            users, items = matrix.index if users is None else users, matrix.columns if items is None else items
            matrix = matrix.to_numpy()
        entries = matrices.entries(matrix, "the matrix")
        users = distinct_ids(np.arange(matrix.shape[0]) if users is None else users, "users")
        items = distinct_ids(np.arange(matrix.shape[1]) if items is None else items, "items")
        _refuse_other_shape(matrix, users, items)
        times, remark = None, ""
        if timestamps is not None:
            times, remark = seconds(pd.Series(aligned(timestamps, len(entries.values))))
        return cls._of(entries, users, items, times, duplicates, noun="entries").noting(remark)

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
        return cls._of(matrices.Entries(rows, columns, values), users, items, timestamps, duplicates)

    @classmethod
    def _of(
        cls,
        entries: matrices.Entries,
        users: Ids,
        items: Ids,
        timestamps: np.ndarray | None,
        duplicates: Duplicates,
        *,
        noun: str = "rows",
        places: np.ndarray | None = None,
    ) -> "Interactions":
        matrix, source, repeated = arranged(entries, users, items, duplicates, noun=noun, places=places)
        steps: tuple[Step, ...] = ()
        if repeated:
            name = "repeated pairs, last kept" if duplicates == "last" else "repeated pairs, ratings summed"
            steps = (Step(name, (matrix.nnz + repeated, *matrix.shape), (matrix.nnz, *matrix.shape)),)
        times = None if timestamps is None else timestamps[source]
        order = source if places is None else places[source].astype(index_type(int(places[-1]) + 1))
        return cls(matrix, users, items, times, order, steps)

    def noting(self, *remarks: str) -> "Interactions":
        """Return these interactions with further remarks; empty ones are left out."""
        further = tuple(remark for remark in remarks if remark)
        return dataclasses.replace(self, remarks=(*self.remarks, *further)) if further else self

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

        Ids are compared by `match`. Of several items of a user that match the same item, the last is kept. ``steps``
        records how many interactions were dropped, and ``remarks`` explain why few or no items match.
        """
        target = match(items, self.items)
        has_interactions = np.bincount(self.matrix.indices, minlength=len(self.items)) > 0
        own = self.items[has_interactions]
        return self.moved(target, items).noting(*mismatch(items, own, target[has_interactions], "items"))

    def moved(self, target: np.ndarray, items: Ids) -> "Interactions":
        """Return the same users with other items as columns.

        ``target``, ``(n_items,)``, is the new position of each item; −1 drops its interactions.
        """
        columns = target[self.matrix.indices]
        kept = np.flatnonzero(columns >= 0)
        kept = kept[np.argsort(self.order[kept], kind="stable")]  # the last of several is the last in the source
        times = None if self.timestamps is None else self.timestamps[kept]
        arrays = self.rows[kept], columns[kept], self.matrix.data[kept]
        moved = Interactions.from_arrays(*arrays, self.users, items, times, duplicates="last")
        unknown = Step("items unknown to the model", self.counts, (len(kept), self.shape[0], int((target >= 0).sum())))
        steps = (*self.steps, *((unknown,) if len(kept) < self.nnz else ()), *moved.steps)
        # from_arrays numbers its own input; these numbers lead back to those of the source.
        return dataclasses.replace(moved, order=self.order[kept][moved.order], steps=steps)


def _refuse_other_shape(matrix: Any, users: Ids, items: Ids) -> None:
    shape = getattr(matrix, "shape", type(matrix).__name__)
    if shape != (len(users), len(items)):
        raise DataError(f"the matrix has shape {shape}, but there are ids for {(len(users), len(items))}")


def _left_out(frame: pd.DataFrame, column: Column) -> bool:
    return column == NONE and NONE not in frame.columns
