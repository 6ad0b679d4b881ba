"""JSON lines: tables with one JSON object per line."""

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import Series, shown
from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.table import ROWS, EmptyError, Kind
from recsys_ae.errors import DataError, Message

LONGEST = 1 << 24
"""Bound of the characters of a line."""


@dataclass(frozen=True)
class JsonLines:
    """A table of JSON objects; the keys of the first object are the names of the columns.

    The objects are parsed one by one, because Arrow's reader rejects a column with 1 and "1", and reads some text as
    dates.
    """

    source: Source
    encoding: str
    names: tuple[str, ...]
    described: Message = ("it holds JSON lines",)
    remarks: list[str] = field(default_factory=list)

    typed: ClassVar[bool] = False
    written: ClassVar[bool] = False
    says_names: ClassVar[bool] = False

    @classmethod
    def of(cls, source: Source, encoding: str) -> "JsonLines":
        """Read the names of the columns."""
        for row in _objects(source, encoding):
            return cls(source, encoding, tuple(row))
        raise EmptyError("the file is empty")

    @property
    def first(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.names

    def read(self, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        """Return the columns at these positions as categories; each value of a list becomes a row of its own."""
        (columns,) = self._batches(kinds, None)
        return columns

    def batches(self, kinds: Mapping[int, Kind], *, header: bool) -> Iterator[dict[int, Series]]:
        """Yield the columns at these positions in batches of rows."""
        yield from self._batches(kinds, ROWS)

    def _batches(self, kinds: Mapping[int, Kind], most: int | None) -> Iterator[dict[int, Series]]:
        columns = {position: _Categories() for position in kinds}
        named_columns = [(self.names[at], column, kinds[at] == "float") for at, column in columns.items()]
        n_empty = n_rows = 0
        for n_rows, row in enumerate(_objects(self.source, self.encoding), 1):
            n = _n_values(row, [name for name, _, _ in named_columns], n_rows)
            n_empty += n == 0
            for name, column, may_be_bool in named_columns:
                value = row.get(name)
                for single in value if isinstance(value, list) else [value] * (1 if n is None else n):
                    if isinstance(single, (list, dict, bool)) and not (may_be_bool and isinstance(single, bool)):
                        raise DataError(f"{name} in row {n_rows} is neither text nor a number: {shown(single)}")
                    column.append(single)
            if most is not None and n_rows % most == 0:
                yield {position: column.series() for position, column in columns.items()}
                for column in columns.values():
                    column.clear()
        if n_empty:
            if n_empty == n_rows:
                raise EmptyError("all lists are empty")
            self.remarks.append(f"{n_empty:,} of {n_rows:,} rows have an empty list")
        yield {position: column.series() for position, column in columns.items()}


def _n_values(row: Mapping[str, Any], names: Sequence[str], number: int) -> int | None:
    """Return the number of values of each list of a row; None if it has no list."""
    lengths = {name: len(row[name]) for name in names if isinstance(row.get(name), list)}
    if len(set(lengths.values())) > 1:
        (name, n), *others = lengths.items()
        other, m = next(pair for pair in others if pair[1] != n)
        raise DataError(f"the lists in row {number} have different lengths: {name} has {n:,}, and {other} {m:,}")
    return next(iter(lengths.values()), None)


class _Categories:
    """A growing column that stores each distinct value once."""

    def __init__(self) -> None:
        self.codes = array("q")
        self.known: dict[Any, int] = {}

    def append(self, value: str | float | None) -> None:
        missing = value is None or value == "" or value != value  # noqa: PLR0124  only NaN differs from itself
        self.codes.append(-1 if missing else self.known.setdefault(value, len(self.known)))

    def clear(self) -> None:
        self.codes, self.known = array("q"), {}

    def series(self) -> Series:
        codes = np.frombuffer(self.codes, np.int64)
        return pd.Series(pd.Categorical.from_codes(codes, pd.Index(list(self.known), dtype=object)))


def _objects(source: Source, encoding: str) -> Iterator[dict[str, Any]]:
    """Yield the object of each line that is not empty."""
    with source.open() as stream, TextIOWrapper(stream, encoding=encoding) as lines:
        number = 0
        for line in iter(lambda: lines.readline(LONGEST), ""):
            if len(line) == LONGEST:
                raise DataError(f"row {number + 1} is longer than {LONGEST:,} characters; write one object per line")
            text = line.lstrip("\ufeff").strip() if number == 0 else line.strip()
            if not text:
                continue
            number += 1
            try:
                row = json.loads(text)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                hint = "; JSON arrays are not supported, write one object per line" if text.startswith("[") else ""
                raise DataError(f"row {number} is not a JSON object: {shown(text)}{hint}")
            yield row
