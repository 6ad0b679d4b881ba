"""Tables of other libraries as pandas DataFrames: Arrow tables, polars, dictionaries of columns, lists of rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.sparse import issparse

from recsys_ae.data.parsing import Series
from recsys_ae.errors import DataError, MissingPackageError

HINTS = {
    "a sparse matrix": "read it with Interactions.from_matrix",
    "a path": "read the file with read_interactions",
    "rows without names": "name the columns: pd.DataFrame(rows, columns=['user', 'item'])",
}


def as_frame(table: Any) -> pd.DataFrame:
    """Return a table as a pandas DataFrame; a DataFrame is returned as it is.

    Parameters
    ----------
    table
        DataFrame of pandas; table with ``to_pandas``, such as those of polars and Arrow, or with an Arrow stream
        (``__arrow_c_stream__``); mapping of names to columns; or list of mappings, one for each row.

    Raises
    ------
    DataError
        If it is anything else; the message names its type.
    MissingPackageError
        If the library of the table needs another package for the conversion.
    """
    if isinstance(table, pd.DataFrame):
        return table
    if not isinstance(table, (pd.Series, pd.Index, type)):
        frame = _converted(table)
        if isinstance(frame, pd.DataFrame):
            return frame
    kind = _kind(table)
    hint = f"; {HINTS[kind]}" if kind in HINTS else ""
    raise DataError(f"expected a pandas DataFrame, not {type(table).__module__}.{type(table).__qualname__}{hint}")


def _converted(table: Any) -> Any:
    """Return the DataFrame of a table; None or another object if there is no conversion."""
    try:
        if callable(getattr(table, "to_pandas", None)):
            return table.to_pandas()
        if hasattr(table, "__arrow_c_stream__"):
            import pyarrow  # noqa: PLC0415

            return pyarrow.table(table).to_pandas()
    except ImportError as error:
        raise MissingPackageError(
            f"converting {type(table).__module__}.{type(table).__qualname__} to pandas needs the package "
            f"{error.name}: pip install {error.name}, or pass a pandas DataFrame"
        ) from error
    try:
        if isinstance(table, Mapping):
            return pd.DataFrame({name: _without_index(column) for name, column in table.items()})
        if isinstance(table, Sequence) and table and all(isinstance(row, Mapping) for row in table):
            return pd.DataFrame(list(table))
    except (ValueError, TypeError) as error:
        raise DataError(f"the columns do not make a table, such as a pandas DataFrame: {error}") from error
    return None


def _without_index(column: Any) -> Any:
    """Return a column by position: pandas would order the values of several Series by their indices."""
    if isinstance(column, pd.Series):
        return column.reset_index(drop=True)
    to_pandas = getattr(column, "to_pandas", None)
    converted: Series | Any = to_pandas() if callable(to_pandas) else column
    return converted


def _kind(table: Any) -> str:
    if issparse(table):
        return "a sparse matrix"
    if isinstance(table, (str, Path)):
        return "a path"
    return "rows without names" if isinstance(table, (list, tuple)) or hasattr(table, "__array__") else ""
