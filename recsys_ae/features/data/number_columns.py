"""Columns of numbers in a table of features: their text, booleans and missing values as float32."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.api import types

from recsys_ae.data import decimals
from recsys_ae.data.parsing import Series, listing, refuse
from recsys_ae.data.readers import written_values
from recsys_ae.errors import DataError

MARKERS = frozenset(marker.casefold() for marker in written_values.MARKERS) | {"-", "--", "?", "."}
"""Texts that stand for a missing feature, in lower case and without the blanks around them."""
SHOWN = 5
"""Largest number of columns that remarks name."""
TRUTHS = {"true": 1.0, "false": 0.0}
HINTS = (
    (re.compile(r"[+-]?[0-9][0-9.]*,[0-9,.]+"), "is not a number; write it with a decimal point and without commas"),
    (
        re.compile(r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}([ T].*)?"),
        "is not a number but a date; convert the column, such as to the year",
    ),
)
"""Patterns of texts that are no numbers, and what to do about them."""


def is_marker(value: object) -> bool:
    """Return True for a text that stands for a missing value, such as ``NA``."""
    return isinstance(value, str) and value.strip().casefold() in MARKERS


def numbers(column: Series, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the numbers of a column, ``(n,)`` float32 with NaN for missing values, and a remark about markers of such.

    Booleans become 1 and 0, also as text.

    Raises
    ------
    DataError
        If a value is no number, or too large; the message names its row. Dates are refused, because no number is the
        obvious one for them. Infinite values are left to `Features`, which refuses them with their id.
    """
    role, plain = f"column {name!r}", column.rename(None).reset_index(drop=True)
    if isinstance(plain.dtype, pd.CategoricalDtype):
        plain = plain.astype(plain.cat.categories.dtype)
    if _holds_dates(plain):
        raise DataError(f"{role} holds dates or times ({plain.dtype}), not numbers; convert it, such as to the year")
    plain = decimals.numbers_of(plain)
    values = _floats(plain, role)
    unknown = np.isnan(values) & plain.notna().to_numpy(dtype=bool)
    remarks: tuple[str, ...] = ()
    if unknown.any():
        unknown, remarks = _marked(plain, unknown, name)
        unknown = _filled_truths(values, plain, unknown)
    if unknown.any():
        refuse(unknown, plain, role, _why(plain.iloc[int(np.argmax(unknown))]))
    too_large = np.isfinite(values) & (np.abs(values) > np.finfo(np.float32).max)
    refuse(too_large, plain, role, "is too large for a 32-bit number")
    return values.astype(np.float32), remarks


def shortened(remarks: Sequence[str]) -> list[str]:
    """Return the first remarks about columns, and one that counts the others, because a table may have thousands."""
    others = len(remarks) - SHOWN
    return [*remarks[:SHOWN], *([f"{others:,} more columns have values written as missing"] if others > 0 else [])]


def _holds_dates(column: Series) -> bool:
    kind = column.dtype
    if isinstance(kind, pd.ArrowDtype):
        return any(word in str(kind) for word in ("date", "time", "duration"))
    return types.is_datetime64_any_dtype(kind) or kind.kind in "mM" or isinstance(kind, pd.PeriodDtype)


def _floats(column: Series, role: str) -> np.ndarray:
    """Return a column as float64; NaN where a value is missing or no number."""
    try:
        converted = pd.to_numeric(column, errors="coerce")
    except (OverflowError, TypeError, ValueError) as error:
        raise DataError(f"{role} is no column of numbers: {error}") from error
    if types.is_complex_dtype(converted.dtype):
        raise DataError(f"{role} holds complex numbers; give their real and imaginary parts in two columns")
    return np.array(converted.to_numpy(dtype=np.float64, na_value=np.nan))


def _marked(column: Series, unknown: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the mask of the unknown values that are no markers of missing values, and a remark about the markers."""
    rows = np.flatnonzero(unknown)
    marks = column.iloc[rows].map(is_marker).to_numpy(dtype=bool)
    if not marks.any():
        return unknown, ()
    others = unknown.copy()
    others[rows[marks]] = False
    written = listing(column.iloc[rows[marks]].map(str.strip).replace("", "blanks").unique(), 5)
    return others, (f"{int(marks.sum()):,} values of {name} are missing, written as {written}",)


def _filled_truths(values: np.ndarray, column: Series, unknown: np.ndarray) -> np.ndarray:
    """Write 1 and 0 into the values if every one is ``true`` or ``false``; return the mask of those still unknown."""
    if not np.isnan(values).all():
        return unknown
    texts = column.iloc[np.flatnonzero(unknown)]
    truths = texts.map(lambda value: TRUTHS.get(value.strip().casefold()) if isinstance(value, str) else None)
    if truths.isna().any():
        return unknown
    values[unknown] = truths.to_numpy(dtype=np.float64)
    return np.zeros_like(unknown)


def _why(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    return next((why for pattern, why in HINTS if pattern.fullmatch(text)), "is not a number")
