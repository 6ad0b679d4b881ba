"""Exact conversion of decimal columns of Arrow and pandas to integers, plain text or floats."""

from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    Series: TypeAlias = pd.Series[Any]
else:  # the class of pandas takes no parameters at run time
    Series = pd.Series
DIGITS = 1000
"""Largest distance of a decimal's first digit from the point at which it is written out: 1E+999999 is no id."""


def is_decimal(kind: Any) -> bool:
    """Return True for an Arrow type of decimals, or of a dictionary of decimals."""
    types = import_module("pyarrow").types
    return bool(types.is_decimal(kind.value_type if types.is_dictionary(kind) else kind))


def exact(column: Any) -> Any:
    """Return an Arrow column of decimals as int64 if all of them fit, else as a dictionary of plain texts."""
    pa = import_module("pyarrow")
    column = _wide(column)
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:  # a fraction, or beyond int64
        distinct = _distinct(column)
        return pa.chunked_array([pa.DictionaryArray.from_arrays(distinct.indices, _texts(distinct.dictionary))])


def floats(column: Any) -> Any:
    """Return an Arrow column of decimals as the nearest float64; Arrow's own cast is often off by one bit."""
    pa = import_module("pyarrow")
    distinct = _distinct(_wide(column))
    numbers = distinct.dictionary.cast(pa.string()).cast(pa.float64())
    return pa.chunked_array([pa.DictionaryArray.from_arrays(distinct.indices, numbers).dictionary_decode()])


def exact_numbers(column: Any) -> Any:
    """Return an Arrow column of decimals as int64 if all of them fit, else as float64."""
    pa = import_module("pyarrow")
    try:
        return _wide(column).cast(pa.int64())
    except pa.ArrowInvalid:
        return floats(column)


def to_series(column: Any) -> Series:
    """Return the output of `exact` or `exact_numbers` as a pandas column; integers stay exact if some are missing."""
    pa = import_module("pyarrow")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    nullable = {pa.int64(): pd.Int64Dtype()} if column.null_count else {}
    return pd.Series(column.to_pandas(types_mapper=nullable.get))


def ids_of(column: Series) -> Series:
    """Return a pandas column with its decimals as int64 if all fit, else as text; return other columns unchanged."""
    column = _written_out(column)
    if column.dtype == object:
        return _of_objects(column)
    return _of_arrow(column, exact)


def numbers_of(column: Series) -> Series:
    """Return a pandas column with its decimals as int64 if all fit, else as floats; return other columns unchanged."""
    column = _written_out(column)
    if column.dtype == object:
        converted = _of_objects(column)
        return converted if pd.api.types.is_integer_dtype(converted.dtype) else column
    return _of_arrow(column, exact_numbers)


def plain_text(value: Decimal) -> str:
    """Return the shortest full form of a decimal, so that equal ids have equal texts: 1.5, not 1.50 or 15E-1."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _wide(column: Any) -> Any:
    """Return decimals of 128 or 256 bits; Arrow does not cast narrower ones to integers."""
    pa, kind = import_module("pyarrow"), column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    return column if kind.bit_width >= 128 else column.cast(pa.decimal128(kind.precision, kind.scale))


def _distinct(column: Any) -> Any:
    """Return the distinct values and the positions of the rows in them, as one dictionary array."""
    return column.dictionary_encode().unify_dictionaries().combine_chunks()


def _texts(values: Any) -> Any:
    """Return the plain text of an Arrow array of decimals."""
    pa, compute = import_module("pyarrow"), import_module("pyarrow.compute")
    texts = values.cast(pa.string())
    if values.type.scale == 0:
        return texts
    if compute.any(compute.match_substring(texts, "E")).as_py():
        return pa.array(map(plain_text, values.to_pylist()), pa.string())
    return compute.ascii_rtrim(compute.ascii_rtrim(texts, "0"), ".")  # every text has a decimal point


def _written_out(column: Series) -> Series:
    """Return the plain column for a categorical column whose categories may hold decimals."""
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
    converted = to_series(convert(values))
    converted.index, converted.name = column.index, column.name
    return converted


def _of_objects(column: Series) -> Series:
    """Return a column of objects with its finite decimals converted; int64 if it holds nothing but integers."""
    values = column.to_numpy()
    if not any(issubclass(kind, Decimal) for kind in set(map(type, values))):
        return column
    positions = np.flatnonzero([isinstance(value, Decimal) and _is_writable(value) for value in values])
    decimals = [values[position] for position in positions]
    integral = all(value == int(value) and -(2**63) <= value < 2**63 for value in decimals)
    converted = np.array([int(value) if integral else plain_text(value) for value in decimals], dtype=object)
    if integral and len(decimals) == len(values):
        return pd.Series(converted.astype(np.int64), index=column.index, name=column.name)
    values = values.copy()
    values[positions] = converted
    return pd.Series(values, index=column.index, name=column.name, dtype=object)


def _is_writable(value: Decimal) -> bool:
    return value.is_finite() and abs(value.adjusted()) <= DIGITS
