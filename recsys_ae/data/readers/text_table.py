"""Text tables: rows of fields with a separator, parsed by Arrow."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from recsys_ae.data.parsing import Series, shown
from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.table import Kind, arrow, series
from recsys_ae.data.readers.text_layout import BLOCK, UNIT, Layout, Stream, layout, not_text, utf8_blocks
from recsys_ae.errors import DataError, Message


@dataclass(frozen=True)
class TextTable:
    """A text table; its first row may hold names or data."""

    source: Source
    encoding: str
    layout: Layout
    names: None = None

    @classmethod
    def of(cls, source: Source, separator: str | None, encoding: str) -> "TextTable":
        """Detect the layout from the first block of the file."""
        with source.open() as stream:
            return cls(source, encoding, layout(next(utf8_blocks(stream, encoding)), separator, encoding))

    @property
    def first(self) -> tuple[str, ...]:
        """Fields of the first row."""
        return self.layout.first

    @property
    def described(self) -> Message:
        """Description of the separator and the first line."""
        return self.layout.described

    def read(self, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        """Return the columns at these positions, with text as categories."""
        try:
            table = self._parse(kinds, header=header)
        except arrow().ArrowInvalid:
            # Parse all as text, which any value is; values that are not numbers then raise an error with their row.
            table = self._parse_text(kinds, header=header)
        if table.num_rows == 0:
            raise DataError("there is a header but no row")
        columns = {position: series(table.column(str(position)), integers=True) for position in kinds}
        del table
        arrow().default_memory_pool().release_unused()
        return columns

    def _parse_text(self, kinds: Mapping[int, Kind], *, header: bool) -> Any:
        text: dict[int, Kind] = dict.fromkeys(kinds, "text")
        try:
            return self._parse(text, header=header)
        except arrow().ArrowInvalid as error:
            message = str(error)
            if "Expected" in message:
                self._refuse_uneven(header=header)
            if "UTF8" in message:
                raise not_text(self.encoding) from error
            if "Empty CSV" in message:
                raise DataError("there is a header but no row") from error
            if "straddl" in message or "out of sync" in message:
                raise DataError(f"a row is longer than {BLOCK:,} bytes; is a quotation mark not closed?") from error
            raise DataError(f"the text cannot be parsed: {message}") from error

    def _refuse_uneven(self, *, header: bool) -> None:
        """Raise an error that names the first row with a wrong number of fields; only one thread numbers rows."""
        invalid: list[Any] = []

        def refuse(row: Any) -> str:
            invalid.append(row)
            return "error"

        with suppress(arrow().ArrowInvalid):
            self._parse({0: "text"}, header=header, invalid=refuse)
        for row in invalid:
            text = row.text.replace(UNIT.decode(), self.layout.separator)
            hint = "; is a quotation mark not closed?" if self.layout.quoted and text.count('"') % 2 else ""
            raise DataError(
                f"row {row.number} has {row.actual_columns} columns, but the first line has {row.expected_columns}: "
                f"{shown(text)}{hint}"
            )

    def _parse(self, kinds: Mapping[int, Kind], *, header: bool, invalid: Callable[[Any], str] | None = None) -> Any:
        pa, csv = arrow(), arrow("pyarrow.csv")
        types = {"text": pa.dictionary(pa.int32(), pa.string()), "float": pa.float64(), "int": pa.int64()}
        names = [str(position) for position in range(len(self.first))]
        quoted = self.layout.quoted
        separator = self.layout.separator if quoted else UNIT.decode()
        # Rows quoted in a message must be text, even with invalid bytes.
        errors = "strict" if invalid is None else "replace"
        with self.source.open() as stream:
            rows = Stream(self.layout.rows(utf8_blocks(stream, self.encoding, errors), header=header))
            return csv.read_csv(
                pa.PythonFile(rows, mode="r"),
                csv.ReadOptions(column_names=names, block_size=BLOCK, use_threads=invalid is None),
                csv.ParseOptions(
                    delimiter=separator,
                    quote_char='"' if quoted else False,
                    newlines_in_values=quoted,
                    invalid_row_handler=invalid,
                ),
                csv.ConvertOptions(
                    include_columns=[names[position] for position in kinds],
                    column_types={names[position]: types[kind] for position, kind in kinds.items()},
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
