"""Layout of text tables: encoding, separator and first row."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from recsys_ae.data.parsing import shown
from recsys_ae.errors import Argument, ConfigError, DataError, Message

# Separators in the order of detection; within a group, the one that makes the most columns is chosen.
CANDIDATES = (("::",), ("\t",), (",", ";", "|"), (" ",))
BLOCK = 1 << 21
HEAD = 1 << 20
# ASCII's unit separator replaces separators that the CSV parser does not support.
UNIT = b"\x1f"


@dataclass(frozen=True)
class Layout:
    """Layout of a text table: its separator, and the fields, begin and end of its first row.

    ``begin`` and ``end`` are positions in the bytes of the text in UTF-8.
    """

    separator: str
    detected: bool
    first: tuple[str, ...]
    begin: int
    end: int

    @property
    def quoted(self) -> bool:
        """True if fields in quotation marks may hold separators and line ends."""
        return _quoted(self.separator)

    @property
    def described(self) -> Message:
        """Description of the separator and the first line, for error messages."""
        line = shown(self.separator.join(self.first))
        if self.detected and len(self.first) == 1:
            return f"no separator was recognised in the first line, {line}; set ", Argument("separator")
        return (f"separated by {self.separator!r}, the first line is {line}",)

    def rows(self, blocks: Iterable[bytes], *, header: bool) -> Iterator[bytes]:
        """Yield the text of ``blocks``, from the first row of data, with a separator of one byte."""
        blocks = _from(blocks, self.end if header else self.begin)
        return blocks if self.quoted else _with_unit(blocks, self.separator)


def layout(head: bytes, separator: str | None, encoding: str) -> Layout:
    """Return the layout of a table, from the first block of its text in UTF-8."""
    text = head.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    begin = len(head) - len(text)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"the file is not {encoding} text but looks like UTF-16; use ", Argument("encoding", "utf-16"))
    if b"\0" in text[:HEAD]:
        raise DataError("this is not a text file: it holds zero bytes")
    if not text.strip():
        raise DataError("the file is empty")
    used = separator or _detect(text)
    records = _records(text, used or ",", 1)
    if not records:
        raise DataError(f"the first line does not end within {HEAD:,} bytes; is this a table?")
    fields, end = records[0]
    try:
        first_row = tuple(field.encode("latin-1").decode("utf-8") for field in fields)
    except UnicodeDecodeError as error:
        raise not_text(encoding) from error
    return Layout(used or ",", separator is None, first_row, begin, begin + end)


def not_text(encoding: str) -> DataError:
    """Return the error for bytes that are invalid in this encoding."""
    return DataError(f"the file is not {encoding} text; give its encoding, such as ", Argument("encoding", "latin-1"))


def check_options(separator: str | None, encoding: str) -> None:
    """Raise a `ConfigError` for a separator or encoding that is not valid."""
    if separator is not None and (not separator or any(c in separator for c in '\r\n"\0')):
        expected = ": expected text without quotes, line ends or zero bytes"
        raise ConfigError(Argument("separator", separator), expected)
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        reason = " is unknown; expected a name such as utf-8 or latin-1"
        raise ConfigError(Argument("encoding", encoding), reason) from error


def utf8_blocks(stream: IO[bytes], encoding: str, errors: str = "strict") -> Iterator[bytes]:
    """Yield the text of a file as UTF-8, block by block; ``errors`` is that of ``codecs``."""
    blocks = iter(lambda: stream.read(BLOCK), b"")
    if codecs.lookup(encoding).name == "utf-8" and errors == "strict":
        # The parser checks the columns that it reads; other columns need not be valid.
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


class Stream:
    """File object from which a parser reads blocks of text."""

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
        text, self.buffer = self.buffer[:size], self.buffer[size:]
        return text

    def close(self) -> None:
        """Do nothing: the file is closed by the code that opened it."""


def _quoted(separator: str) -> bool:
    return len(separator.encode()) == 1 and separator != " "


def _detect(text: bytes) -> str | None:
    """Return the separator that splits the first rows into equally many fields, else one that splits the first row."""
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
    """Return the fields and the end of at most ``most`` rows; one character is one byte."""
    # newline="" keeps line ends, and latin-1 makes one character of each byte.
    lines = io.StringIO(text[:HEAD].decode("latin-1"), newline="")
    complete = len(text) <= HEAD
    rows = _parser(lines, separator)
    records: list[tuple[list[str], int]] = []
    try:
        for fields in rows:
            if fields:
                records.append((fields, lines.tell()))
            # One more row than needed shows that the last row is complete.
            if len(records) > most:
                break
    except csv.Error:
        return []
    return records[:most] if complete or len(records) > most else records[:-1]


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
    """Yield blocks of complete lines in which ASCII's unit separator replaces the separator."""
    replace = _spaces if separator == " " else _literal(separator.encode())
    unfinished = b""
    for block in blocks:
        if UNIT in block:
            raise DataError(
                f"the text holds the control character {UNIT!r}, which must not occur in a table with the separator "
                f"{separator!r}; remove it"
            )
        end = block.rfind(b"\n") + 1
        if end:
            yield replace(unfinished + block[:end])
            unfinished = block[end:]
        else:
            unfinished += block
    yield replace(unfinished)


def _literal(separator: bytes) -> Callable[[bytes], bytes]:
    return lambda text: text.replace(separator, UNIT)


def _spaces(text: bytes) -> bytes:
    """Replace each run of spaces by one separator, and remove spaces around a line."""
    return re.sub(rb" +", UNIT, re.sub(rb"(?m)^ +| +(?=\r?$)", b"", text))
