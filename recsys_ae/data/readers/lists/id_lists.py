"""Lists of users, of items or of pairs: one id in each line, or columns of a table in any format of the readers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data.id_forms import from_cell, is_formula
from recsys_ae.data.parsing import Column, Series, listing
from recsys_ae.data.readers.bounded.bounds import whole
from recsys_ae.data.readers.column_names import is_header, likely, recognised
from recsys_ae.data.readers.column_roles import has_header, is_number
from recsys_ae.data.readers.errors import errors_of
from recsys_ae.data.readers.parts.parted_table import PartedTable
from recsys_ae.data.readers.parts.places import Part, parts_of
from recsys_ae.data.readers.read import open_parts, plain
from recsys_ae.data.readers.table import Table
from recsys_ae.data.readers.text_blocks import utf8_blocks
from recsys_ae.data.readers.text_format import TextFormat
from recsys_ae.data.readers.text_table import TextTable
from recsys_ae.data.readers.written_values import as_written
from recsys_ae.data.table_rows import Missing, refuse_missing
from recsys_ae.errors import Argument, DataError


def read_ids(
    path: str | Path,
    wanted: Mapping[str, Sequence[Column | None]],
    form: TextFormat,
    *,
    header: bool | None = None,
    every: bool = False,
    missing: Missing = "error",
) -> pd.DataFrame:
    """Read the ids of users, of items, or of both from a file.

    Columns are found by the names in ``wanted``, else by usual names, else by position. A text file whose first line
    shows no table is a list: each line that is not empty is an id of the last role. The id ``=1`` may be written
    ``'=1``, as tables for spreadsheets have it, if all such ids of the column are.

    Parameters
    ----------
    path
        A file of any format that `read_interactions` reads.
    wanted
        The roles ``user`` and ``item``, or one of them, each with columns to look for; the file may lack them.
    form, header
        Format of a text file, as for `read_interactions`.
    every
        Raise an error if the file lacks a role; otherwise only the last role is needed.

    missing
        Raise an error for a row in which an id is missing, or skip such rows and say so.

    Returns
    -------
    DataFrame
        A column of integers or text for each role that the file has; ``attrs["remarks"]`` holds remarks.

    Raises
    ------
    DataError
        If the file cannot be read, has no id, lacks a column that is needed, or an id is missing.
    """
    with errors_of(path, form.encoding):
        parts = parts_of(path)
        table = open_parts(parts, form)
        chosen = _columns(table, wanted, header, every=every)
        if chosen is None:
            return _present({list(wanted)[-1]: _lines(parts, form)}, missing)
        positions, named = chosen
        lacking = [role for role in wanted if role not in positions and (every or role == list(wanted)[-1])]
        if lacking:
            raise _no_column(table, lacking[0])
        columns = table.read(dict.fromkeys(positions.values(), "text"), header=named)
        named_columns = {
            role: columns[position].rename(table.first[position] if named else role)
            for role, position in positions.items()
        }
        return _present(named_columns, missing, table)


def _present(columns: Mapping[str, Series], missing: Missing, table: Table | None = None) -> pd.DataFrame:
    """Return the rows in which no id is missing; raise an error for the first other row unless ``missing`` skips it."""
    noted: list[str] = []
    ids = {}
    gaps = np.zeros(len(next(iter(columns.values()))), dtype=bool)
    for role, column in columns.items():
        ids[role] = column
        if table is not None and not table.typed:
            ids[role] = as_written(column, role, missing, noted, text=table.written)
        if table is None or table.written:
            ids[role] = _from_cells(ids[role])
        gap = ids[role].isna().to_numpy(dtype=bool)
        if missing == "error":
            refuse_missing(gap, column, role)
        gaps |= gap
    if gaps.all():
        raise DataError(f"none of the {len(gaps):,} rows has a {' and '.join(columns)}")
    if gaps.any():
        noted.append(f"skipped {int(gaps.sum()):,} of {len(gaps):,} rows without a {' or '.join(columns)}")
    present = pd.DataFrame({role: plain(column[~gaps].reset_index(drop=True)) for role, column in ids.items()})
    present.attrs["remarks"] = tuple(noted)
    return present


def _from_cells(column: Series) -> Series:
    """Return ids without the apostrophes that were written for spreadsheets, unless the file also has bare formulas."""
    texts = [text for text in column.dropna().unique() if isinstance(text, str)]
    if any(map(is_formula, texts)) or all(from_cell(text) is text for text in texts):
        return column
    return column.map(lambda value: from_cell(value) if isinstance(value, str) else value, na_action="ignore")


def _columns(
    table: Table, wanted: Mapping[str, Sequence[Column | None]], header: bool | None, *, every: bool
) -> tuple[dict[str, int], bool] | None:
    """Return the positions of the roles, and True if the first row holds names; None if the file is a list of lines."""
    first = table.first
    if table.names is not None or header is not False:
        positions = _by_name(first, wanted)
        if table.names is not None and not positions and len(first) == 1:
            positions = {list(wanted)[-1]: 0}
        if positions or table.names is not None:
            return positions, True
    if len(first) > 1 and (every or _is_tabbed(table) or all(map(is_number, first))):
        requested = {
            role: next((column for column in wanted[role] if isinstance(column, int)), None) for role in wanted
        }
        return _by_order(first, requested), has_header(first, requested, header)
    is_table = len(first) > 1 and header is not False and is_header(first)
    return ({}, True) if every or is_table else None


def _by_name(first: Sequence[str], wanted: Mapping[str, Sequence[Column | None]]) -> dict[str, int]:
    positions: dict[str, int] = {}
    names = [name.strip() for name in first]
    for role, columns in wanted.items():
        requested = [names.index(column) for column in columns if isinstance(column, str) and column in names]
        usual = requested or recognised(first, role, set(positions.values()))
        if usual:
            positions[role] = usual[0]
    for role in wanted:
        near = [] if role in positions or len(first) == 1 else likely(first, role, set(positions.values()))
        if len(near) == 1:
            positions[role] = near[0]
    return positions


def _by_order(first: Sequence[str], requested: Mapping[str, Column | None]) -> dict[str, int]:
    """Return the requested positions, else the first columns; a single column is that of the last role."""
    roles = list(requested)[-1:] if len(first) == 1 else list(requested)
    positions = {role: column for role, column in requested.items() if isinstance(column, int) and column < len(first)}
    for role in roles:
        free = (position for position in range(len(first)) if position not in positions.values())
        if role not in positions:
            positions[role] = next(free)
    return positions


def _lines(parts: Sequence[Part], form: TextFormat) -> Series:
    """Return the lines of text files; separators belong to the ids, and so do quotation marks unless all have them."""
    lines: list[str] = []
    for part in parts:
        with part.source.open() as stream:
            text = whole(utf8_blocks(stream, form.encoding)).decode("utf-8-sig")
        lines += [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    if all(len(line) > 1 and line.startswith('"') and line.endswith('"') for line in lines):
        lines = [line[1:-1].replace('""', '"') for line in lines]
    return pd.Series(lines, dtype=object)


def _no_column(table: Table, role: str) -> DataError:
    there = "the only column is" if len(table.first) == 1 else "the columns are"
    return DataError(
        f"no column was recognised as the {role}; set ",
        Argument(role),
        f" to its name; {there}: {listing(table.first)}",
    )


def _is_tabbed(table: Table) -> bool:
    head = table.head if isinstance(table, PartedTable) else table
    return isinstance(head, TextTable) and head.layout.separator == "\t"
