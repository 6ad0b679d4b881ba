"""Top-N lists of any system, read from a table with a row for each recommended item."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from recsys_ae.data.parsing import Column, listing
from recsys_ae.data.readers.column_names import recognised
from recsys_ae.data.readers.column_roles import OPTIONAL, assign, has_header, position_of
from recsys_ae.data.readers.errors import errors_of
from recsys_ae.data.readers.parts.places import parts_of
from recsys_ae.data.readers.read import open_parts, plain
from recsys_ae.data.readers.table import Table
from recsys_ae.data.readers.text_format import TextFormat
from recsys_ae.data.readers.written_values import as_written
from recsys_ae.data.table_rows import Missing
from recsys_ae.errors import Argument, ConfigError, DataError

PLACES = ("rank", "score")
"""Roles of columns that order a list; ranks are preferred."""


def read_top_n(
    path: str | Path,
    requested: Mapping[str, Column | None],
    form: TextFormat,
    *,
    others: Mapping[str, str] | None = None,
    header: bool | None = None,
    missing: Missing = "error",
) -> pd.DataFrame:
    """Read the columns of users, items, and ranks or scores, for `recsys_ae.evaluation.evaluate_lists`.

    Parameters
    ----------
    path
        A file of any format that `read_interactions` reads.
    requested
        Names or positions of the columns of the roles ``user``, ``item``, ``rank`` and ``score``; None for columns that
        are recognised by their usual names.
    form, header
        Format of a text file, as for `read_interactions`.
    others
        Another name to look for before the usual names, by role.
    missing
        Raise an error for a missing value, or keep it as one.

    Returns
    -------
    DataFrame
        The columns ``user`` and ``item``, and ``rank``, or ``score`` if there are no ranks; ``attrs["remarks"]`` holds
        remarks.

    Raises
    ------
    DataError
        If the file cannot be read, or lacks a column.
    ConfigError
        If columns of ranks and of scores are requested.
    """
    if requested["rank"] is not None and requested["score"] is not None:
        rank, score = (Argument(role, requested[role]) for role in PLACES)
        raise ConfigError(rank, " and ", score, ": expected one of them")
    with errors_of(path, form.encoding):
        table = open_parts(parts_of(path), form)
        first = [field.strip() for field in table.first]
        known = {role: name for role, name in (others or {}).items() if name in first}
        wanted = {role: known.get(role) if column is None else column for role, column in requested.items()}
        positions, named = _positions(table, wanted, header)
        kinds = {position: "float" if role in PLACES else "text" for role, position in positions.items()}
        columns = table.read(kinds, header=named)  # type: ignore[arg-type]
        remarks: list[str] = []
        read = {}
        for role, position in positions.items():
            column = columns[position].rename(table.first[position] if named else role)
            if not table.typed:
                column = as_written(column, role, missing, remarks, text=table.written)
            read[role] = plain(column)
        frame = pd.DataFrame(read)
        frame.attrs["remarks"] = (*table.remarks, *remarks)
        return frame


def _positions(
    table: Table, requested: Mapping[str, Column | None], header: bool | None
) -> tuple[dict[str, int], bool]:
    """Return the positions of the user, the item, and the rank or score; also True if the first row holds names."""
    first = table.first
    if header is None and table.says_names:
        header = True
    named = table.names is not None or has_header(first, requested, header)
    roles = assign(first, requested, header=named, described=table.described, without=OPTIONAL)
    for role in sorted(PLACES, key=lambda role: requested[role] is None):
        column = requested[role]
        if column is not None:
            found = [position_of(first, column, role, header=named, described=table.described)]
        else:
            found = recognised(first, role, set(roles.values())) if named else []
        if found:
            return {**roles, role: found[0]}, named
    columns = f"the columns are: {listing(first)}" if named else f"there are {len(first)} columns, counted from 0"
    raise DataError(
        "no column was recognised as the rank or the score; set ",
        Argument("rank"),
        " or ",
        Argument("score"),
        f" to its name or position; {columns}",
    )
