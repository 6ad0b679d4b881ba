"""Tables in Parquet files."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader, BytesIO
from typing import Any

from recsys_ae.data.parsing import Series, listing
from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.table import Kind, arrow, arrow_errors, series
from recsys_ae.errors import DataError, Message


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
        with _opened(source) as file:
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
        with _opened(self.source, text=[self.names[p] for p, kind in kinds.items() if kind == "text"]) as file:
            table = file.read(columns=names)
            table.validate(full=True)  # a damaged file may point outside of itself
            return {position: series(table.column(self.names[position]), kind) for position, kind in kinds.items()}


@contextmanager
def _opened(source: Source, text: list[str] | None = None) -> Iterator[Any]:
    parquet = arrow("pyarrow.parquet")
    with arrow_errors("the file is not a complete Parquet file"), source.open() as stream:
        # Parquet is read from its end, which a compressed stream reaches only after all of it is decompressed.
        packed = not isinstance(stream, BufferedReader)
        with parquet.ParquetFile(BytesIO(stream.read()) if packed else stream, read_dictionary=text) as file:
            yield file
