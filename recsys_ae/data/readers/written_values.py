"""Values as text files write them: markers of missing values, ids such as ``7.0`` and `` 7``, decimal commas."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.data.id_forms import normal_text
from recsys_ae.data.parsing import Series, listing, shown
from recsys_ae.data.table_rows import Missing, refuse_missing
from recsys_ae.errors import Argument, DataError

MARKERS = frozenset((
    "", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NULL", "Null", "null", r"\N", "NaN", "nan", "NAN", "-NaN", "-nan",
    "NaT", "None",
))  # fmt: skip
"""Texts that stand for a missing value, without the blanks around them."""
# An int64 in its usual form; other digits, such as 007, are text.
CANONICAL = re.compile(r"0|-?[1-9][0-9]{0,18}")
BOOLEANS = {"true": 1.0, "false": 0.0}
DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*")


def as_written(column: Series, role: str, missing: Missing, noted: list[str], *, text: bool) -> Series:
    """Return a column of a text file or of JSON lines with missing values for their markers; add remarks to ``noted``.

    Ids of a text file, with ``text``, get one form.
    """
    column, of_markers = _with_gaps(column, role, missing)
    noted.extend(of_markers)
    if role == "rating":
        column = _of_booleans(column)
    if role not in ("user", "item"):
        _refuse_decimal_comma(column, role)
        return column
    noted.extend(_of_quoted_ids(column, role))
    return _with_one_form(column, role, noted) if text else column


def _with_gaps(column: Series, role: str, missing: Missing) -> tuple[Series, tuple[str, ...]]:
    """Return a column with missing values for the markers of missing values, and a remark that names the markers.

    Raises
    ------
    DataError
        For the first marker, if ``missing`` is ``"error"``.
    """
    texts = _texts(column)
    if texts is None:
        return column, ()
    is_marker = np.array([isinstance(text, str) and text.strip() in MARKERS for text in texts], dtype=bool)
    if not is_marker.any():
        return column, ()
    if missing == "error":
        gaps = np.append(is_marker, True)[column.cat.codes]
        refuse_missing(gaps & (column.cat.codes >= 0), column, role)
    markers = column.cat.categories[is_marker]
    remark = f"a {role} written {listing(map(repr, markers))} is read as missing"
    return column.cat.remove_categories(markers), (remark,) if any(marker.strip() for marker in markers) else ()


def _with_one_form(column: Series, role: str, noted: list[str]) -> Series:
    """Return a column of ids with one form of each id: ``7`` for ``7.0`` and `` 7``, integers if all are integers."""
    texts = _texts(column)
    if texts is None or not _may_change(texts):
        return column
    forms = np.array([*map(normal_text, texts), None], object)[:-1]
    codes, distinct = pd.factorize(forms)
    if len(distinct) < len(texts):
        first = int(np.argmax(np.bincount(codes) > 1))
        examples = " and ".join(shown(texts[position]) for position in np.flatnonzero(codes == first)[:2])
        n = int((np.bincount(codes) > 1).sum())
        noted.append(f"{n:,} {role} ids are written in several ways, such as {examples}; each is read as one {role}")
    if all(CANONICAL.fullmatch(form) and abs(int(form)) < 2**63 for form in distinct):
        distinct = distinct.astype(np.int64)
    return pd.Series(
        pd.Categorical.from_codes(np.append(codes, -1)[column.cat.codes], pd.Index(distinct)), name=column.name
    )


def _may_change(texts: Sequence[str]) -> bool:
    """Return False if all texts are certain to be their own normal form and not all integers; their ends show it."""
    if all(text.removeprefix("-").isdecimal() for text in texts):
        return True
    firsts, lasts = {text[:1] for text in texts}, {text[-1:] for text in texts}
    odd = any(not end or end.isspace() or end in "+." for end in firsts | lasts)
    return odd or ("0" in lasts and any(text.rstrip("0")[-1:] == "." for text in texts if text[-1] == "0"))


def _of_booleans(column: Series) -> Series:
    """Return a column of nothing but ``True`` and ``False``, in any case, as 1 and 0; other columns unchanged."""
    texts = _texts(column)
    if not texts or not all(isinstance(text, str) and text.strip().lower() in BOOLEANS for text in texts):
        return column
    values = np.array([*(BOOLEANS[text.strip().lower()] for text in texts), np.nan])
    return pd.Series(values[column.cat.codes], name=column.name)


def _refuse_decimal_comma(column: Series, role: str) -> None:
    """Raise an error for the first number with a decimal comma, which says how to read it."""
    texts = _texts(column)
    if texts is None:
        return
    has_comma = np.array([isinstance(text, str) and bool(DECIMAL_COMMA.fullmatch(text)) for text in texts], dtype=bool)
    rows = np.flatnonzero(np.append(has_comma, False)[column.cat.codes])
    if len(rows):
        raise DataError(
            f"{role} in row {rows[0] + 1} is not a number: {shown(column.iloc[rows[0]])}; if the comma is a decimal "
            "point, set ",
            Argument("decimal", ","),
        )


def with_points(column: Series) -> Series:
    """Return a column of texts of numbers with a point for the decimal comma; a point has no meaning then."""
    if not isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_integer_dtype(column.cat.categories):
        return column
    texts = [str(text).translate({ord(","): "."}) if "." not in str(text) else text for text in column.cat.categories]
    codes, distinct = pd.factorize(np.array([*texts, ""], object)[:-1])
    codes = np.append(codes, -1)[column.cat.codes]
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(distinct, dtype=object)))


def _of_quoted_ids(column: Series, role: str) -> tuple[str, ...]:
    """Return a remark if ids begin and end with a quotation mark, which is an ordinary character of the file."""
    quoted = [text for text in _texts(column) or () if isinstance(text, str) and re.fullmatch('".*"', text)]
    example = f"quotation marks are part of the {role} ids, such as {shown(quoted[0])}" if quoted else ""
    return (f"{example}; set the option quote to double if they are not",) if quoted else ()


def _texts(column: Series) -> list[Any] | None:
    """Return the categories of a column of text; None for other columns."""
    if not isinstance(column.dtype, pd.CategoricalDtype) or column.cat.categories.dtype.kind in "iufM":
        return None
    return column.cat.categories.tolist()
