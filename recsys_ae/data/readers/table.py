"""Interface of tables in files, common to all formats, and conversion of Arrow columns."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, Protocol, TypeAlias

import pandas as pd

from recsys_ae.data import decimals
from recsys_ae.data.parsing import Series
from recsys_ae.errors import DataError, Message, MissingPackageError

# Kinds of columns: text and ids are read as categories, the others as numbers if all values are numbers.
Kind: TypeAlias = Literal["text", "float", "int"]
ROWS = 1 << 20
"""Largest number of rows of a batch, before lists become rows of their own."""
# An int64 in its usual form; other digits, such as 007, are text.
CANONICAL = r"^(0|-?[1-9][0-9]{0,18})$"


class EmptyError(DataError):
    """A file or a table holds no row."""


class Table(Protocol):
    """A table in a file."""

    @property
    def typed(self) -> bool:
        """True if the columns keep their stored types, as those of Parquet do."""

    @property
    def written(self) -> bool:
        """True if all values are fields of a text, in which ids may have several forms."""

    @property
    def says_names(self) -> bool:
        """True if a comment says that the first row holds the names of the columns."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the columns; None if the format does not tell a header from data."""

    @property
    def first(self) -> tuple[str, ...]:
        """Names of the columns, or the first row if it may be data."""

    @property
    def described(self) -> Message:
        """Description of the recognised layout, for error messages."""

    @property
    def remarks(self) -> Sequence[str]:
        """Remarks of the reader on the file."""

    def read(self, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        """Return the columns at these positions; with ``header`` the first row is not data."""

    def batches(self, kinds: Mapping[int, Kind], *, header: bool) -> Iterator[dict[int, Series]]:
        """Yield the columns at these positions in batches of rows; text may stay text where ``read`` makes integers."""


def arrow(module: str = "pyarrow") -> ModuleType:
    """Import pyarrow or a submodule such as ``pyarrow.csv``; raise an error that helps if it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            "reading files needs the package pyarrow: pip install pyarrow, "
            "or read the table otherwise and pass it to Interactions.from_frame"
        ) from error


@contextmanager
def arrow_errors(message: str) -> Iterator[None]:
    """Turn errors of Arrow into a `DataError` that begins with ``message``."""
    try:
        yield
    except arrow().ArrowException as error:
        raise DataError(f"{message}: {error}") from error


def series(column: Any, kind: Kind = "text", *, integers: bool = False) -> Series:
    """Return an Arrow column as a pandas column, with text as categories.

    With ``integers``, text that consists of integers becomes categories of integers. Decimals become numbers; if the
    kind is ``"text"``, so that they may be ids, they become exact integers or text.
    """
    if decimals.is_decimal(column.type):
        column = {"text": decimals.exact, "float": decimals.floats, "int": decimals.exact_numbers}[kind](column)
        if column.null_count and arrow().types.is_integer(column.type):
            return decimals.to_series(column)
    return _series(column, integers=integers)


def _series(column: Any, *, integers: bool) -> Series:
    pa = arrow()
    kind = column.type
    if pa.types.is_dictionary(kind):
        if any(chunk.dictionary.null_count for chunk in column.chunks):
            column = column.cast(kind.value_type)
    elif pa.types.is_date(kind):
        column = column.cast(pa.timestamp("s"))
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.dictionary_encode()
    if pa.types.is_integer(column.type) and column.null_count:
        return decimals.to_series(column)
    if not pa.types.is_dictionary(column.type):
        return pd.Series(column.to_pandas())
    encoded = column.unify_dictionaries().combine_chunks()
    values = _integers(encoded.dictionary) if integers else encoded.dictionary
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(values.to_pandas())))


def _integers(values: Any) -> Any:
    """Return distinct texts as int64 if all are integers of 64 bits in their usual form, else unchanged."""
    pa, compute = arrow(), arrow("pyarrow.compute")
    if not len(values) or not compute.all(compute.match_substring_regex(values, CANONICAL)).as_py():
        return values
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:  # 19 digits may be too many
        return values
