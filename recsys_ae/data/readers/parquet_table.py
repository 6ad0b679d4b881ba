"""Tables in Parquet files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader, BytesIO
from typing import Any, ClassVar

from recsys_ae.data.parsing import Series, listing
from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.bounded.bounds import BLOCK, refuse_beyond_memory, refuse_expansion, whole
from recsys_ae.data.readers.lists.nested import exploded, is_list
from recsys_ae.data.readers.table import ROWS, EmptyError, Kind, arrow, arrow_errors, series
from recsys_ae.errors import DataError, Message

VALUE = 8
"""Bytes of a value in memory, at most."""
RATIO = 1000
"""Largest ratio of the values' bytes to those of the file: equal values may be stored as one."""


@dataclass(frozen=True)
class ParquetTable:
    """A table in a Parquet file; columns keep their stored types, but decimals become integers, text or floats.

    Columns of lists, with a row for each user, become a row for each value.
    """

    source: Source
    names: tuple[str, ...]
    nested: Mapping[str, str] = field(default_factory=dict)
    lists: Sequence[str] = ()
    n_rows: int = 0
    described: Message = ("it is a Parquet file",)
    remarks: list[str] = field(default_factory=list)

    typed: ClassVar[bool] = True
    written: ClassVar[bool] = False
    says_names: ClassVar[bool] = False

    @classmethod
    def of(cls, source: Source) -> "ParquetTable":
        """Read the names of the columns."""
        with _opened(source) as (file, _):
            names = tuple(file.schema_arrow.names)
            # Empty tables are refused before Arrow's threads start: one that ends after Python does aborts the process.
            if not names or file.metadata.num_rows == 0:
                raise EmptyError("the table has no rows" if names else "the table has no columns")
            nested = {column.name: column.type for column in file.schema_arrow if arrow().types.is_nested(column.type)}
            lists = [name for name, kind in nested.items() if is_list(kind)]
            others = {name: str(kind) for name, kind in nested.items() if name not in lists}
            return cls(source, names, others, lists, file.metadata.num_rows)

    @property
    def first(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.names

    def read(self, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        """Return the columns at these positions, with text as categories."""
        with self._opened(kinds) as (file, names):
            table = file.read(columns=names)
            table.validate(full=True)  # a damaged file may point outside of itself
            return self._columns(table, kinds, n_all=table.num_rows)

    def batches(self, kinds: Mapping[int, Kind], *, header: bool) -> Iterator[dict[int, Series]]:
        """Yield the columns at these positions in batches of rows."""
        with self._opened(kinds) as (file, names):
            for batch in file.iter_batches(batch_size=ROWS, columns=names):
                batch.validate(full=True)
                with suppress(EmptyError):
                    yield self._columns(arrow().Table.from_batches([batch]), kinds, n_all=file.metadata.num_rows)

    @contextmanager
    def _opened(self, kinds: Mapping[int, Kind]) -> Iterator[tuple[Any, list[str]]]:
        """Open the file for some of its columns, and return their names."""
        names = [self.names[position] for position in kinds]
        if any(self.names.count(name) > 1 for name in names):
            raise DataError(f"the names of the columns are not unique: {listing(names)}")
        for name in self.nested.keys() & set(names):
            raise DataError(
                f"the column {name} holds a {self.nested[name]} in each row; make a row for each interaction"
            )
        text = [self.names[place] for place, kind in kinds.items() if kind == "text"]
        with _opened(self.source, text=[name for name in text if name not in self.lists]) as (file, size):
            n_rows = max([file.metadata.num_rows, *(_n_values(file.metadata, name) for name in self.lists)])
            _refuse_claims(n_rows, len(names), size)
            yield file, names

    def _columns(self, table: Any, kinds: Mapping[int, Kind], *, n_all: int) -> dict[int, Series]:
        columns = {self.names[position]: table.column(self.names[position]) for position in kinds}
        if set(self.lists) & set(columns):
            columns, n_empty = exploded(columns)
            if n_empty == table.num_rows:
                raise EmptyError("all lists are empty")
            if n_empty and table.num_rows == n_all:
                self.remarks.append(f"{n_empty:,} of {table.num_rows:,} rows have an empty list")
        return {position: series(columns[self.names[position]], kind) for position, kind in kinds.items()}


def _n_values(metadata: Any, name: str) -> int:
    """Return the number of values that a file claims to have in a column of lists."""
    groups = (metadata.row_group(place) for place in range(metadata.num_row_groups))
    columns = (group.column(place) for group in groups for place in range(group.num_columns))
    return sum(column.num_values for column in columns if column.path_in_schema.split(".")[0] == name)


def _refuse_claims(n_rows: int, n_columns: int, packed: int) -> None:
    """Raise a `DataError` if the rows that a file claims to have are too many for its bytes or for the memory."""
    size = VALUE * n_rows * n_columns
    refuse_expansion(size, packed, ratio=RATIO, way_out="; if you trust it, write it as CSV")
    refuse_beyond_memory(size, f"a table of {n_rows:,} rows and {n_columns:,} columns")


@contextmanager
def _opened(source: Source, text: list[str] | None = None) -> Iterator[tuple[Any, int]]:
    """Open a file; also return its size in bytes."""
    parquet = arrow("pyarrow.parquet")
    with arrow_errors("the file is not a complete Parquet file"), source.open() as stream:
        # Parquet is read from its end, which a compressed stream reaches only after all of it is decompressed.
        packed = not isinstance(stream, BufferedReader)
        content = BytesIO(whole(iter(lambda: stream.read(BLOCK), b""))) if packed else stream
        size = content.seek(0, 2)
        content.seek(0)
        with parquet.ParquetFile(content, read_dictionary=text) as file:
            yield file, size
