"""Tables in Parquet files."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader, BytesIO
from typing import Any

from recsys_ae.data.parsing import Series, listing
from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.bounded.bounds import BLOCK, refuse_beyond_memory, refuse_expansion, whole
from recsys_ae.data.readers.table import Kind, arrow, arrow_errors, series
from recsys_ae.errors import DataError, Message

VALUE = 8
"""Bytes of a value in memory, at most."""
RATIO = 1000
"""Largest ratio of the values' bytes to those of the file: equal values may be stored as one."""


@dataclass(frozen=True)
class ParquetTable:
    """A table in a Parquet file; columns keep their stored types, but decimals become integers, text or floats."""

    source: Source
    names: tuple[str, ...]
    nested: Mapping[str, str] = field(default_factory=dict)
    described: Message = ("it is a Parquet file",)
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source) -> "ParquetTable":
        """Read the names of the columns."""
        with _opened(source) as (file, _):
            names = tuple(file.schema_arrow.names)
            # Empty tables are refused before Arrow's threads start: one that ends after Python does aborts the process.
            if not names or file.metadata.num_rows == 0:
                raise DataError("the table has no rows" if names else "the table has no columns")
            is_nested = arrow().types.is_nested
            return cls(
                source, names, {column.name: str(column.type) for column in file.schema_arrow if is_nested(column.type)}
            )

    @property
    def first(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.names

    def read(self, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        """Return the columns at these positions, with text as categories."""
        names = [self.names[position] for position in kinds]
        if any(self.names.count(name) > 1 for name in names):
            raise DataError(f"the names of the columns are not unique: {listing(names)}")
        for name in self.nested.keys() & set(names):
            raise DataError(
                f"the column {name} holds a {self.nested[name]} in each row; make a row for each interaction"
            )
        with _opened(self.source, text=[self.names[p] for p, kind in kinds.items() if kind == "text"]) as (file, size):
            _refuse_claims(file.metadata.num_rows, len(names), size)
            table = file.read(columns=names)
            table.validate(full=True)  # a damaged file may point outside of itself
            return {position: series(table.column(self.names[position]), kind) for position, kind in kinds.items()}


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
