"""Text of a table as a stream of UTF-8 blocks: decoding, comments, separators of one byte, and a count of the lines."""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np

from recsys_ae.data.readers.quotes import SPACES, closed_in_line, pattern
from recsys_ae.errors import DataError

BLOCK = 1 << 21
# ASCII's unit separator replaces separators that the CSV parser does not support.
UNIT = b"\x1f"


class NotClosedError(Exception):
    """A field begins with a quotation mark that does not close in its line."""


class Stream:
    """File object from which a parser reads blocks of text; ``lines`` counts the lines that are not empty."""

    closed = False

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks = blocks
        self.buffer = b""
        self.lines = 0
        self.at_start = True

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes; fewer only at the end."""
        while len(self.buffer) < size:
            block = next(self.blocks, None)
            if block is None:
                break
            self._count(block)
            self.buffer = self.buffer + block if self.buffer else block
        text, self.buffer = self.buffer[:size], self.buffer[size:]
        return text

    def close(self) -> None:
        """Do nothing: the file is closed by the code that opened it."""

    def _count(self, block: bytes) -> None:
        if not block:
            return
        characters = np.frombuffer(block, np.uint8)
        is_end = characters == ord("\n")
        if b"\r" in block:
            is_end |= characters == ord("\r")
        # A line that is not empty begins with a character after a line end.
        first = int(self.at_start and not is_end[0])
        begins = is_end[:-1] > is_end[1:] if b"\r" in block or b"\n\n" in block else is_end[:-1]
        if b"\0" in block:
            row = self.lines + first + np.count_nonzero(begins[: block.index(b"\0")])
            raise DataError(f"this is not a text file: row {row:,} holds a zero byte")
        self.lines += first + int(np.count_nonzero(begins))
        self.at_start = bool(is_end[-1])


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


def after(blocks: Iterable[bytes], start: int) -> Iterator[bytes]:
    """Yield blocks without their first ``start`` bytes."""
    for block in blocks:
        yield block[start:]
        start = max(0, start - len(block))


def complete_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield blocks that end at a line end, but for the last one."""
    unfinished: list[bytes] = []
    for block in blocks:
        # A carriage return at the end of a block may be the first half of a line end.
        end = max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1
        if end:
            yield b"".join((*unfinished, block[:end]))
            unfinished = [block[end:]]
        else:
            unfinished.append(block)
    yield b"".join(unfinished)


def without_comments(blocks: Iterable[bytes], prefix: str) -> Iterator[bytes]:
    """Yield blocks of complete lines without the lines that begin with ``prefix``."""
    comment = re.compile(rb"(?<![^\r\n])" + re.escape(prefix.encode()) + rb"[^\r\n]*")
    mark = prefix.encode()
    for block in blocks:
        yield comment.sub(b"", block) if mark in block else block


def in_quotes(blocks: Iterable[bytes], separator: str) -> Iterator[bytes]:
    """Yield blocks of complete lines; raise `NotClosedError` if a field does not close in its line."""
    for block in blocks:
        if not closed_in_line(block, separator):
            raise NotClosedError
        yield block


def with_unit(blocks: Iterable[bytes], separator: str, *, quoted: bool) -> Iterator[bytes]:
    """Yield blocks of complete lines in which ASCII's unit separator replaces the separator outside of quotes."""
    mark = pattern(separator)
    before = rb"(?:(?<![^\r\n])|(?<=" + (b" " if mark == SPACES else mark) + rb"))"
    field = re.compile((before + rb'("(?:[^"\r\n]++|"")*+"(?=' + mark + rb"|[\r\n]|\Z))|" if quoted else b"()") + mark)
    for block in blocks:
        if UNIT in block:
            raise DataError(
                f"the text holds the control character {UNIT!r}, which must not occur in a table with the separator "
                f"{separator!r}; remove it"
            )
        text = re.sub(rb"(?m)^ +| +(?=\r?$)", b"", block) if mark == SPACES else block
        if quoted or mark == SPACES:
            yield field.sub(lambda match: match[1] or UNIT, text) if quoted else field.sub(UNIT, text)
        else:
            yield text.replace(separator.encode(), UNIT)
