"""Tables of lists: each line of a text file holds a user and all of their items."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, ClassVar

import pandas as pd

from recsys_ae.data.parsing import Series
from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.bounded.bounds import whole
from recsys_ae.data.readers.lists.forms import WIDTHS, ListForm, form_of
from recsys_ae.data.readers.lists.numbers import number_pairs
from recsys_ae.data.readers.table import Kind, arrow, series
from recsys_ae.data.readers.text_blocks import utf8_blocks
from recsys_ae.data.readers.text_format import TextFormat
from recsys_ae.errors import Argument, DataError, Message

GLANCE, HEAD = 1 << 15, 1 << 20
"""Bytes by which the form is recognised: of a first glance, and in all."""


@dataclass(frozen=True)
class ListTable:
    """A text file of lists as a table with a row for each user and item."""

    source: Source
    text: TextFormat
    form: ListForm
    names: tuple[str, ...] = ("user", "item")
    described: Message = ("each line holds a user and their items",)
    remarks: list[str] = field(default_factory=list)

    typed: ClassVar[bool] = False
    written: ClassVar[bool] = False
    says_names: ClassVar[bool] = False

    @classmethod
    def given(cls, source: Source, text: TextFormat, header: bool | None) -> "ListTable":
        """Recognise the form of a file that holds lists.

        Raises
        ------
        DataError
            If no form fits its first lines.
        """
        form = form_of(_head(source, text, HEAD), text.separator, header=header, certain=False)
        if form is None:
            raise DataError(
                "no separator between a user and their items was recognised in the first line; set ",
                Argument("separator"),
            )
        return cls(source, text, form)

    @classmethod
    def recognised(cls, source: Source, text: TextFormat, header: bool | None) -> "ListTable | None":
        """Recognise the form; return None if it is not certain that the file holds lists."""
        form = None
        for size in (GLANCE, HEAD):  # a glance shows that most tables are none
            lines = _head(source, text, size)
            form = form_of(lines, text.separator, header=header, certain=True)
            if form is None and len(lines) >= WIDTHS:
                return None
        return None if form is None else cls(source, text, form)

    @property
    def first(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.names

    def read(self, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        """Return the columns of users and items."""
        with self.source.open() as stream:
            columns, n_lines, n_empty = self._columns(stream)
        without = f", {n_empty:,} of them without items" if n_empty else ""
        self.remarks.append(f"read as lists: each of {n_lines:,} lines holds a user and their items{without}")
        return {position: columns[position] for position in kinds}

    def batches(self, kinds: Mapping[int, Kind], *, header: bool) -> Iterator[dict[int, Series]]:
        """Yield the columns of users and items at once."""
        yield self.read(kinds, header=header)

    def _columns(self, stream: IO[bytes]) -> tuple[tuple[Series, Series], int, int]:
        """Return users and items, the number of lines, and the number of lines without items."""
        content = whole(utf8_blocks(stream, self.text.encoding)).removeprefix(b"\xef\xbb\xbf")
        if self._plain_numbers(content):
            users, items = number_pairs(content)
            n_lines = len(re.findall(rb"(?m)^[ \t]*[0-9]", content))
            n_empty = len(re.findall(rb"(?m)^[ \t]*[0-9]+[ \t\r]*$", content))
            return (pd.Series(users), pd.Series(items)), n_lines, n_empty
        user_of_each: list[str] = []
        item_of_each: list[str] = []
        n_lines = n_empty = 0
        for user, items_of_user in self.form.pairs(_data(_lines(content.decode()), self.text)):
            user_of_each.extend([user] * len(items_of_user))
            item_of_each.extend(items_of_user)
            n_lines += 1
            n_empty += not items_of_user
        if not item_of_each:
            raise DataError("no line holds a user and an item")
        return (_column(user_of_each), _column(item_of_each)), n_lines, n_empty

    def _plain_numbers(self, content: bytes) -> bool:
        """Return True if all ids are integers in their usual form, separated by blanks."""
        plain = (self.form.separator, self.form.inner, self.form.header, self.text.skip_lines) == (" ", None, False, 0)
        return plain and not re.search(rb"[^0-9 \t\r\n]|(?<![0-9])0[0-9]|[0-9]{19}|\r(?!\n)", content)


def _head(source: Source, text: TextFormat, size: int) -> list[str]:
    """Return the lines in the first bytes of a file, without an incomplete one."""
    with source.open() as stream:
        block = next(utf8_blocks(stream, text.encoding), b"")
    lines = _lines(block[:size].decode("utf-8", "replace").removeprefix("\ufeff"))
    return list(_data(lines[:-1] if len(block) > size else lines, text))


def _lines(text: str) -> list[str]:
    return re.split("\r\n|\r|\n", text)


def _data(lines: list[str], text: TextFormat) -> Iterator[str]:
    """Yield the lines without those that are skipped."""
    for line in lines[text.skip_lines :]:
        if text.comment is None or not line.startswith(text.comment):
            yield line


def _column(values: list[str]) -> Series:
    pa = arrow()
    return series(pa.chunked_array([pa.array(values, pa.string())]), integers=True)
