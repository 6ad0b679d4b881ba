"""Exact decimals: columns of Arrow and pandas as integers where they fit, else as plain text, or as floats."""

from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    Series: TypeAlias = pd.Series[Any]
else:  # the class of pandas takes no parameters while running
    Series = pd.Series
DIGITS = 1000
"""A decimal is written out where its first digit is at most so many places from the point: 1E+999999 is no id."""


def is_decimal(kind: Any) -> bool:
    """Say whether an Arrow type is a decimal, or a dictionary of decimals."""
    types = import_module("pyarrow").types
    return bool(types.is_decimal(kind.value_type if types.is_dictionary(kind) else kind))


def exact(column: Any) -> Any:
    """Return an Arrow column of decimals as int64 where every one of them is, else as a dictionary of plain texts."""
    pa = import_module("pyarrow")
    column = _wide(column)
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:  # a fraction, or beyond int64
        distinct = _distinct(column)
        return pa.chunked_array([pa.DictionaryArray.from_arrays(distinct.indices, _texts(distinct.dictionary))])


def floats(column: Any) -> Any:
    """Return an Arrow column of decimals as the nearest float64, which Arrow's own cast often misses by one bit."""
    pa = import_module("pyarrow")
    distinct = _distinct(_wide(column))
    numbers = distinct.dictionary.cast(pa.string()).cast(pa.float64())
    return pa.chunked_array([pa.DictionaryArray.from_arrays(distinct.indices, numbers).dictionary_decode()])


def exact_numbers(column: Any) -> Any:
    """Return an Arrow column of decimals as int64 where every one of them is, else as float64."""
    pa = import_module("pyarrow")
    try:
        return _wide(column).cast(pa.int64())
    except pa.ArrowInvalid:
        return floats(column)


def to_series(column: Any) -> Series:
    """Return what `exact` or `exact_numbers` made as a pandas column; integers stay exact where some are missing."""
    pa = import_module("pyarrow")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    nullable = {pa.int64(): pd.Int64Dtype()} if column.null_count else {}
    return pd.Series(column.to_pandas(types_mapper=nullable.get))


def ids_of(column: Series) -> Series:
    """Return a pandas column whose decimals are integers where all fit int64, else text; any other as it is."""
    column = _written_out(column)
    if column.dtype == object:
        return _of_objects(column)
    return _of_arrow(column, exact)


def numbers_of(column: Series) -> Series:
    """Return a pandas column whose decimals are integers where all fit int64, else floats; any other as it is."""
    column = _written_out(column)
    if column.dtype == object:
        made = _of_objects(column)
        return made if pd.api.types.is_integer_dtype(made.dtype) else column
    return _of_arrow(column, exact_numbers)


def plain_text(value: Decimal) -> str:
    """Return all digits of a decimal, and no more: 1.5, not 1.50 or 15E-1, so that equal ids have equal texts."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _wide(column: Any) -> Any:
    """Return decimals of 128 or 256 bits: Arrow refuses to make integers of fewer."""
    pa, kind = import_module("pyarrow"), column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    return column if kind.bit_width >= 128 else column.cast(pa.decimal128(kind.precision, kind.scale))


def _distinct(column: Any) -> Any:
    """Return the distinct values and where they stand, as one Arrow array."""
    return column.dictionary_encode().unify_dictionaries().combine_chunks()


def _texts(values: Any) -> Any:
    """Return the plain text of an Arrow array of decimals."""
    pa, compute = import_module("pyarrow"), import_module("pyarrow.compute")
    texts = values.cast(pa.string())
    if values.type.scale == 0:
        return texts
    if compute.any(compute.match_substring(texts, "E")).as_py():
        return pa.array(map(plain_text, values.to_pylist()), pa.string())
    return compute.ascii_rtrim(compute.ascii_rtrim(texts, "0"), ".")  # all of them have a point


def _written_out(column: Series) -> Series:
    """Return a column of categories that hold decimals as what they are."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = column.cat.categories
        if categories.dtype == object or isinstance(categories.dtype, pd.ArrowDtype):
            return column.astype(categories.dtype)
    return column


def _of_arrow(column: Series, convert: Callable[[Any], Any]) -> Series:
    if not isinstance(column.dtype, pd.ArrowDtype) or not is_decimal(column.dtype.pyarrow_dtype):
        return column
    pa = import_module("pyarrow")
    values = pa.array(column.array)
    values = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    found = to_series(convert(values))
    found.index, found.name = column.index, column.name
    return found


def _of_objects(column: Series) -> Series:
    """Return a column of objects with its finite decimals converted; of integers only, where nothing else is in it."""
    values = column.to_numpy()
    if not any(issubclass(kind, Decimal) for kind in set(map(type, values))):
        return column
    places = np.flatnonzero([isinstance(value, Decimal) and _is_writable(value) for value in values])
    found = [values[place] for place in places]
    whole = all(value == int(value) and -(2**63) <= value < 2**63 for value in found)
    converted = np.array([int(value) if whole else plain_text(value) for value in found], dtype=object)
    if whole and len(found) == len(values):
        return pd.Series(converted.astype(np.int64), index=column.index, name=column.name)
    values = values.copy()
    values[places] = converted
    return pd.Series(values, index=column.index, name=column.name, dtype=object)


def _is_writable(value: Decimal) -> bool:
    return value.is_finite() and abs(value.adjusted()) <= DIGITS
