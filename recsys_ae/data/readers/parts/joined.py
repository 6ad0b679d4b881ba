"""Columns of several parts as one column, with each distinct value stored once."""

from collections.abc import MutableMapping, Sequence

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import Series
from recsys_ae.data.readers.table import arrow


def joined_columns(parts: MutableMapping[int, list[Series]]) -> dict[int, Series]:
    """Return the columns of all parts, without those that no part has; ``parts`` is emptied.

    The parts of a column are freed before the next column is joined, so that at most one column is in memory twice.
    """
    found = {}
    for position in list(parts):
        if columns := parts.pop(position):
            found[position] = joined(columns)
            del columns
            arrow().default_memory_pool().release_unused()
    return found


def joined(columns: Sequence[Series]) -> Series:
    """Return columns of the same kind one after the other.

    Text of one part and integers of another, as CSV files may have them, become text.
    """
    if len(columns) == 1:
        return columns[0]
    categorical = [isinstance(column.dtype, pd.CategoricalDtype) for column in columns]
    if not any(categorical):
        return pd.concat(columns, ignore_index=True)
    if not all(categorical):
        return pd.concat([column.astype(object) for column in columns], ignore_index=True)
    kinds = {column.cat.categories.dtype.kind for column in columns if len(column.cat.categories)}
    if len(kinds) > 1:
        columns = [_as_text(column) for column in columns]
    return _union(columns)


def _as_text(column: Series) -> Series:
    categories = column.cat.categories
    return column if categories.dtype.kind == "O" else column.cat.rename_categories(categories.astype(str).tolist())


def _union(columns: Sequence[Series]) -> Series:
    """Return the union of categorical columns; categories are in the order of their first appearance."""
    categories = [column.cat.categories for column in columns]
    filled = [index for index in categories if len(index)] or categories[:1]
    positions, known = pd.factorize(filled[0].append(filled[1:]))
    ends = np.cumsum([len(index) for index in categories])
    codes = [
        np.append(positions[end - len(index) : end], -1).astype(np.int32)[column.cat.codes.to_numpy()]
        for column, index, end in zip(columns, categories, ends, strict=True)
    ]
    return pd.Series(pd.Categorical.from_codes(np.concatenate(codes), known))
