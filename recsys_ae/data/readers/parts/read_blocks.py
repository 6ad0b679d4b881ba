"""Reading of interactions in blocks of users, for data that are larger than the memory."""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from recsys_ae.data.interactions import Duplicates, Interactions
from recsys_ae.data.parsing import Column
from recsys_ae.data.readers.column_roles import roles_of
from recsys_ae.data.readers.errors import errors_of
from recsys_ae.data.readers.lists.choice import FileLayout, chosen
from recsys_ae.data.readers.parts.places import parts_of
from recsys_ae.data.readers.parts.user_blocks import BlockTable, n_blocks_of, sorted_into_blocks
from recsys_ae.data.readers.parts.where import conditions
from recsys_ae.data.readers.read import interactions_of, open_parts
from recsys_ae.data.readers.table import EmptyError
from recsys_ae.data.readers.text_format import TextFormat
from recsys_ae.data.table_rows import Missing

ROOM = "_blocks-"
"""Beginning of the name of the folder for temporary files; programs that read a folder of parts leave it out."""


class UserBlock(NamedTuple):
    """Interactions of a block of users.

    ``number`` is from 0 to ``n_blocks`` - 1. ``is_rated`` is True if a rating of any block is not 1.
    """

    number: int
    n_blocks: int
    data: Interactions
    is_rated: bool


def read_blocks(  # noqa: PLR0913  the options of `read_interactions`
    path: str | Path,
    requested: Mapping[str, Column | None],
    form: TextFormat,
    *,
    header: bool | None = None,
    layout: FileLayout = "auto",
    duplicates: Duplicates = "error",
    missing: Missing = "error",
    where: str | None = None,
    n_blocks: int | None = None,
    folder: Path | None = None,
    skip: Callable[[int], bool] | None = None,
) -> Iterator[UserBlock]:
    """Yield interactions in blocks of users: all rows of a user are in one block.

    Parameters
    ----------
    path, requested, form, header, layout, duplicates, missing, where
        As for `read_interactions`; ``requested`` has the columns by role.
    n_blocks
        Number of blocks; the default is such that a block has about 1.5 million rows.
    folder
        Folder for temporary files, which take about as much room as the data; the default is the system's.
    skip
        Function of the number of a block that returns True if it is not needed.

    Yields
    ------
    UserBlock
        A block with users, whose ids have the same form in all blocks. Blocks without users are left out.
    """
    asked = conditions(where)
    with errors_of(path, form.encoding), tempfile.TemporaryDirectory(dir=folder, prefix=ROOM) as home:
        parts = parts_of(path)
        n = n_blocks_of(parts) if n_blocks is None else n_blocks
        table = open_parts(parts, form, header=header, layout=chosen(layout, requested), asked=asked)
        if n == 1 and not (skip is not None and skip(0)):
            data = interactions_of(table, requested, header, duplicates, missing)
            yield UserBlock(0, 1, data, bool((data.matrix.data != 1).any()))
        if n == 1:
            return
        roles = roles_of(table, requested, header)
        user = roles.positions["user"]
        blocks = sorted_into_blocks(
            table,
            roles.kinds,
            user,
            roles.positions.get("rating"),
            header=roles.has_names,
            n_blocks=n,
            folder=Path(home),
        )
        for number, block in enumerate(blocks):
            if skip is not None and skip(number):
                continue
            try:
                data = interactions_of(block, requested, roles.has_names, duplicates, missing)
            except EmptyError:
                continue
            finally:
                block.path.unlink(missing_ok=True)
            yield UserBlock(number, n, _with_one_form(data, block, user), block.is_rated)


def _with_one_form(data: Interactions, block: BlockTable, user: int) -> Interactions:
    """Return a block whose users are text if those of all blocks are, although its own are integers."""
    if block.written and not block.integers[user] and data.users.dtype.kind in "iu":
        return dataclasses.replace(data, users=data.users.astype(str))
    return data
