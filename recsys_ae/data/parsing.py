"""Parsing of table columns into ids and ratings, with errors that name the row."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from recsys_ae.data import decimals
from recsys_ae.errors import Argument, DataError

if TYPE_CHECKING:
    Ids: TypeAlias = pd.Index[Any]
    Series: TypeAlias = pd.Series[Any]
else:  # the classes of pandas take no parameters at run time
    Ids, Series = pd.Index, pd.Series
Column: TypeAlias = str | int
NONE = "none"
"""Word that leaves out an optional column."""


def shown(value: object, width: int = 60) -> str:
    """Return a value as text for a message: plain (``1``, not ``np.int64(1)``), on one line, shortened."""
    text = " ".join(repr(value.item() if isinstance(value, np.generic) else value).split())
    return text if len(text) <= width else f"{text[: width - 4]}...{text[-1]}"


def column_of(frame: pd.DataFrame, column: Column, role: str) -> Series:
    """Return the column of that name, or at that position."""
    if column in frame.columns:
        series = frame[column]
        if isinstance(series, pd.DataFrame):
            raise DataError(Argument(role, column), f" occurs {series.shape[1]} times among the names of the columns")
        return series
    if isinstance(column, int) and 0 <= column < frame.shape[1]:
        return frame.iloc[:, column]
    raise DataError(Argument(role, column), f": there is no such column; the columns are: {listing(frame.columns)}")


def listing(names: Any, most: int = 30) -> str:
    """Return names on one line, at most the first ``most`` of them."""
    texts = [shown(name).strip("'\"") for name in names]
    suffix = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + suffix


def titled(column: Series, role: str) -> str:
    """Return the role of a column with its name, if that is another word."""
    return f"{role} (column {column.name})" if isinstance(column.name, str) and column.name != role else role


def refuse(bad: np.ndarray, column: Series, role: str, why: str) -> None:
    """Raise an error that names the first row, counted from 1, under the mask ``bad``; return if it is empty."""
    if bad.any():
        row = int(np.argmax(bad))
        n_bad = int(bad.sum())
        count = f" ({n_bad:,} such rows)" if n_bad > 1 else ""
        raise DataError(f"{titled(column, role)} in row {row + 1} {why}: {shown(column.iloc[row])}{count}")


@contextmanager
def optional(role: str) -> Iterator[None]:
    """Add to errors that the column may be left out."""
    try:
        yield
    except DataError as error:
        raise DataError(*error.parts, "; to leave out the column, set ", Argument(role, NONE)) from error


def ids(column: Series, role: str) -> tuple[np.ndarray, Ids]:
    """Return the position of each row's id, ``(n,)`` int64, and the sorted distinct ids, numbers before text."""
    _refuse_missing(column, role)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _category_ids(column, role)
    column = decimals.ids_of(column)
    if column.dtype == object:
        refuse(~column.map(_is_id).to_numpy(dtype=bool), column, role, "is neither text nor a finite number")
    elif types.is_float_dtype(column):
        column = column.astype(np.float64)
        refuse(~np.isfinite(column.to_numpy()), column, role, "is not finite")
    elif types.is_bool_dtype(column) or not (types.is_integer_dtype(column) or types.is_string_dtype(column)):
        raise DataError(f"{role} ids of type {column.dtype} are neither text nor numbers; convert the column first")
    try:
        # As a NumPy array of objects, because pandas would infer one type for a column of objects.
        codes, uniques = pd.factorize(column.to_numpy() if column.dtype == object else column, sort=True)
        return codes.astype(np.int64), _index(_whole(np.asarray(uniques)))
    except UnicodeEncodeError:
        refuse(~column.map(_is_unicode).to_numpy(dtype=bool), column, role, "is not valid Unicode text")
        raise


def numbers(column: Series, role: str) -> np.ndarray:
    """Return a column of numbers, or of their text, as finite numbers, ``(n,)`` float64."""
    _refuse_missing(column, role)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _of_distinct(numbers, column, role)
    if isinstance(column.dtype, pd.ArrowDtype):
        column = decimals.numbers_of(column)
    if types.is_numeric_dtype(column) and not types.is_complex_dtype(column):
        values = column.to_numpy(dtype=np.float64)
    elif column.dtype == object or types.is_string_dtype(column):
        values = np.fromiter(map(number, column), np.float64, len(column))
    else:
        raise DataError(f"the {role} column holds {column.dtype}, not numbers")
    refuse(np.isnan(values), column, role, "is not a number")
    refuse(~np.isfinite(values), column, role, "is not finite")
    return values


def ratings(column: Series, role: str = "rating") -> np.ndarray:
    """Return a column as finite ratings, ``(n,)`` float32."""
    with optional(role):
        values = numbers(column, role)
        refuse(np.abs(values) > np.finfo(np.float32).max, column, role, "is too large for a 32-bit number")
    return values.astype(np.float32)


def _refuse_missing(column: Series, role: str) -> None:
    refuse(column.isna().to_numpy(dtype=bool), column, role, "is missing")


def _of_distinct(convert: Callable[[Series, str], np.ndarray], column: Series, role: str) -> np.ndarray:
    """Convert the distinct values only, because they are fewer than the rows."""
    categories = column.cat.categories
    try:
        return convert(pd.Series(categories), role)[column.cat.codes.to_numpy()]
    except DataError:
        # Convert row by row for an error that names the row.
        return convert(column.astype(categories.dtype), role)


def _category_ids(column: Series, role: str) -> tuple[np.ndarray, Ids]:
    codes = column.cat.codes.to_numpy()
    categories = column.cat.categories
    used = np.flatnonzero(np.bincount(codes, minlength=len(categories)))
    try:
        positions, unique_ids = ids(pd.Series(categories[used]), role)
    except DataError:
        return ids(column.astype(categories.dtype), role)
    target = np.empty(len(categories), np.int64)
    target[used] = positions
    return target[codes], unique_ids


def _is_id(value: object) -> bool:
    if isinstance(value, (float, np.floating)):
        return bool(np.isfinite(value))
    return isinstance(value, (str, int, np.integer)) and not isinstance(value, bool)


def _is_unicode(value: object) -> bool:
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def number(value: object) -> float:
    """Return a number or its text as a float, which is infinite beyond the range of floats; NaN for anything else."""
    if not isinstance(value, (str, int, float, Decimal, np.integer, np.floating)):
        return np.nan
    try:
        return float(value)
    except OverflowError:
        return np.inf
    except ValueError:
        return np.nan


def _whole(values: np.ndarray) -> np.ndarray:
    """Return floats as integers if all of them are whole numbers, which pandas makes floats where one was missing."""
    if values.dtype.kind != "f" or not (np.abs(values) <= 2**53).all():
        return values
    whole = values.astype(np.int64)
    return whole if (whole == values).all() else values


def _index(values: np.ndarray) -> Ids:
    """Return an index of the ids' type if they have one type, else of plain Python values."""
    index: Ids
    if values.dtype != object:
        signed = types.is_integer_dtype(values.dtype) and values.dtype != np.uint64
        index = pd.Index(values.astype(np.int64) if signed else values)
        return index
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    for value in plain:
        if isinstance(value, str):
            value.encode()  # raises UnicodeEncodeError for text that is not valid Unicode
    large = any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in plain)
    mixed = large or len({type(value) for value in plain}) > 1
    index = pd.Index(plain, dtype=object) if mixed else pd.Index(plain)
    return index
