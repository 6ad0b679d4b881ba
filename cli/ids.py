"""Ids from the command line and from files, matched with the ids of a model, which are numbers or text."""

import csv
import difflib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_ae.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from recsys_ae.data.interactions import Ids

LISTED = 5


def positions(ids: "Ids", words: "Sequence[str] | pd.Series[str]") -> "np.ndarray":
    """Return the position of each word among the ids, ``(n,)``; −1 if it is not one of them."""
    from recsys_ae.data.id_matching import match  # noqa: PLC0415

    return match(ids, list(words))


def as_known(known_ids: "Ids", new_ids: "Ids") -> "Ids":
    """Return the new ids, with each that matches a known id replaced by it: the number 7 for the text 7.

    Several ids that match the same known id, such as ``7`` and ``007``, stay as they are.
    """
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    from recsys_ae.data.id_matching import match  # noqa: PLC0415

    indices = match(known_ids, new_ids)
    is_only_one = np.bincount(indices + 1, minlength=len(known_ids) + 1)[indices + 1] == 1
    replaced = (indices >= 0) & is_only_one
    if not replaced.any():
        return new_ids
    names = known_ids.tolist()
    pairs = zip(new_ids, np.where(replaced, indices, -1), strict=True)
    named = [new_id if index < 0 else names[index] for new_id, index in pairs]
    matched: Ids = pd.Index(named, dtype=object).infer_objects()
    return matched


def read_column(path: Path, column: str) -> list[str]:
    """Return the ids of a file: its lines, or the column with that name."""
    return read_columns(path, (column,))[column]


def read_columns(path: Path, columns: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the columns that a CSV file has, by its first line; without them, its lines as the last column.

    ``columns`` are ``item`` alone, or ``user`` and ``item``.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}") from error
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        raise DataError(f"{path} is empty; expected an id in each line")
    if not set(columns) & set(next(csv.reader([lines[0]]))):
        return {columns[-1]: lines}
    table = csv.DictReader(io.StringIO(text, newline=""))
    rows = [(table.line_num, row) for row in table]
    head = table.fieldnames or ()
    content = {name: [row[name] for _, row in rows] for name in columns if name in head}
    for name, values in content.items():
        if not all(values):
            line = next(line for (line, _), value in zip(rows, values, strict=True) if not value)
            raise DataError(f"{path}: line {line} has no {name}")
    return content


def described(position: int, ids: "Ids", titles: Sequence[str | None]) -> str:
    """Return an id with its title, if it has one."""
    title = titles[position] if titles else None
    return f"{ids[position]} {title}" if title else str(ids[position])


def similar_to(word: str, ids: "Ids", titles: Sequence[str | None]) -> str:
    """Return the end of a message about a wrong id: the ids and titles that are similar to it."""
    lowered = word.casefold()
    names = [described(position, ids, titles) for position in range(len(ids))]
    near = [name for name in names if lowered in name.casefold()][:LISTED]
    if not near:
        close = set(difflib.get_close_matches(word, [str(known_id) for known_id in ids], n=LISTED))
        near = [name for name, known_id in zip(names, ids, strict=True) if str(known_id) in close]
    return f"; similar ids: {', '.join(near)}" if near else f"; ids look like {ids[0]}"


def named(words: Sequence[str]) -> str:
    """Return the first few ids for a message."""
    remaining = f" and {len(words) - LISTED:,} more" if len(words) > LISTED else ""
    return ", ".join(word if len(word) <= 60 else f"{word[:57]}..." for word in words[:LISTED]) + remaining
