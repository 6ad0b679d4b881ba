"""Files of interactions: CSV, TSV, ``::``, Parquet or JSON lines; plain, gzipped or inside a zip archive."""

import gzip
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from recsys_ae.data.interactions import Duplicates, Interactions
from recsys_ae.data.parsing import Column, Series
from recsys_ae.data.readers.archives import Source, locate
from recsys_ae.data.readers.cache import cached
from recsys_ae.data.readers.column_roles import assign, has_header, position_of
from recsys_ae.data.readers.json_lines import JsonLines
from recsys_ae.data.readers.parquet_table import ParquetTable
from recsys_ae.data.readers.table import Kind, Table
from recsys_ae.data.readers.text_layout import check_options, not_text
from recsys_ae.data.readers.text_table import TextTable
from recsys_ae.errors import DataError

DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile, struct.error)
KINDS: dict[str, Kind] = {"user": "text", "item": "text", "rating": "float", "timestamp": "int"}


def read_interactions(
    path: str | Path,
    *,
    user: Column | None = None,
    item: Column | None = None,
    rating: Column | None = None,
    timestamp: Column | None = None,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str = "utf-8",
    duplicates: Duplicates = "error",
    cache: bool = False,
) -> Interactions:
    """Read one interaction from each row of a file.

    Parameters
    ----------
    path
        The format is known by the ending of the name or the first bytes. A path may go on into a zip archive:
        ``ml-1m.zip/ml-1m/ratings.dat``.
    user, item, rating, timestamp
        Names, or positions from 0, of the columns. None: recognised by usual names (``userId``, ``movie_id``,
        ``stars``, …); without a header the first four columns, of which the last two may be absent. Without a rating
        every interaction counts 1.0.
    separator
        Any text; None: ``::``, tab, comma, ``;``, ``|`` or spaces, whichever cuts the first rows evenly. Fields may be
        quoted where it is one character, and no space. A space stands for any number of them.
    header
        Whether the first row holds names; None: if a name in it is known or asked for; not if both ids are numbers.
    encoding
        Of text, any that Python knows.
    duplicates
        As for ``Interactions.from_frame``.
    cache
        Keep what was read from a file of 10 MB or more beside it, or in the user's cache folder, and take it from there
        when the same content is read again in the same way.

    Notes
    -----
    Ids of text files are integers if all of a column are integers in their usual form; ``007`` makes a column of text.
    In Parquet and JSON lines they are what they are there; decimals of Parquet are integers if all of a column are
    integers of 64 bits, else their plain text. Empty ones are missing. Rows are counted from 1, without the header and
    empty lines.

    Raises
    ------
    DataError
        One line that begins with the path.
    """
    check_options(separator, encoding)
    wanted = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    with _errors_of(path, encoding):
        source = locate(Path(path))

        def read() -> Interactions:
            return _interactions(_open(source, separator, encoding), wanted, header, duplicates)

        if not cache:
            return read()
        how = {"member": source.member, "separator": separator, "header": header, "encoding": encoding}
        return cached([source.path], {"columns": wanted, "duplicates": duplicates, **how}, read)


def read_table(
    path: str | Path,
    *,
    columns: Sequence[Column] | None = None,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Read columns of a file, by default all, as integers or text; arguments are as in ``read_interactions``.

    The columns of the result are called what they were asked for by. Empty fields are missing values. Decimals of
    Parquet are exact: integers if all of a column are integers of 64 bits, else their plain text.
    """
    check_options(separator, encoding)
    with _errors_of(path, encoding):
        table = _open(locate(Path(path)), separator, encoding)
        first = table.first
        wanted = dict(enumerate([] if columns is None else columns))
        names = table.names is not None or has_header(first, wanted, header)
        if columns is None:
            columns = [*first] if names and len({*first}) == len(first) else range(len(first))
        found = {
            column: position_of(first, column, "columns", header=names, described=table.described) for column in columns
        }
        read = table.read(dict.fromkeys(found.values(), "text"), header=names)
        return pd.DataFrame({column: _plain(read[position]) for column, position in found.items()})


def _interactions(
    table: Table, wanted: Mapping[str, Column | None], header: bool | None, duplicates: Duplicates
) -> Interactions:
    if table.names is None and len(table.first) < 2:
        raise DataError("two columns are needed; ", *table.described)
    names = table.names is not None or has_header(table.first, wanted, header)
    roles = assign(table.first, wanted, header=names, described=table.described)
    # A column in two roles is read as text, which can become either.
    shared = [position for position in roles.values() if [*roles.values()].count(position) > 1]
    kinds = {position: "text" if position in shared else KINDS[role] for role, position in roles.items()}
    columns = table.read(kinds, header=names)
    frame = pd.DataFrame({role: columns[position] for role, position in roles.items()}, copy=False)
    del columns
    optional = {role: role for role in ("rating", "timestamp") if role in roles}
    return Interactions.from_frame(frame, duplicates=duplicates, **optional)


def _open(source: Source, separator: str | None, encoding: str) -> Table:
    with source.open() as stream:
        start = stream.read(16)
    if not start:
        raise DataError("the file is empty")
    if source.suffix in (".parquet", ".pq") or start.startswith(b"PAR1"):
        return ParquetTable.of(source)
    if source.suffix in (".jsonl", ".ndjson", ".json") or re.match(rb'\s*\{\s*"', start):
        return JsonLines.of(source, encoding)
    return TextTable.of(source, separator, encoding)


def _plain(column: Series) -> Series:
    """Write categories out: as integers, text, or as what they are."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    kind = column.cat.categories.dtype
    return column.astype("Int64" if kind == "int64" and column.hasnans else kind).infer_objects()


@contextmanager
def _errors_of(path: str | Path, encoding: str) -> Iterator[None]:
    """Turn whatever goes wrong with a file into one line that begins with its path."""
    try:
        yield
    except DataError as error:
        parts = (" ".join(part.splitlines()) if isinstance(part, str) else part for part in error.parts)
        raise DataError(f"{path}: ", *parts) from error
    except UnicodeError as error:
        raise DataError(f"{path}: ", *not_text(encoding).parts) from error
    except DAMAGED as error:
        raise DataError(_line(path, f"the file is truncated or damaged ({error})")) from error
    except OSError as error:
        raise DataError(_line(path, f"the file cannot be read: {error.strerror or error}")) from error


def _line(path: str | Path, message: object) -> str:
    return f"{path}: {' '.join(str(message).splitlines())}"
