"""Tables of features: a column of ids, columns of numbers, and columns of texts whose words are counted."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import Ids, listing
from recsys_ae.data.readers.read import read_table
from recsys_ae.errors import Argument, DataError, Message
from recsys_ae.features.data.checks import errors_of, row_ids
from recsys_ae.features.data.features import Features, joined
from recsys_ae.features.data.number_columns import numbers, shortened
from recsys_ae.features.data.texts import count_words

USUAL = ("item", "itemid", "movieid", "id")
"""Names of a column of ids in order of preference, without case, blanks and punctuation."""
UNNAMED = re.compile(r"\s*(Unnamed: [0-9]+)?")
"""Names that pandas gives to row numbers: none when it writes them, and one like ``Unnamed: 0`` afterwards."""


class NamedTable(NamedTuple):
    """A table from a file, the name of its column of ids, and the ids; ``chosen`` says why that column was taken."""

    frame: pd.DataFrame
    id: str
    ids: Ids
    chosen: str

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        return list(self.frame.columns)


def read_feature_table(
    path: str | Path,
    columns: Sequence[str] = (),
    *,
    id: str | None = None,
    texts: Sequence[str] = (),
    known: Sequence[str] | None = None,
) -> Features:
    """Read columns of a table, in one or several files; the default is all. See `read_features`."""
    table = read_named_table(path, id=id)
    for name in (*columns, *texts):
        if name not in table.names:
            raise DataError(f"{path}: there is no column {name!r}; the columns are: {listing(table.names)}")
    remarks = [f"{path}: ids are read from the column {table.id!r}, {table.chosen}"] if table.chosen else []
    if not columns:
        unnamed = [name for name in table.names if UNNAMED.fullmatch(name) and name != table.id]
        remarks += [f"{path}: column {table.names.index(name) + 1} has no name and is not used" for name in unnamed]
        columns = [name for name in table.names if name not in (table.id, *unnamed)]
    numeric = [name for name in columns if name not in texts]
    parts = [_of_numbers(path, table, numeric)] if numeric or not texts else []
    for name in texts:
        with errors_of(path):
            column = pd.Series(table.frame[name].to_numpy(), index=table.ids)
            parts.append(count_words(column, name=name, known=known))
    return joined(parts).noting(*remarks)


def read_named_table(path: str | Path, *, id: str | None = None) -> NamedTable:
    """Read a table whose first line holds the names of its columns, and its ids, which must be present and different.

    Parameters
    ----------
    id
        Column of the ids; the default is a usual name, else the first column.
    """
    frame = read_table(path, header=True)
    if any(isinstance(name, int) for name in frame.columns):
        raise DataError(f"{path}: two columns have the same name; rename one of them in the first line")
    frame.columns = pd.Index([str(name) for name in frame.columns])
    names = list(frame.columns)
    if id is not None and id not in names:
        raise DataError(
            f"{path}: ", Argument("id", id), f": there is no such column; the columns are: {listing(names)}"
        )
    column = id_column(names) if id is None else id
    chosen = "" if id is not None or _is_usual(column) else "the first, because none is called item, movieId or id"
    why = f"; ids are read from the column {column!r}{f', {chosen}' if chosen else ''}; set "
    with errors_of(path, (why, Argument("id"), " to another column, or keep one row of each id")):
        return NamedTable(frame, column, row_ids(frame[column]), chosen)


def id_column(names: Sequence[str]) -> str:
    """Return the column of the ids in a table: a usual name, else the first column."""
    plain = [_plain(name) for name in names]
    return next((names[plain.index(usual)] for usual in USUAL if usual in plain), names[0])


def _is_usual(name: str) -> bool:
    return _plain(name) in USUAL


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _of_numbers(path: str | Path, table: NamedTable, names: Sequence[str]) -> Features:
    if not names:
        raise DataError(f"{path}: there is no column besides the ids in {table.id!r}")
    values, remarks = np.empty((len(table.ids), len(names)), np.float32), list[str]()
    for position, name in enumerate(names):
        try:
            values[:, position], marked = numbers(table.frame[name], name)
        except DataError as error:
            is_text = "is not a number:" in str(error)
            raise DataError(
                f"{path}: ", *error.parts, *_way_out(path, table, names, name if is_text else None)
            ) from error
        remarks += marked
    with errors_of(path):
        noted = tuple(f"{path}: {remark}" for remark in shortened(remarks))
        return Features(values, table.ids, pd.Index(names), remarks=noted)


def _way_out(path: str | Path, table: NamedTable, names: Sequence[str], texts: str | None) -> Message:
    """Return what to do about columns that are not numeric, with an example of those that are; ``texts`` is a text."""
    usable = []
    for name in names:
        with suppress(DataError):
            numbers(table.frame[name], name)
            usable.append(name)
    example = f"; or read other columns, such as {path}:{','.join(usable[:5])}" if usable else ""
    return (example,) if texts is None else ("; if it is text, set ", Argument("texts", [texts]), example)
