"""Text tables: their encoding, separator and first row."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from recsys_ae.data.parsing import shown
from recsys_ae.errors import Argument, ConfigError, DataError, Message

# Detected in this order; of several in one group the one that makes the most columns.
CANDIDATES = (("::",), ("\t",), (",", ";", "|"), (" ",))
BLOCK = 1 << 21
HEAD = 1 << 20
# ASCII's own separator of fields stands in for separators that a parser of CSV cannot take.
UNIT = b"\x1f"


@dataclass(frozen=True)
class Layout:
    """How the text of a table is cut: its separator, the fields of its first row, and where those begin and end.

    ``begin`` and ``end`` count the bytes of the text in UTF-8.
    """

    separator: str
    detected: bool
    first: tuple[str, ...]
    begin: int
    end: int

    @property
    def quoted(self) -> bool:
        """Whether fields may be in quotation marks, and hold separators and line ends then."""
        return _quoted(self.separator)

    @property
    def described(self) -> Message:
        """The separator and the first line, for a message."""
        line = shown(self.separator.join(self.first))
        if self.detected and len(self.first) == 1:
            return f"no separator was recognised in the first line, {line}; set ", Argument("separator")
        return (f"separated by {self.separator!r}, the first line is {line}",)

    def rows(self, blocks: Iterable[bytes], *, header: bool) -> Iterator[bytes]:
        """Yield the text of ``blocks`` from the first row of data on, with a separator of one byte."""
        blocks = _from(blocks, self.end if header else self.begin)
        return blocks if self.quoted else _with_unit(blocks, self.separator)


def layout(head: bytes, separator: str | None, encoding: str) -> Layout:
    """Read the layout off the first block of a table in UTF-8."""
    text = head.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    begin = len(head) - len(text)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"the file is not {encoding} text but looks like UTF-16; use ", Argument("encoding", "utf-16"))
    if b"\0" in text[:HEAD]:
        raise DataError("this is not a text file: it holds zero bytes")
    if not text.strip():
        raise DataError("the file is empty")
    found = separator or _detect(text)
    records = _records(text, found or ",", 1)
    if not records:
        raise DataError(f"the first line does not end within {HEAD:,} bytes; is this a table?")
    fields, end = records[0]
    try:
        first = tuple(field.encode("latin-1").decode("utf-8") for field in fields)
    except UnicodeDecodeError as error:
        raise not_text(encoding) from error
    return Layout(found or ",", separator is None, first, begin, begin + end)


def not_text(encoding: str) -> DataError:
    """Return the error about bytes that the encoding does not know."""
    return DataError(f"the file is not {encoding} text; give its encoding, such as ", Argument("encoding", "latin-1"))


def check_options(separator: str | None, encoding: str) -> None:
    """Refuse a separator or encoding that no file can have."""
    if separator is not None and (not separator or any(c in separator for c in '\r\n"\0')):
        expected = ": expected text without quotes, line ends or zero bytes"
        raise ConfigError(Argument("separator", separator), expected)
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        known = " is unknown; expected a name such as utf-8 or latin-1"
        raise ConfigError(Argument("encoding", encoding), known) from error


def utf8_blocks(stream: IO[bytes], encoding: str, errors: str = "strict") -> Iterator[bytes]:
    """Yield the text of a file as UTF-8, block by block; ``errors`` as of ``codecs``."""
    blocks = iter(lambda: stream.read(BLOCK), b"")
    if codecs.lookup(encoding).name == "utf-8" and errors == "strict":
        # The parser checks what it reads; columns that nobody reads need not be right.
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


class Stream:
    """The file object that a parser reads blocks of text from."""

    closed = False

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks = blocks
        self.buffer = b""

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes; fewer only at the end."""
        while len(self.buffer) < size:
            block = next(self.blocks, None)
            if block is None:
                break
            self.buffer = self.buffer + block if self.buffer else block
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found

    def close(self) -> None:
        """Do nothing: the file is closed where it was opened."""


def _quoted(separator: str) -> bool:
    return len(separator.encode()) == 1 and separator != " "


def _detect(text: bytes) -> str | None:
    """Return the separator that cuts the first rows into equally many fields; failing that, the first row into some."""
    for most in (10, 1):
        for group in CANDIDATES:
            widths = {}
            for candidate in group:
                sizes = {len(fields) for fields, _ in _records(text, candidate, most)}
                widths[candidate] = sizes.pop() if len(sizes) == 1 else 0
            best = max(group, key=lambda candidate: widths[candidate])
            if widths[best] > 1:
                return best
    return None


def _records(text: bytes, separator: str, most: int) -> list[tuple[list[str], int]]:
    """Return the fields and the end of the first rows, one character for each byte."""
    # newline="" leaves line ends alone, and latin-1 keeps bytes countable.
    lines = io.StringIO(text[:HEAD].decode("latin-1"), newline="")
    whole = len(text) <= HEAD
    cut = _parser(lines, separator)
    found: list[tuple[list[str], int]] = []
    try:
        for fields in cut:
            if fields:
                found.append((fields, lines.tell()))
            # One more than asked for shows that the last one asked for is not cut off.
            if len(found) > most:
                break
    except csv.Error:
        return []
    return found[:most] if whole or len(found) > most else found[:-1]


def _parser(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    if _quoted(separator):
        return csv.reader(lines, delimiter=separator)
    if separator == " ":
        return (re.split(" +", line.strip(" \r\n")) for line in lines if line.strip(" \r\n"))
    mark = separator.encode().decode("latin-1")
    return (line.rstrip("\r\n").split(mark) for line in lines if line.strip("\r\n"))


def _from(blocks: Iterable[bytes], start: int) -> Iterator[bytes]:
    """Yield blocks without their first ``start`` bytes."""
    for block in blocks:
        yield block[start:]
        start = max(0, start - len(block))


def _with_unit(blocks: Iterable[bytes], separator: str) -> Iterator[bytes]:
    """Yield blocks of whole lines in which ASCII's unit separator stands for the separator."""
    replace = _spaces if separator == " " else _literal(separator.encode())
    rest = b""
    for block in blocks:
        if UNIT in block:
            raise DataError(
                f"the text holds the control character {UNIT!r}, which must not occur in a table with the separator "
                f"{separator!r}; remove it"
            )
        cut = block.rfind(b"\n") + 1
        if cut:
            yield replace(rest + block[:cut])
            rest = block[cut:]
        else:
            rest += block
    yield replace(rest)


def _literal(separator: bytes) -> Callable[[bytes], bytes]:
    return lambda text: text.replace(separator, UNIT)


def _spaces(text: bytes) -> bytes:
    """Take a run of spaces as one separator, and those around a line as none."""
    return re.sub(rb" +", UNIT, re.sub(rb"(?m)^ +| +(?=\r?$)", b"", text))
