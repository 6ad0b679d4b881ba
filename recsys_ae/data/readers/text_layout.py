"""Layout of text tables: separator, quotation marks and first row."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias

from recsys_ae.data.parsing import shown
from recsys_ae.data.readers import text_blocks
from recsys_ae.data.readers.quotes import Record, closed_in_line, records
from recsys_ae.data.readers.table import EmptyError
from recsys_ae.data.readers.text_format import Quote, TextFormat
from recsys_ae.errors import Argument, DataError, Message

# Separators in the order of detection; within a group, the one that makes the most columns is chosen.
CANDIDATES = (("::",), ("\t",), (",", ";", "|"), (" ",))
QUOTING = (",", ";", "|")
HEAD = 1 << 20
LINE = rb"[^\r\n]*(?:\r\n|\r|\n|\Z)"

Quotes: TypeAlias = Literal["none", "in line", "across lines"]
"""Meaning of quotation marks: none, fields that close in their line, or fields that may span lines."""


@dataclass(frozen=True)
class Layout:
    """Layout of a text table: its separator, quotation marks, and the fields, begin and end of its first row.

    ``begin`` and ``end`` are positions in the bytes of the text in UTF-8. ``all_quoted`` is True if all fields of the
    first row are in quotation marks, and ``names`` if they are the only such row of the first two, so names.
    """

    separator: str
    detected: bool
    quotes: Quotes
    first: tuple[str, ...]
    begin: int
    end: int
    all_quoted: bool = False
    names: bool = False
    comment: str | None = None
    skipped: tuple[str, ...] = ()

    @property
    def single(self) -> bool:
        """True if the separator is one byte, as the parser needs it."""
        return _single(self.separator)

    @property
    def described(self) -> Message:
        """Description of the separator and the first line, for error messages."""
        line = shown(self.separator.join(self.first))
        if self.detected and len(self.first) == 1:
            return f"no separator was recognised in the first line, {line}; set ", Argument("separator")
        return (f"separated by {self.separator!r}, the first line is {line}",)

    def rows(self, blocks: Iterable[bytes], *, header: bool) -> Iterator[bytes]:
        """Yield the text of ``blocks``, from the first row of data, with a separator of one byte."""
        blocks = text_blocks.after(blocks, self.end if header else self.begin)
        if self.comment is not None:
            blocks = text_blocks.without_comments(text_blocks.complete_lines(blocks), self.comment)
        if self.quotes == "in line":
            blocks = text_blocks.in_quotes(text_blocks.complete_lines(blocks), self.separator)
        if not self.single:
            lines = text_blocks.complete_lines(blocks)
            blocks = text_blocks.with_unit(lines, self.separator, quoted=self.quotes == "in line")
        return iter(blocks)


def layout(head: bytes, form: TextFormat) -> Layout:
    """Return the layout of a table, from the first block of its text in UTF-8."""
    text = head.removeprefix(codecs.BOM_UTF8)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(
            f"the file is not {form.encoding} text but looks like UTF-16; use ", Argument("encoding", "utf-16")
        )
    if b"\0" in text[:HEAD]:
        raise DataError("this is not a text file: it holds zero bytes")
    if text.startswith(b"%%MatrixMarket"):
        raise DataError(
            "this is a matrix in Matrix Market format; read it with scipy.io.mmread and save its rows, columns and "
            "values as a table"
        )
    text, skipped = _without_lead(text, form)
    begin = len(head) - len(text)
    if not text.strip():
        raise EmptyError("the file is empty")
    if form.comment is not None:
        # Lines of comments after the first row do not change where it ends.
        text = b"".join(text_blocks.without_comments([text], form.comment))
    separator = form.separator or _detect(text, form.quote) or ","
    quotes = _quotes(text, separator, form.quote)
    rows = _records(text, separator, quotes, 2) or _records(text, separator, quotes, 1)
    if not rows:
        raise DataError(f"the first line does not end within {HEAD:,} bytes; is this a table?")
    try:
        first_row = tuple(field.decode() for field in rows[0].fields)
    except UnicodeDecodeError as error:
        raise not_text(form.encoding, row="the first line") from error
    return Layout(
        separator,
        form.separator is None,
        quotes,
        first_row,
        begin,
        begin + rows[0].end,
        rows[0].all_quoted,
        rows[0].all_quoted and len(rows) > 1 and not rows[1].all_quoted,
        form.comment,
        skipped,
    )


def not_text(encoding: str, row: str | None = None) -> DataError:
    """Return the error for bytes that are invalid in this encoding, first seen in ``row``."""
    where = "" if row is None else f" (see {row})"
    return DataError(
        f"the file is not {encoding} text; give its encoding, such as ", Argument("encoding", "latin-1"), where
    )


def _single(separator: str) -> bool:
    return len(separator.encode()) == 1 and separator != " "


def _without_lead(text: bytes, form: TextFormat) -> tuple[bytes, tuple[str, ...]]:
    """Return the text from its first row, and the lines of comments before it that were recognised as such.

    Without an option for comments, lines that begin with ``#`` or ``%`` are comments until one has as many fields as
    the first line without such a mark.
    """
    for _ in range(form.skip_lines):
        text = text[re.match(LINE, text).end() :]  # type: ignore[union-attr]
    text = text.lstrip(b"\r\n")
    if form.comment is not None:
        lead = rb"(?:" + re.escape(form.comment.encode()) + LINE + rb"|[\r\n]+)*+"
        return text[re.match(lead, text).end() :], ()  # type: ignore[union-attr]
    marked = re.match(rb"(?:[#%]" + LINE + rb"|[\r\n]+)++", text)
    if marked is None or not (rest := text[marked.end() : HEAD]):
        return text, ()
    separator = form.separator or _detect(rest, form.quote) or ","
    n_fields = [len(row.fields) for row in _records(rest, separator, _quotes(rest, separator, form.quote), 1)]
    skipped: list[str] = []
    while text.startswith((b"#", b"%")):
        line = re.match(LINE, text)[0]  # type: ignore[index]
        if [len(row.fields) for row in _records(line, separator, "none", 1)] == n_fields:
            break
        skipped.append(line.decode(errors="replace").strip())
        text = text[len(line) :].lstrip(b"\r\n")
    return text, tuple(skipped)


def _quotes(text: bytes, separator: str, quote: Quote) -> Quotes:
    """Return the meaning of quotation marks.

    With a comma, ``;`` or ``|`` fields in quotation marks may span lines, as in RFC 4180. With other separators they
    may if all fields of the first line are in quotation marks; if not, quotation marks are ordinary characters unless
    each field that begins with one ends with one in its line.
    """
    if quote == "none":
        return "none"
    if _single(separator):
        if quote == "double" or separator in QUOTING:
            return "across lines"
        row = next(records(text[:HEAD], separator, quoted=True, in_line=False), None)
        if row is not None and row.all_quoted:
            return "across lines"
    if quote == "double":
        return "in line"
    head = text[:HEAD]
    complete = head if len(text) <= HEAD else head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1]
    return "in line" if b'"' in complete and closed_in_line(complete, separator) else "none"


def _detect(text: bytes, quote: Quote) -> str | None:
    """Return the separator that splits the first rows into equally many fields, else one that splits the first row."""
    first = re.match(rb"[\r\n]*[^\r\n]*", text)
    quotes = {
        candidate: _quotes(text, candidate, quote)
        for group in CANDIDATES
        for candidate in group
        if first is not None and candidate.encode() in first[0]
    }
    for most in (10, 1):
        for group in CANDIDATES:
            widths = {}
            for candidate in group:
                rows = _records(text, candidate, quotes[candidate], most) if candidate in quotes else []
                sizes = {len(row.fields) for row in rows}
                widths[candidate] = sizes.pop() if len(sizes) == 1 else 0
            best = max(group, key=lambda candidate: widths[candidate])
            if widths[best] > 1:
                return best
    return None


def _records(text: bytes, separator: str, quotes: Quotes, most: int) -> list[Record]:
    """Return at most ``most`` rows of the head of a text, without one that may be incomplete."""
    complete = len(text) <= HEAD
    rows = records(text[:HEAD], separator, quoted=quotes != "none", in_line=quotes != "across lines")
    # One more row than needed shows that the last row is complete.
    found = list(islice(rows, most + 1))
    return found[:most] if complete or len(found) > most else found[:-1]
