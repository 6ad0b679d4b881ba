"""Columns of lists, with a row for each user: each value of a list becomes a row of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recsys_ae.data.readers.table import arrow
from recsys_ae.errors import DataError


def is_list(kind: Any) -> bool:
    """Return True for an Arrow type of lists of plain values."""
    types = arrow().types
    is_sequence = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(is_sequence and not types.is_nested(kind.value_type))


def exploded(columns: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return Arrow columns with a row for each value of the lists, and the number of rows without any.

    Parameters
    ----------
    columns
        Columns of equal lengths by name. Several lists of a row have equal lengths; the other columns are repeated.

    Raises
    ------
    DataError
        If two lists of a row have different lengths; the message names the row.
    """
    compute = arrow("pyarrow.compute")
    lists = {name: _plain(column) for name, column in columns.items() if is_list(column.type)}
    lengths = {name: compute.fill_null(compute.list_value_length(column), 0) for name, column in lists.items()}
    counts = [length.to_numpy(zero_copy_only=False) for length in lengths.values()]
    names = list(lists)
    for name, other in zip(names[1:], counts[1:], strict=True):
        _refuse_other_lengths((names[0], name), counts[0], other)
    rows = np.repeat(np.arange(len(counts[0])), counts[0])
    found = {
        name: compute.list_flatten(lists[name]) if name in lists else column.take(arrow().array(rows))
        for name, column in columns.items()
    }
    return {name: _chunked(column) for name, column in found.items()}, int((counts[0] == 0).sum())


def _plain(column: Any) -> Any:
    """Return a column of lists in one piece, without those of a fixed size, whose missing lists have values."""
    combined = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    if arrow().types.is_fixed_size_list(combined.type):
        combined = combined.cast(arrow().list_(combined.type.value_type))
    return combined


def _refuse_other_lengths(names: Sequence[str], first: np.ndarray, other: np.ndarray) -> None:
    different = np.flatnonzero(first != other)
    if len(different):
        row = int(different[0])
        raise DataError(
            f"the lists in row {row + 1} have different lengths: {names[0]} has {first[row]:,}, and {names[1]} "
            f"{other[row]:,}"
        )


def _chunked(column: Any) -> Any:
    pa = arrow()
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
