"""Reading of interactions from files: CSV, TSV, ``::``, Parquet or JSON lines; one file, a folder or an address."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from recsys_ae.data.interactions import Duplicates, Interactions
from recsys_ae.data.parsing import NONE, Column, Series
from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.cache import cached
from recsys_ae.data.readers.column_roles import has_header, position_of, remarks, roles_of
from recsys_ae.data.readers.errors import errors_of
from recsys_ae.data.readers.foreign import START, refuse_foreign
from recsys_ae.data.readers.json_lines import JsonLines
from recsys_ae.data.readers.lists.choice import FileLayout, chosen
from recsys_ae.data.readers.lists.list_table import ListTable
from recsys_ae.data.readers.parquet_table import ParquetTable
from recsys_ae.data.readers.parts.part_errors import PartError
from recsys_ae.data.readers.parts.parted_table import PartedTable
from recsys_ae.data.readers.parts.places import Part, is_local_file, parts_of
from recsys_ae.data.readers.parts.where import Condition, conditions
from recsys_ae.data.readers.table import EmptyError, Table
from recsys_ae.data.readers.text_format import Quote, TextFormat
from recsys_ae.data.readers.text_table import TextTable
from recsys_ae.data.readers.written_values import as_written
from recsys_ae.data.table_rows import Missing
from recsys_ae.errors import DataError


def read_interactions(  # noqa: PLR0913  one argument for each option of a file
    path: str | Path,
    *,
    user: Column | None = None,
    item: Column | None = None,
    rating: Column | None = None,
    timestamp: Column | None = None,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str = "utf-8",
    quote: Quote = "auto",
    decimal: str = ".",
    comment: str | None = None,
    skip_lines: int = 0,
    layout: FileLayout = "auto",
    duplicates: Duplicates = "error",
    missing: Missing = "error",
    where: str | None = None,
    cache: bool = False,
) -> Interactions:
    r"""Read one interaction from each row of a file, or of the files in a folder.

    Parameters
    ----------
    path
        Path of the file; its format is recognised by the suffix or the first bytes. The path may continue into a zip
        archive: ``ml-1m.zip/ml-1m/ratings.dat``. A folder, a pattern such as ``logs/*.parquet``, and an address that
        Arrow's file systems know, such as ``s3://bucket/logs``, stand for all data files there, which must have the
        same columns; names that begin with ``_`` or ``.`` are not data. Folders such as ``date=2026-01-01`` hold the
        values of a column. ``-`` is standard input.
    user, item, rating, timestamp
        Names, or positions from 0, of the columns. With None they are recognised by usual names (``userId``,
        ``movie_id``, ``stars``, …), or without a header by order; rating and timestamp are optional, and ``"none"``
        leaves them out, unless a column has that name. Without ratings every interaction is 1.0. Timestamps are read
        as by ``Interactions.from_frame``. ``remarks`` name the columns that are not used.
    separator
        Any text. With None the one of ``::``, tab, comma, ``;``, ``|`` and spaces that splits the first rows evenly.
        A space means one or more spaces.
    header
        True if the first row holds the names of the columns. With None it does if a name in it is recognised or
        requested, and does not if both ids are numbers.
    encoding
        Encoding of a text file, any that Python knows.
    layout
        ``"rows"``: a row of the file is an interaction. ``"lists"``: a line of a text file holds a user and all of
        their items, as in LightGCN's files, or a user and a second column with a list of items: ``u1,"5 7 9"``.
        ``"auto"`` recognises lists if no column is requested and it is certain: all ids are integers, no user has two
        lines, no item occurs twice in a line, and the lines are not equally long or the lists are in brackets or have
        three items or more. A remark states that a file was read as lists.
    quote
        Meaning of quotation marks in a text file. ``"double"``: fields in them may hold separators and line ends, and
        a doubled mark stands for one (RFC 4180). ``"none"``: they are ordinary characters. ``"auto"``: ``"double"``
        with a comma, ``;`` or ``|``; with other separators only if all fields of the first line are in quotation marks,
        or if each field that begins with one ends with one in its line. Rows that span lines are stated in
        ``remarks``, and refused if a mark is not closed or their lines look like rows.
    decimal
        Decimal point of the numbers in a text file: a point or a comma.
    comment
        Beginning of lines that are comments. With None, leading lines that begin with ``#`` or ``%`` are comments
        unless they have as many fields as the first other line.
    skip_lines
        Number of lines before the table.
    duplicates, missing
        As for ``Interactions.from_frame``. In text files and JSON lines, an id, rating or timestamp written ``NA``,
        ``N/A``, ``null``, ``\N``, ``nan``, ``None``, ``<NA>`` or the like, or blank, is missing, too.
    where
        Condition that selects rows, such as ``date >= 2026-01-01 and country = DE``. Numbers and times are compared as
        such, other values as text. Files that the names of their folders rule out are not opened.
    cache
        Store the interactions of a file of 10 MB or more in a binary cache next to it, or in the user's cache folder,
        and load them from there when the same content is read again with the same options.

    Notes
    -----
    Ids of text files are integers if all ids of the column are integers; ``007`` makes a column of text. An id is the
    same with ``.0`` behind a whole number or blanks around it. Ids of Parquet and JSON lines keep their type, but
    decimals of Parquet become integers if all of the column are integers of 64 bits, else plain text. Rows are counted
    from 1, without the header and empty lines.

    Raises
    ------
    DataError
        If the file cannot be read; the message is one line that begins with the path.
    """
    form = TextFormat(
        separator=separator, encoding=encoding, quote=quote, decimal=decimal, comment=comment, skip_lines=skip_lines
    )
    requested = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    asked = conditions(where)
    with errors_of(path, encoding):
        parts = parts_of(path)
        file_layout = chosen(layout, requested)

        def read() -> Interactions:
            table = open_parts(parts, form, header=header, layout=file_layout, asked=asked)
            try:
                return interactions_of(table, requested, header, duplicates, missing)
            except DataError as error:
                if isinstance(table, PartedTable) and not isinstance(error, PartError):
                    table.blame(lambda part: interactions_of(part, requested, header, duplicates, missing), error)
                raise

        if not (cache and is_local_file(parts)):
            return read()
        how = {"member": parts[0].source.member, "layout": file_layout, "header": header, **dataclasses.asdict(form)}
        how |= {"columns": requested, "duplicates": duplicates, "missing": missing}
        if len(parts) > 1 or asked or parts[0].keys:
            how |= {"parts": [part.name for part in parts], "where": where}
        return cached([part.source.path for part in parts], how, read)


def read_table(
    path: str | Path,
    *,
    columns: Sequence[Column] | None = None,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Read columns of a file, by default all, as integers or text; arguments are those of ``read_interactions``.

    The columns of the returned table are named as they were requested. Empty fields are missing values. Decimals of
    Parquet are exact: integers if all of a column are integers of 64 bits, else plain text.
    """
    form = TextFormat(separator=separator, encoding=encoding)
    with errors_of(path, encoding):
        table = open_parts(parts_of(path), form)
        first_row = table.first
        requested = dict(enumerate([] if columns is None else columns))
        names = table.names is not None or has_header(first_row, requested, header)
        if columns is None:
            columns = [*first_row] if names and len({*first_row}) == len(first_row) else range(len(first_row))
        positions = {
            column: position_of(first_row, column, "columns", header=names, described=table.described)
            for column in columns
        }
        read = table.read(dict.fromkeys(positions.values(), "text"), header=names)
        return pd.DataFrame({column: plain(read[position]) for column, position in positions.items()})


def interactions_of(
    table: Table,
    requested: Mapping[str, Column | None],
    header: bool | None,
    duplicates: Duplicates,
    missing: Missing,
) -> Interactions:
    """Read the interactions of a table."""
    roles, kinds, names, without = roles_of(table, requested, header)
    requested = {role: None if role in without else column for role, column in requested.items()}
    columns = table.read(kinds, header=names)
    noted: list[str] = []
    # Errors name a column as the file does; names may occur twice, so the columns are given by position.
    frame = pd.DataFrame({role: columns[position] for role, position in roles.items()}, copy=False)
    if not table.typed:
        for role, at in roles.items():
            named = frame[role].rename(table.first[at] if names else role)
            frame[role] = as_written(named, role, missing, noted, text=table.written)
    del columns
    if names:
        frame.columns = pd.Index([table.first[position] for position in roles.values()], dtype=object)
    positions = {role: at for at, role in enumerate(roles)}
    data = Interactions.from_frame(frame, duplicates=duplicates, missing=missing, **positions)
    said = remarks(table.first, roles, {**requested, **dict.fromkeys(without, NONE)}, header=names)
    return dataclasses.replace(data, remarks=(*table.remarks, *said, *noted, *data.remarks))


def open_parts(
    parts: Sequence[Part],
    form: TextFormat,
    *,
    header: bool | None = None,
    layout: FileLayout = "rows",
    asked: Sequence[Condition] = (),
) -> Table:
    """Open a table in one or several files, with the rows that fulfil the conditions."""
    if len(parts) == 1 and not parts[0].keys and not asked:
        return open_table(parts[0].source, form, header=header, layout=layout)
    table = PartedTable.of(parts, lambda part: open_table(part.source, form, header=header, layout=layout), asked)
    if isinstance(table.head, TextTable) and layout == "auto":  # the other parts hold no lists either
        return dataclasses.replace(table, open=lambda part: open_table(part.source, form, header=header))
    return table


def open_table(source: Source, form: TextFormat, *, header: bool | None = None, layout: FileLayout = "rows") -> Table:
    """Open a table, whose format is recognised by the suffix or the first bytes; ``form`` is that of a text table."""
    with source.open() as stream:
        start = stream.read(START)
    if not start:
        raise EmptyError("the file is empty")
    refuse_foreign(start)
    if layout == "lists":
        return ListTable.given(source, form, header)
    if source.suffix in (".parquet", ".pq") or start.startswith(b"PAR1"):
        return ParquetTable.of(source)
    if source.suffix in (".jsonl", ".ndjson", ".json") or re.match(rb'\s*(\{\s*"|\[\s*\{)', start):
        return JsonLines.of(source, form.encoding)
    lists = ListTable.recognised(source, form, header) if layout == "auto" else None
    return TextTable.of(source, form) if lists is None else lists


def plain(column: Series) -> Series:
    """Return a column of categories as a plain column of integers, text or the categories' type."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    kind = column.cat.categories.dtype
    return column.astype("Int64" if kind == "int64" and column.hasnans else kind).infer_objects()
