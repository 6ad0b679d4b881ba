"""Checks of the ids of rows, and errors that begin with the source of the features."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data import decimals
from recsys_ae.data.parsing import Ids, Series, refuse, shown
from recsys_ae.errors import DataError, Message


@contextmanager
def errors_of(source: str | Path, way_out: Message = ()) -> Iterator[None]:
    """Begin the messages of errors about data with their source, and end them with a way out."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{source}: ", *error.parts, *way_out) from error


def row_ids(column: Series) -> Ids:
    """Return a column as ids; raise if one is missing or has several rows, which are counted from 1."""
    refuse(column.isna().to_numpy(dtype=bool), column.rename(None), "id", "is missing")
    ids: Ids = pd.Index(decimals.ids_of(column).to_numpy())
    if not ids.is_unique:
        repeated = ids.duplicated()
        second = int(np.argmax(repeated))
        first = int(np.argmax(np.asarray(ids == ids[second])))
        n_repeated = ids[repeated].nunique()
        others = f" ({n_repeated:,} such ids)" if n_repeated > 1 else ""
        raise DataError(f"the id {shown(ids[second])} has more than one row: rows {first + 1} and {second + 1}{others}")
    return ids
