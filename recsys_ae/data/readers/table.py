"""What a table in a file looks like to those who read it, whatever its format."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, Protocol, TypeAlias

import pandas as pd

from recsys_ae.data import decimals
from recsys_ae.data.parsing import Series
from recsys_ae.errors import DataError, Message, MissingPackageError

# What a column is read as: text, ids among it, as categories; numbers as such where all of it are numbers.
Kind: TypeAlias = Literal["text", "float", "int"]
# An int64 as it would be printed; any other digits, such as 007, are a name.
CANONICAL = r"^(0|-?[1-9][0-9]{0,18})$"


class Table(Protocol):
    """A table in a file."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the columns; None where the file does not say whether it has any."""

    @property
    def first(self) -> tuple[str, ...]:
        """The names of the columns, or the first row where it may be either."""

    @property
    def described(self) -> Message:
        """The form of the table as it was understood, for a message."""

    def read(self, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        """Return the columns at these positions; ``header``: the first row is not data."""


def arrow(part: str = "pyarrow") -> ModuleType:
    """Import pyarrow, or a part of it such as ``pyarrow.csv``, or say what to do without it."""
    try:
        return import_module(part)
    except ImportError as error:
        raise MissingPackageError(
            "reading files needs the package pyarrow: pip install pyarrow, "
            "or read the table otherwise and pass it to Interactions.from_frame"
        ) from error


@contextmanager
def arrow_errors(what: str) -> Iterator[None]:
    """Turn Arrow's errors into ours."""
    try:
        yield
    except arrow().ArrowException as error:
        raise DataError(f"{what}: {error}") from error


def series(column: Any, kind: Kind = "text", *, integers: bool = False) -> Series:
    """Turn an Arrow column into a pandas one: text into categories, as ``integers`` if that is all there is.

    Decimals become numbers, or where ids may be in them (``kind`` is text) integers that are exact, else text.
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
    if not pa.types.is_dictionary(column.type):
        return pd.Series(column.to_pandas())
    whole = column.unify_dictionaries().combine_chunks()
    values = _integers(whole.dictionary) if integers else whole.dictionary
    codes = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(values.to_pandas())))


def _integers(values: Any) -> Any:
    """Return the distinct texts as int64 if every one of them is an int64 in its usual form."""
    pa, compute = arrow(), arrow("pyarrow.compute")
    if not len(values) or not compute.all(compute.match_substring_regex(values, CANONICAL)).as_py():
        return values
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:  # 19 digits may be too many
        return values
