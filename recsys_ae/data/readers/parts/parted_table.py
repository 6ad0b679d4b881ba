"""A table in several files, which are read one after the other."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from recsys_ae.data.parsing import Series, listing
from recsys_ae.data.readers.parts.ahead import read_ahead
from recsys_ae.data.readers.parts.joined import joined_columns
from recsys_ae.data.readers.parts.keys import constant, may_hold
from recsys_ae.data.readers.parts.part_errors import errors_in
from recsys_ae.data.readers.parts.places import Part
from recsys_ae.data.readers.parts.stored_kinds import StoredKinds
from recsys_ae.data.readers.parts.where import Condition, refuse_unknown
from recsys_ae.data.readers.table import EmptyError, Kind, Table
from recsys_ae.errors import DataError, Message

Open = Callable[[Part], Table]


@dataclass(frozen=True, eq=False)
class PartedTable:
    """A table in several files with the same columns, and the values in the names of their folders.

    Attributes
    ----------
    parts
        The files, in the order of their rows.
    open
        Function that opens a file.
    head
        Table of the first file with rows.
    asked
        Conditions that all rows fulfil.
    """

    parts: Sequence[Part]
    open: Open
    head: Table
    asked: Sequence[Condition] = ()
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, parts: Sequence[Part], open: Open, asked: Sequence[Condition]) -> "PartedTable":
        """Open the first file with rows, and leave out the parts that the names of their folders rule out."""
        remaining = [part for part in parts if may_hold(part, asked)]
        if not remaining:
            raise DataError(f"none of the {len(parts):,} parts fulfils the condition {_shown(asked)}")
        for part in remaining:
            with errors_in(part):
                try:
                    head = open(part)
                except EmptyError:
                    continue
            table = cls(remaining, open, head, asked)
            if len({tuple(part.keys) for part in remaining}) > 1:
                keys = [f"{part.name}: {listing(part.keys) or 'none'}" for part in (remaining[0], remaining[-1])]
                raise DataError(f"the names of the folders have different keys; {'; '.join(keys)}")
            return table
        raise EmptyError("none of the files has a row")

    @property
    def typed(self) -> bool:
        """True if the columns keep their stored types."""
        return self.head.typed

    @property
    def written(self) -> bool:
        """True if all values are written as text."""
        return self.head.written

    @property
    def says_names(self) -> bool:
        """True if a comment says that the first row holds the names of the columns."""
        return self.head.says_names

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the columns in the names of the folders, without those that the files have themselves."""
        return tuple(key for key in self.parts[0].keys if key not in self.head.first)

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the columns; None if the format does not tell a header from data."""
        return None if self.head.names is None else (*self.head.names, *self.keys)

    @property
    def first(self) -> tuple[str, ...]:
        """Names of the columns, or the first row if it may be data; then the names of the folders' columns."""
        return (*self.head.first, *self.keys)

    @property
    def described(self) -> Message:
        """Description of the layout of the first file."""
        return self.head.described

    def read(self, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        """Return the columns at these positions in the rows that fulfil the conditions."""
        names = self._column_names(header=header)
        needed = self._needed(names, kinds)
        collected: dict[int, list[Series]] = {position: [] for position in kinds}
        empty, n_rows, remarks = 0, 0, Counter[str]()
        stored = StoredKinds(names, is_checked=self.typed)

        def read(part: Part) -> tuple[Sequence[str], dict[int, Series]] | None:
            with errors_in(part):
                try:
                    table = self.open(part)
                    columns = self._columns(part, table, needed, header=header)
                except EmptyError:
                    return None
                return table.remarks, columns

        for part_read in read_ahead(read, self.parts):
            if part_read is None:
                empty += 1
                continue
            remarks.update(part_read[0])
            columns = part_read[1]
            keep = self._fulfilled(columns, names)
            n_rows += len(keep)
            chosen = {position: columns[position] for position in kinds}
            stored.refuse_change(chosen)
            for position, column in (chosen if keep.all() else _kept(chosen, keep)).items():
                collected[position].append(column)
        self.remarks.extend(_of_parts(remarks, empty, len(self.parts)))
        found = joined_columns(collected)
        if not found or not len(next(iter(found.values()))):
            raise EmptyError(f"none of the {n_rows:,} rows fulfils the condition {_shown(self.asked)}")
        if self.asked:
            n_kept = len(next(iter(found.values())))
            self.remarks.append(f"{n_kept:,} of {n_rows:,} rows fulfil the condition {_shown(self.asked)}")
        return found

    def batches(self, kinds: Mapping[int, Kind], *, header: bool) -> Iterator[dict[int, Series]]:
        """Yield the columns at these positions in the rows that fulfil the conditions, in batches of rows."""
        names = self._column_names(header=header)
        needed = self._needed(names, kinds)
        stored = StoredKinds(names, is_checked=self.typed)
        for part in self.parts:
            with errors_in(part):
                try:
                    for columns in self._batches_of(part, self.open(part), needed, header=header):
                        keep = self._fulfilled(columns, names)
                        chosen = {position: columns[position] for position in kinds}
                        stored.refuse_change(chosen)
                        if keep.any():
                            yield chosen if keep.all() else _kept(chosen, keep)
                except EmptyError:
                    continue

    def blame(self, read: Callable[[Table], object], error: DataError) -> NoReturn:
        """Raise the error of the first part that ``read`` cannot use alone; else the given one, which is of all parts.

        Rows in messages are then those of the part.
        """
        for part in self.parts:
            with errors_in(part):
                try:
                    read(PartedTable([part], self.open, self.head, self.asked))
                except EmptyError:
                    continue
        raise DataError(*error.parts, "; rows are counted over all parts, in the order of their names") from error

    def _column_names(self, *, header: bool) -> tuple[str, ...]:
        """Return the names of all columns, by which conditions choose them."""
        names = self.first if header else (*map(str, range(len(self.head.first))), *self.keys)
        refuse_unknown(self.asked, names)
        return names

    def _needed(self, names: Sequence[str], kinds: Mapping[int, Kind]) -> dict[int, Kind]:
        """Return the columns that are wanted, and those of the conditions."""
        of_conditions: dict[int, Kind] = dict.fromkeys((names.index(one.column) for one in self.asked), "text")
        return {**of_conditions, **kinds}

    def _fulfilled(self, columns: Mapping[int, Series], names: Sequence[str]) -> np.ndarray:
        """Return True for each row that fulfils all conditions."""
        keep = np.ones(len(next(iter(columns.values()))), dtype=bool)
        for condition in self.asked:
            keep &= condition.holds(columns[names.index(condition.column)])
        return keep

    def _columns(self, part: Part, table: Table, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        """Return the columns of a part, in the positions of this table."""
        places = self._places(table, kinds, header=header)
        read = table.read(dict(places.values()) or {0: "text"}, header=header)
        return self._with_keys(part, read, places, kinds)

    def _batches_of(
        self, part: Part, table: Table, kinds: Mapping[int, Kind], *, header: bool
    ) -> Iterator[dict[int, Series]]:
        """Yield the columns of a part in batches of rows, in the positions of this table."""
        places = self._places(table, kinds, header=header)
        wanted: dict[int, Kind] = dict(places.values()) or {0: "text"}
        for read in table.batches(wanted, header=header):
            yield self._with_keys(part, read, places, kinds)

    def _places(self, table: Table, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, tuple[int, Kind]]:
        """Return the place in a part, and the kind, of each column that the files themselves have."""
        n_own = len(self.head.first)
        if not header and len(table.first) != n_own:
            raise DataError(f"it has {len(table.first)} columns, but the first part has {n_own}")
        own = {position: kind for position, kind in kinds.items() if position < n_own}
        return {
            position: (self._place(table, self.head.first[position]) if header else position, kind)
            for position, kind in own.items()
        }

    def _with_keys(
        self,
        part: Part,
        read: Mapping[int, Series],
        places: Mapping[int, tuple[int, Kind]],
        kinds: Mapping[int, Kind],
    ) -> dict[int, Series]:
        """Return the columns in the positions of this table, with those of the folders' names."""
        n_own, n_rows = len(self.head.first), len(next(iter(read.values())))
        keys = {n_own + place: part.keys[key] for place, key in enumerate(self.keys)}
        of_names = {position: constant(keys[position], n_rows) for position in kinds if position in keys}
        return {position: read[place] for position, (place, _) in places.items()} | of_names

    def _place(self, table: Table, name: str) -> int:
        """Return the position of a column in a part, which may have its columns in another order."""
        names = [field.strip() for field in table.first]
        if names.count(name.strip()) != 1:
            raise DataError(
                f"it has no column {name.strip()}, as {self.parts[0].name} has; its columns are: {listing(table.first)}"
            )
        return names.index(name.strip())


def _kept(columns: Mapping[int, Series], keep: np.ndarray) -> dict[int, Series]:
    return {position: column[keep].reset_index(drop=True) for position, column in columns.items()}


def _of_parts(remarks: Mapping[str, int], empty: int, n_parts: int) -> Iterator[str]:
    yield f"read {n_parts - empty:,} parts{f'; {empty:,} more are empty' if empty else ''}"
    for remark, n in remarks.items():
        yield remark if n == n_parts - empty else f"{n:,} parts: {remark}"


def _shown(asked: Sequence[Condition]) -> str:
    return " and ".join(map(str, asked))
