"""Columns whose values are in the names of folders: ``date=2026-01-01/part.parquet``."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import Ids, Series
from recsys_ae.data.readers.parts.places import Part
from recsys_ae.data.readers.parts.where import Condition


def may_hold(part: Part, asked: Sequence[Condition]) -> bool:
    """Return False if the names of a part's folders show that no row of it fulfils the conditions."""
    return all(
        condition.holds(constant(part.keys[condition.column], 1)).all()
        for condition in asked
        if condition.column in part.keys
    )


def constant(value: str | None, n: int) -> Series:
    """Return a column with the same text in each row; an integer in its usual form is a number."""
    if value is None:
        return pd.Series(pd.Categorical.from_codes(np.full(n, -1), pd.Index([], dtype=object)))
    is_number = value.isdecimal() and value.isascii() and str(int(value)) == value and len(value) < 19
    known: Ids = pd.Index([int(value)] if is_number else [value])
    return pd.Series(pd.Categorical.from_codes(np.zeros(n, np.int32), known))
