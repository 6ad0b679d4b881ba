"""Quotation marks in text tables: fields of a row, fields that close in their line, and rows that span lines."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

SPACES = rb" +"


class Record(NamedTuple):
    """A row of a text table: its fields, its end in the text, and whether all fields are in quotation marks."""

    fields: list[bytes]
    end: int
    all_quoted: bool


@dataclass
class Span:
    """A row whose quotation marks make it span several lines.

    ``row`` counts from 1; ``closed`` is True if a separator or the line end follows each closing quotation mark.
    """

    row: int
    lines: list[bytes]
    closed: bool = True

    def looks_like_rows(self, separator: bytes, width: int) -> bool:
        """Return True if each line has as many fields as the table when quotation marks are ordinary characters."""
        return all(len(line.rstrip(b"\r\n").split(separator)) == width for line in self.lines)


def pattern(separator: str) -> bytes:
    """Return the regular expression of a separator; a space stands for one or more spaces."""
    return SPACES if separator == " " else re.escape(separator.encode())


def records(text: bytes, separator: str, *, quoted: bool, in_line: bool) -> Iterator[Record]:
    """Yield the rows of a text; empty lines are skipped.

    Parameters
    ----------
    quoted
        True if fields in quotation marks may hold separators.
    in_line
        True if they must close in their line. If not, the separator is a single byte.
    """
    rows = _lines(text, separator, quoted=quoted) if in_line or not quoted else _quoted_rows(text, separator)
    for row, end in rows:
        yield Record([field for field, _ in row], end, all(in_quotes for _, in_quotes in row))


def closed_in_line(text: bytes, separator: str) -> bool:
    """Return True if each field that begins with a quotation mark ends with one in its line."""
    if b'"' not in text:
        return True
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    mark = pattern(separator)
    return re.search(rb"(?m)(?:^|" + mark + rb')"(?:[^"\n]++|"")*+(?!"(?:' + mark + rb"|$))", text) is None


def spans(lines: Iterable[bytes], separator: str, most: int) -> Iterator[Span]:
    """Yield the rows that span several lines, of a text whose separator is one byte; at most ``most`` lines each."""
    mark = re.escape(separator.encode())
    whole_field = rb'(?:"(?:[^"]++|"")*+"[^' + mark + rb"]*+|(?!\")[^" + mark + rb"]*+)"
    opens = re.compile(rb"(?:" + whole_field + mark + rb')*+"(?:[^"]++|"")*+\Z').match
    closes = re.compile(rb'(?:[^"]++|"")*+"').match
    row, span = 0, None
    for line in lines:
        text = line.rstrip(b"\r\n")
        if span is None:
            if text:
                row += 1
                span = Span(row, [line]) if b'"' in text and opens(text) else None
            continue
        if len(span.lines) < most:
            span.lines.append(line)
        end = closes(text)
        if end is not None:
            after, found, rest = text[end.end() :].partition(separator.encode())
            span.closed = span.closed and not after
            if not (found and opens(rest)):
                yield span
                span = None
    if span is not None:
        span.closed = False
        yield span


def _quoted_rows(text: bytes, separator: str) -> Iterator[tuple[list[tuple[bytes, bool]], int]]:
    mark = separator.encode()
    field = re.compile(rb'(?:"((?:[^"]++|"")*+)("?+))?+([^\r\n' + re.escape(mark) + rb"]*+)")
    end_of_line = re.compile(rb"\r\n|\r|\n|\Z")
    position, row = 0, []
    while position < len(text):
        match = field.match(text, position)
        assert match is not None  # noqa: S101  every part of the pattern may be empty
        inside, closing, rest = match.groups()
        row.append((rest if inside is None else inside.replace(b'""', b'"') + rest, bool(closing) and not rest))
        position = match.end()
        if text.startswith(mark, position):
            position += 1
            if position < len(text):
                continue
            row.append((b"", False))
        end = end_of_line.match(text, position)
        position = end.end() if end else len(text)
        if row != [(b"", False)]:
            yield row, position
        row = []


def _lines(text: bytes, separator: str, *, quoted: bool) -> Iterator[tuple[list[tuple[bytes, bool]], int]]:
    mark = pattern(separator)
    field = re.compile(rb'"((?:[^"]++|"")*+)"(?=' + mark + rb"|\Z)|(.*?)(?=" + mark + rb"|\Z)", re.DOTALL)
    between = re.compile(mark)
    for match in re.finditer(rb"([^\r\n]*)(\r\n|\r|\n|\Z)", text):
        line = match[1].strip(b" ") if separator == " " else match[1]
        if not line:
            continue
        if not quoted:
            yield [(part, False) for part in between.split(line)], match.end()
            continue
        row, position = [], 0
        while True:
            found = field.match(line, position)
            assert found is not None  # noqa: S101  every part of the pattern may be empty
            row.append((found[2], False) if found[1] is None else (found[1].replace(b'""', b'"'), True))
            gap = between.match(line, found.end())
            if gap is None:
                break
            position = gap.end()
        yield row, match.end()
