"""Rows of a table as aligned arrays of ids, ratings and times, and the treatment of missing values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from recsys_ae.data.inputs.id_checks import one_form
from recsys_ae.data.inputs.matrices import Entries
from recsys_ae.data.parsing import NONE, Ids, Series, ids, ratings, refuse
from recsys_ae.data.times import seconds
from recsys_ae.errors import Argument, ConfigError, DataError, Message

Missing: TypeAlias = Literal["error", "skip"]
Counts: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class Rows:
    """Rows of a table: positions of users and items, ratings, times, distinct ids, and the rows that were left out.

    ``positions`` are those of the rows in the table, and None if all are kept. ``skipped`` holds a name and the numbers
    of rows, users and items before and after each kind of rows was left out.
    """

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    users: Ids
    items: Ids
    times: np.ndarray | None
    positions: np.ndarray | None = None
    skipped: tuple[tuple[str, Counts, Counts], ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def entries(self) -> Entries:
        """Entries of the matrix, one from each row."""
        return Entries(self.rows, self.columns, self.values)

    @classmethod
    def of(cls, columns: Mapping[str, Series], missing: Missing) -> "Rows":
        """Convert the columns ``user``, ``item`` and, if there are any, ``rating`` and ``timestamp`` of a table.

        Raises
        ------
        DataError
            If a value cannot be used, or is missing although ``missing`` is ``"error"``.
        """
        if missing not in ("error", "skip"):
            raise ConfigError(Argument("missing", missing), ": expected one of error, skip")
        gaps = {role: column.isna().to_numpy(dtype=bool) for role, column in columns.items()}
        if missing == "error":
            for role, column in columns.items():
                refuse_missing(gaps[role], column, role)
        columns = {role: _filled(column, gaps[role], role) for role, column in columns.items()}
        positions, users, of_users = one_form(*ids(columns["user"], "user"), "user")
        item_positions, items, of_items = one_form(*ids(columns["item"], "item"), "item")
        values = ratings(columns["rating"]) if "rating" in columns else np.ones(len(positions), np.float32)
        times, of_times = seconds(columns["timestamp"]) if "timestamp" in columns else (None, "")
        remarks = tuple(filter(None, (of_users, of_items, of_times)))
        rows = cls(positions, item_positions, values, users, items, times, remarks=remarks)
        without_id = gaps["user"] | gaps["item"]
        others = [gaps[role] for role in ("rating", "timestamp") if role in gaps]
        rows = rows._without(without_id, "rows without a user or item")
        return rows._without(np.any([without_id, *others], axis=0), f"rows without a {_listed(columns)}")

    def _without(self, gaps: np.ndarray, name: str) -> "Rows":
        """Leave out the rows under the mask ``gaps``, which covers all rows of the table."""
        keep = ~gaps if self.positions is None else ~gaps[self.positions]
        if keep.all():
            return self
        if not keep.any():
            raise DataError(f"no rows are left without the {len(keep):,} {name}")
        rows, users = _occurring(self.rows[keep], self.users)
        columns, items = _occurring(self.columns[keep], self.items)
        before, after = (len(keep), len(self.users), len(self.items)), (int(keep.sum()), len(users), len(items))
        positions = np.flatnonzero(keep) if self.positions is None else self.positions[keep]
        times = None if self.times is None else self.times[keep]
        skipped = (*self.skipped, (name, before, after))
        return Rows(rows, columns, self.values[keep], users, items, times, positions, skipped, self.remarks)


def refuse_missing(gaps: np.ndarray, column: Series, role: str) -> None:
    """Raise an error that names the first row under the mask ``gaps`` and says how to leave it out."""
    try:
        refuse(gaps, column, role, "is missing")
    except DataError as error:
        way_out: Message = ("; to leave out rows with missing values, set ", Argument("missing", "skip"))
        if role in ("rating", "timestamp"):
            way_out = (*way_out, "; to leave out the column, set ", Argument(role, NONE))
        raise DataError(*error.parts, *way_out) from error


def _filled(column: Series, gaps: np.ndarray, role: str) -> Series:
    """Return a column with a value of another row for each missing value; these rows are left out afterwards."""
    if not gaps.any():
        return column
    if gaps.all():
        raise DataError(f"{role} is missing in all {len(gaps):,} rows")
    source = np.arange(len(column))
    source[gaps] = np.argmin(gaps)
    return column.iloc[source]


def _occurring(positions: np.ndarray, index: Ids) -> tuple[np.ndarray, Ids]:
    """Return the ids that occur, and positions in them."""
    used = np.flatnonzero(np.bincount(positions, minlength=len(index)))
    target = np.zeros(len(index), np.int64)
    target[used] = np.arange(len(used))
    return target[positions], index[used]


def _listed(columns: Mapping[str, Series]) -> str:
    return " or ".join(role for role in ("rating", "timestamp") if role in columns)
