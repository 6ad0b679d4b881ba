"""Kinds of stored columns, which must not change between the parts of a table."""

from collections.abc import Mapping, Sequence

import pandas as pd

from recsys_ae.data.parsing import Series
from recsys_ae.data.readers.parts.part_errors import PartError


class StoredKinds:
    """Kinds of the columns so far: numbers, times or text.

    Parameters
    ----------
    names
        Names of all columns.
    is_checked
        False for formats without types, whose columns may hold text in one part and numbers in another.
    """

    def __init__(self, names: Sequence[str], *, is_checked: bool) -> None:
        self.names, self.is_checked = names, is_checked
        self.kinds: dict[int, str] = {}

    def refuse_change(self, columns: Mapping[int, Series]) -> None:
        """Raise a `PartError` if a column has another kind than before; columns without values have none."""
        for position, column in columns.items() if self.is_checked else ():
            kind = _kind(column)
            before = self.kinds.setdefault(position, kind) if kind else kind
            if before != kind:
                words = " in some parts and ".join(sorted((kind, before)))
                raise PartError(
                    f"the column {self.names[position]} holds {words} in others; write all parts with the same types"
                )


def _kind(column: Series) -> str:
    """Return the kind of a stored column in words; nothing if all its values are missing."""
    kind = column.cat.categories.dtype if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype
    if column.isna().all():
        return ""
    if pd.api.types.is_numeric_dtype(kind):
        return "numbers"
    return "times" if pd.api.types.is_datetime64_any_dtype(kind) else "text"
