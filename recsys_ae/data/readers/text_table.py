"""Text tables: rows of fields with a separator, parsed by Arrow."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from recsys_ae.data.parsing import Series, shown
from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.quotes import Span, spans
from recsys_ae.data.readers.table import EmptyError, Kind, arrow, series
from recsys_ae.data.readers.text_blocks import BLOCK, UNIT, NotClosedError, Stream, complete_lines, utf8_blocks
from recsys_ae.data.readers.text_format import TextFormat
from recsys_ae.data.readers.text_layout import Layout, layout, not_text
from recsys_ae.data.readers.written_values import with_points
from recsys_ae.errors import Argument, DataError, Message

ORDINARY: Message = ("; if quotation marks are ordinary characters here, set ", Argument("quote", "none"))
NOT_CLOSED = "; is a quotation mark not closed?"


class UnevenRowsError(DataError):
    """A row has another number of fields than the first line."""


@dataclass(frozen=True)
class TextTable:
    """A text table; its first row may hold names or data."""

    source: Source
    form: TextFormat
    layout: Layout
    remarks: list[str] = field(default_factory=list)
    names: None = None

    typed: ClassVar[bool] = False
    written: ClassVar[bool] = True

    @classmethod
    def of(cls, source: Source, form: TextFormat) -> "TextTable":
        """Detect the layout from the first block of the file."""
        with source.open() as stream:
            table = cls(source, form, layout(next(utf8_blocks(stream, form.encoding), b""), form))
        skipped = table.layout.skipped
        if skipped:
            table.remarks.append(
                f"the file begins with {len(skipped)} lines of comments, which are not read: {shown(skipped[0])}"
            )
        return table

    @property
    def says_names(self) -> bool:
        """True if a comment says that the first row holds the names of the columns."""
        return self.layout.names

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
            return self._read(kinds, header=header)
        except (NotClosedError, UnevenRowsError) as error:
            # Fields that close in their line were a guess from the head of the file.
            literal = replace(self, layout=replace(self.layout, quotes="none"))
            if isinstance(error, NotClosedError) and self.form.quote != "auto":
                message = "a field begins with a quotation mark that is not closed in its line, as it must be with the "
                raise DataError(f"{message}separator {self.layout.separator!r}", *ORDINARY) from error
            if self.layout.quotes != "in line" or self.form.quote != "auto":
                raise
        return literal._read(kinds, header=header)

    def batches(self, kinds: Mapping[int, Kind], *, header: bool) -> Iterator[dict[int, Series]]:
        """Yield the columns at these positions as text in batches of rows."""
        begun = False
        try:
            with self._csv(dict.fromkeys(kinds, "text"), header=header) as (stream, options):
                for batch in arrow("pyarrow.csv").open_csv(arrow().PythonFile(stream, mode="r"), **options):
                    if batch.num_rows:
                        begun = True
                        table = arrow().Table.from_batches([batch])
                        yield {position: series(table.column(str(position))) for position in kinds}
        except (arrow().ArrowInvalid, UnicodeDecodeError, NotClosedError) as error:
            whole = self.read(kinds, header=header)  # raises the error that says what is wrong
            if begun:
                raise DataError(
                    "the file cannot be read in blocks, because quotation marks mean something else at its end than at "
                    "its beginning; set ",
                    Argument("quote", "none"),
                ) from error
            yield whole

    def _read(self, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        try:
            table, lines = self._parse(kinds, header=header)
        except arrow().ArrowInvalid:
            # Parse all as text, which any value is; values that are not numbers then raise an error with their row.
            table, lines = self._parse_text(kinds, header=header)
        if table.num_rows == 0:
            raise EmptyError("there is a header but no row")
        if table.num_rows != lines:
            self._note_spans(header=header)
        columns = {position: series(table.column(str(position)), integers=True) for position in kinds}
        del table
        arrow().default_memory_pool().release_unused()
        numeric = {position for position, kind in kinds.items() if kind != "text"}
        commas = self.form.decimal == ","
        return {at: with_points(column) if commas and at in numeric else column for at, column in columns.items()}

    def _parse_text(self, kinds: Mapping[int, Kind], *, header: bool) -> tuple[Any, int]:
        text: dict[int, Kind] = dict.fromkeys(kinds, "text")
        try:
            return self._parse(text, header=header)
        except arrow().ArrowInvalid as error:
            message = str(error)
            if "Empty CSV" in message:
                raise EmptyError("there is a header but no row") from error
            if "UTF8" in message:
                raise self._not_text(text, header=header) from error
            self._note_spans(header=header)
            if "Expected" in message:
                self._refuse_uneven(header=header)
            if "straddl" in message or "out of sync" in message:
                raise DataError(f"a row is longer than {BLOCK:,} bytes; is a quotation mark not closed?") from error
            raise DataError(f"the text cannot be parsed: {message}") from error
        except UnicodeDecodeError as error:
            raise self._not_text(text, header=header) from error

    def _not_text(self, kinds: Mapping[int, Kind], *, header: bool) -> DataError:
        """Return the error for bytes that are invalid in the encoding, with the first row in a column that is read."""
        rows: list[int] = []
        with suppress(arrow().ArrowInvalid, DataError, NotClosedError):
            table, _ = self._parse(kinds, header=header, errors="replace")
            for position in kinds:
                column = series(table.column(str(position)))
                bad = ["\ufffd" in str(value) for value in column.cat.categories]
                rows += np.flatnonzero(np.append(bad, False)[column.cat.codes])[:1].tolist()
        return not_text(self.form.encoding, f"row {min(rows) + 1:,}" if rows else None)

    def _note_spans(self, *, header: bool) -> None:
        """Add a remark on rows that span lines; raise an error if a quotation mark seems to swallow rows."""
        if self.layout.quotes != "across lines":
            return
        found: list[Span] = []
        width, sure = len(self.first), self.layout.all_quoted or self.form.quote == "double"
        with self._stream(header=header, errors="replace") as stream:
            lines = (line for block in complete_lines(stream.blocks) for line in block.splitlines(keepends=True))
            for span in spans(lines, self.layout.separator, most=1000):
                found = found or [span]
                if not span.closed or (not sure and span.looks_like_rows(self.layout.separator.encode(), width)):
                    first = shown(span.lines[0].decode().rstrip("\r\n"))
                    like_rows = ", which look like rows" if span.closed else ""
                    raise DataError(f"row {span.row:,} spans several lines{like_rows}: {first}", *ORDINARY, NOT_CLOSED)
        if found:
            first = shown(b"".join(found[0].lines).decode())
            self.remarks.append(
                f"quotation marks make rows span several lines, the first is row {found[0].row:,}: {first}; set the "
                "option quote to none if quotation marks are ordinary characters"
            )

    def _refuse_uneven(self, *, header: bool) -> None:
        """Raise an error that names the first row with a wrong number of fields; only one thread numbers rows."""
        invalid: list[Any] = []

        def refuse(row: Any) -> str:
            invalid.append(row)
            return "error"

        with suppress(arrow().ArrowInvalid):
            self._parse({0: "text"}, header=header, invalid=refuse, errors="replace")
        for row in invalid:
            text = row.text.replace(UNIT.decode(), self.layout.separator)
            hint: Message = ()
            if '"' in text and self.layout.quotes != "none":
                hint = (*ORDINARY, NOT_CLOSED * (text.count('"') % 2))
            elif '"' in text and self.form.quote == "auto":
                hint = ("; if fields in quotation marks hold separators, set ", Argument("quote", "double"))
            raise UnevenRowsError(
                f"row {row.number} has {row.actual_columns} columns, but the first line has {row.expected_columns}: "
                f"{shown(text)}",
                *hint,
            )

    @contextmanager
    def _stream(self, *, header: bool, errors: str = "strict") -> Iterator[Stream]:
        with self.source.open() as file:
            yield Stream(self.layout.rows(utf8_blocks(file, self.form.encoding, errors), header=header))

    def _parse(
        self,
        kinds: Mapping[int, Kind],
        *,
        header: bool,
        invalid: Callable[[Any], str] | None = None,
        errors: str = "strict",
    ) -> tuple[Any, int]:
        """Return the columns as an Arrow table, and the number of lines that are not empty."""
        with self._csv(kinds, header=header, invalid=invalid, errors=errors) as (stream, options):
            table = arrow("pyarrow.csv").read_csv(arrow().PythonFile(stream, mode="r"), **options)
            return table, stream.lines

    @contextmanager
    def _csv(
        self,
        kinds: Mapping[int, Kind],
        *,
        header: bool,
        invalid: Callable[[Any], str] | None = None,
        errors: str = "strict",
    ) -> Iterator[tuple[Stream, dict[str, Any]]]:
        """Yield the rows as a stream, and the options by which Arrow reads them."""
        pa, csv = arrow(), arrow("pyarrow.csv")
        types = {"text": pa.dictionary(pa.int32(), pa.string()), "float": pa.float64(), "int": pa.int64()}
        names = [str(position) for position in range(len(self.first))]
        quoted = self.layout.quotes != "none"
        # Rows quoted in a message must be text, even with invalid bytes.
        with self._stream(header=header, errors=errors) as stream:
            yield (
                stream,
                {
                    "read_options": csv.ReadOptions(column_names=names, block_size=BLOCK, use_threads=invalid is None),
                    "parse_options": csv.ParseOptions(
                        delimiter=self.layout.separator if self.layout.single else UNIT.decode(),
                        quote_char='"' if quoted else False,
                        newlines_in_values=self.layout.quotes == "across lines",
                        invalid_row_handler=invalid,
                    ),
                    "convert_options": csv.ConvertOptions(
                        include_columns=[names[position] for position in kinds],
                        column_types={names[position]: types[kind] for position, kind in kinds.items()},
                        null_values=[""],
                        strings_can_be_null=True,
                        decimal_point=self.form.decimal,
                    ),
                },
            )
