"""Blocks of users: interactions that are larger than the memory, with all rows of a user in one block.

The rows are read in batches and sorted into files by a hash of the user's id. Each file is then read like a table of
its own. So the memory depends on the size of a block, not on the number of users.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from recsys_ae.data.id_forms import normal_text
from recsys_ae.data.parsing import Series
from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.parquet_table import ParquetTable
from recsys_ae.data.readers.parts.block_files import writing
from recsys_ae.data.readers.parts.places import Part
from recsys_ae.data.readers.table import EmptyError, Kind, Table, arrow, series
from recsys_ae.data.readers.written_values import CANONICAL, MARKERS
from recsys_ae.errors import DataError, Message

BLOCK_ROWS = 1_500_000
"""Rows of a block, about."""
MOST_BLOCKS = 256
"""Largest number of blocks, which are files that are open at the same time."""
ROW_BYTES = 20
"""Bytes of a row of text, about, by which the number of rows is estimated."""
PACKED = 5
"""Ratio of the bytes of a text to those of its compressed file, about."""


@dataclass(frozen=True, eq=False)
class BlockTable:
    """The rows of a block, in a file that was written by `sorted_into_blocks`.

    Attributes
    ----------
    path
        The file.
    names, first, typed, written
        As in the table that the rows are from.
    integers
        True if all ids of a column of text are integers, by the column's position.
    is_rated
        True if a rating of any block is not 1.
    """

    path: Path
    names: tuple[str, ...] | None
    first: tuple[str, ...]
    typed: bool
    written: bool
    integers: Mapping[int, bool]
    is_rated: bool
    remarks: list[str] = field(default_factory=list)
    described: Message = ("it is a block of users",)
    says_names: ClassVar[bool] = False

    def read(self, kinds: Mapping[int, Kind], *, header: bool) -> dict[int, Series]:
        """Return the columns at these positions."""
        ipc = arrow("pyarrow.ipc")
        with arrow().OSFile(str(self.path)) as file, ipc.open_stream(file) as reader:
            table = reader.read_all()
        if table.num_rows == 0:
            raise EmptyError("the block has no rows")
        return {
            position: series(table.column(str(position)), kind, integers=self.integers.get(position, False))
            for position, kind in kinds.items()
        }

    def batches(self, kinds: Mapping[int, Kind], *, header: bool) -> Iterator[dict[int, Series]]:
        """Yield the columns at these positions at once."""
        yield self.read(kinds, header=header)


def n_blocks_of(parts: Sequence[Part], rows: int | None = None) -> int:
    """Return the number of blocks for these files, by their number of rows, or an estimate of it."""
    return max(1, min(MOST_BLOCKS, -(-sum(map(_rows_of, parts)) // (rows or BLOCK_ROWS))))


def _rows_of(part: Part) -> int:
    source = part.source
    if source.suffix in (".parquet", ".pq") and source.member is None:
        try:
            return ParquetTable.of(source).n_rows
        except EmptyError:
            return 0
    return _bytes_of(source) // ROW_BYTES


def _bytes_of(source: Source) -> int:
    if source.content is not None:
        return len(source.content)
    if source.files is not None:
        size = int(source.files.get_file_info(source.path.as_posix()).size)
    else:
        size = source.path.stat().st_size
    return size * (PACKED if source.is_packed else 1)


def sorted_into_blocks(
    table: Table, kinds: Mapping[int, Kind], user: int, rating: int | None, *, header: bool, n_blocks: int, folder: Path
) -> list[BlockTable]:
    """Write the columns at these positions to a file for each block, and return the tables of the blocks.

    Parameters
    ----------
    user, rating
        Position of the column of users, by which the rows are sorted, and of that of ratings, if there is one.
    folder
        Empty folder for the files.
    """
    read: Mapping[int, Kind] = kinds if table.typed else dict.fromkeys(kinds, "text")
    integers = dict.fromkeys(kinds, not table.typed)
    paths = [folder / f"{block:04}.arrow" for block in range(n_blocks)]
    batches = iter(table.batches(read, header=header))
    first = next(batches, None)
    if first is None:
        raise EmptyError("the table has no rows")
    schema = _arrow_of(first, None).schema
    home, is_rated = -1, False
    with writing(paths, schema) as write:
        for columns in chain((first,), batches):
            batch = _arrow_of(columns, schema)
            for position in kinds:
                integers[position] = integers[position] and _are_integers(columns[position])
            is_rated = is_rated or (rating is not None and _has_other_than_1(columns[rating]))
            blocks = _blocks_of(columns[user], n_blocks)
            home = max(home, int(blocks.max()))
            blocks[blocks < 0] = max(home, 0)  # rows without a user are with rows of users, as in a whole table
            for block, rows in _rows_of_blocks(blocks, n_blocks):
                write(block, batch.take(arrow().array(rows)))
    return [
        BlockTable(path, table.names, tuple(table.first), table.typed, table.written, integers, is_rated)
        for path in paths
    ]


def _has_other_than_1(ratings: Series) -> bool:
    values = ratings.cat.categories if isinstance(ratings.dtype, pd.CategoricalDtype) else ratings
    return bool((pd.to_numeric(pd.Series(values), errors="coerce") != 1).any())


def _arrow_of(columns: Mapping[int, Series], schema: Any) -> Any:
    """Return columns as an Arrow table with plain text instead of categories."""
    pa = arrow()
    arrays = {}
    for position, column in columns.items():
        array = pa.Array.from_pandas(column)
        if pa.types.is_dictionary(array.type):
            array = array.cast(array.type.value_type)
        if pa.types.is_null(array.type) or pa.types.is_large_string(array.type):
            array = array.cast(pa.string())
        arrays[str(position)] = array
    table = pa.table(arrays)
    if schema is None or table.schema == schema:
        return table
    try:
        return table.cast(schema)
    except pa.ArrowException as error:
        raise DataError(f"the types of the columns change within the data: {error}") from error


def _blocks_of(users: Series, n_blocks: int) -> np.ndarray:
    """Return the block of each row, ``(n,)``, and −1 for rows without a user.

    Ids of the same `normal_text` are in the same block.
    """
    codes, distinct = pd.factorize(users)
    texts = [normal_text(value) for value in distinct.tolist()]
    keys = np.array([*(text or "" for text in texts), ""], dtype=object)
    blocks = (pd.util.hash_array(keys, categorize=False) % n_blocks).astype(np.int64)
    blocks[[*(text is None or text.strip() in MARKERS for text in texts), True]] = -1
    return np.asarray(blocks[codes])


def _rows_of_blocks(blocks: np.ndarray, n_blocks: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each block with its rows, in their order."""
    order = np.argsort(blocks, kind="stable")
    ends = np.cumsum(np.bincount(blocks, minlength=n_blocks))
    for block, end in enumerate(ends):
        start = ends[block - 1] if block else 0
        if end > start:
            yield block, order[start:end]


def _are_integers(column: Series) -> bool:
    """Return True if all ids of a column of text are integers in any form that reads as one."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return False
    texts = [normal_text(value) for value in column.cat.categories.tolist()]
    ids = [text for text in texts if text is not None and text.strip() not in MARKERS]
    return all(CANONICAL.fullmatch(text) and abs(int(text)) < 2**63 for text in ids)
