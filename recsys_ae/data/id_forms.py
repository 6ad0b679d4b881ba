"""Forms of ids that tables write differently: ``7``, ``7.0``, `` 7`` and ``007``; ``=1+1`` and ``'=1+1``."""

import re
from typing import Any

import numpy as np
import pandas as pd

WHOLE_NUMBER = re.compile(r"([+-]?[0-9]+)(?:\.0*)?")
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
"""First characters of a formula in a spreadsheet, also in full width."""
BLANKS = " \t\r\n\v\f\xa0\u200b\u3000\ufeff"
MARK = "'"
"""Character before a cell of a table that a spreadsheet must not take for a formula."""


def normal_text(value: Any) -> str | None:
    """Return the text that equal ids of different types share; None for a missing value.

    It has no blanks around it, unless it is nothing else.
    """
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            return None
        value = int(value) if value == int(value) else float(value)
    elif value is None or value is pd.NA or value is pd.NaT:
        return None
    text = str(value).strip() or str(value)
    number = WHOLE_NUMBER.fullmatch(text)
    return number[1].removeprefix("+") if number else text


def without_leading_zeros(value: Any) -> str | None:
    """Return the `normal_text` of digits without their leading zeros; None for all other ids."""
    text = normal_text(value)
    if text is None or not text.isascii() or not text.removeprefix("-").isdigit():
        return None
    sign = "-" if text.startswith("-") else ""
    return sign + (text.removeprefix("-").lstrip("0") or "0")


def as_cell(text: str) -> str:
    """Return text as a cell that no spreadsheet takes for a formula: with an apostrophe if it looks like one.

    Numbers such as ``-5`` are no formulas. The text of each cell is known: `from_cell` returns it.
    """
    return MARK + text if is_formula(text.lstrip(MARK)) else text


def from_cell(cell: str) -> str:
    """Return the text of a cell that `as_cell` returned."""
    return cell[1:] if cell.startswith(MARK) and is_formula(cell.lstrip(MARK)) else cell


def is_formula(text: str) -> bool:
    """Return True for a text that a spreadsheet may take for a formula, or for the beginning of other cells."""
    first = text.lstrip(BLANKS)[:1]
    return text[:1] in {*"\t\r\n"} or (first != "" and first in SIGNS and not NUMBER.fullmatch(text))


def without_mark(value: Any) -> str | None:
    """Return the `normal_text` of an id without the apostrophe of a cell (`as_cell`)."""
    return normal_text(from_cell(value) if isinstance(value, str) else value)
