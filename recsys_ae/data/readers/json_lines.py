"""JSON lines: tables with one JSON object per line."""

import json
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import Series, shown
from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.table import Kind
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
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source, encoding: str) -> "JsonLines":
        """Read the names of the columns."""
        for row in _objects(source, encoding):
            return cls(source, encoding, tuple(row))
        raise DataError("the file is empty")

    @property
    def first(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.names

    def read(self, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        """Return the columns at these positions as categories."""
        columns = {position: _Categories() for position in kinds}
        named_columns = [(self.names[at], column, kinds[at] == "float") for at, column in columns.items()]
        for number, row in enumerate(_objects(self.source, self.encoding), 1):
            for name, column, may_be_bool in named_columns:
                value = row.get(name)
                if isinstance(value, (list, dict, bool)) and not (may_be_bool and isinstance(value, bool)):
                    raise DataError(f"{name} in row {number} is neither text nor a number: {shown(value)}")
                column.append(value)
        return {position: column.series() for position, column in columns.items()}


class _Categories:
    """A growing column that stores each distinct value once."""

    def __init__(self) -> None:
        self.codes = array("q")
        self.known: dict[Any, int] = {}

    def append(self, value: str | float | None) -> None:
        missing = value is None or value == "" or value != value  # noqa: PLR0124  only NaN differs from itself
        self.codes.append(-1 if missing else self.known.setdefault(value, len(self.known)))

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
