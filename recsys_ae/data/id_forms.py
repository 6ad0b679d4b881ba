"""Forms of ids that tables write differently: ``7``, ``7.0``, `` 7`` and ``007``."""

import re
from typing import Any

import numpy as np
import pandas as pd

WHOLE_NUMBER = re.compile(r"([+-]?[0-9]+)(?:\.0*)?")


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
