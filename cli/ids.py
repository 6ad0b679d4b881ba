"""Ids as people type them: matched with a model's own, which may be numbers or text; files of them."""

import csv
import difflib
import io
import re
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
    """Return where each word stands among the ids, ``(n,)``; −1 where it is none of them."""
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    words = list(words)
    if ids.dtype.kind in "iu":
        # 007 is a name, as it is when files are read.
        whole = [int(word) if re.fullmatch(r"0|-?[1-9][0-9]{0,19}", word) else None for word in words]
        kind = np.uint64 if ids.dtype.kind == "u" else np.int64
        limits = np.iinfo(kind)
        found = np.full(len(words), -1, np.int64)
        places = [at for at, number in enumerate(whole) if number is not None and limits.min <= number <= limits.max]
        found[places] = ids.get_indexer(pd.Index([whole[place] for place in places], dtype=kind))
        return found
    if ids.dtype.kind == "f":
        return ids.get_indexer(pd.Index(pd.to_numeric(pd.Series(words, dtype=str), errors="coerce")))
    found = ids.get_indexer(pd.Index(words, dtype=object))
    if ids.dtype == object and (found < 0).any():
        # Mixed ids: what is not there as text may be there as a number.
        plain = {str(one): place for place, one in reversed(list(enumerate(ids)))}
        found = np.array(
            [place if place >= 0 else plain.get(word, -1) for place, word in zip(found, words, strict=True)]
        )
    return found


def as_known(known: "Ids", given: "Ids") -> "Ids":
    """Return ids with those that read like one of the known replaced by it: the number 7 for the text 7."""
    import pandas as pd  # noqa: PLC0415

    places = positions(known, [str(one) for one in given])
    if not (places >= 0).any():
        return given
    names = known.tolist()
    named = [one if place < 0 else names[place] for one, place in zip(given, places, strict=True)]
    found: Ids = pd.Index(named, dtype=object).infer_objects()
    return found


def read_column(path: Path, column: str) -> list[str]:
    """Return the ids of a file, one in each line, or those of the column with that name."""
    return read_columns(path, (column,))[column]


def read_columns(path: Path, columns: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the named columns of a CSV file that has one of them in its first line; else its lines as the last one.

    ``item`` alone, or ``user`` and ``item``: only what the file has is returned.
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
    found = {name: [row[name] for _, row in rows] for name in columns if name in head}
    for name, values in found.items():
        if not all(values):
            line = next(line for (line, _), value in zip(rows, values, strict=True) if not value)
            raise DataError(f"{path}: line {line} has no {name}")
    return found


def described(place: int, ids: "Ids", titles: Sequence[str | None]) -> str:
    """Return an id with its title, where there is one."""
    title = titles[place] if titles else None
    return f"{ids[place]} {title}" if title else str(ids[place])


def similar_to(word: str, ids: "Ids", titles: Sequence[str | None]) -> str:
    """Return the ids and titles that a wrong id may have meant, to end a message."""
    wanted = word.casefold()
    names = [described(place, ids, titles) for place in range(len(ids))]
    near = [name for name in names if wanted in name.casefold()][:LISTED]
    if not near:
        close = set(difflib.get_close_matches(word, [str(one) for one in ids], n=LISTED))
        near = [name for name, one in zip(names, ids, strict=True) if str(one) in close]
    return f"; similar ids: {', '.join(near)}" if near else f"; ids look like {ids[0]}"


def named(words: Sequence[str]) -> str:
    """Return the first of some ids for a message."""
    more = f" and {len(words) - LISTED:,} more" if len(words) > LISTED else ""
    return ", ".join(word if len(word) <= 60 else f"{word[:57]}..." for word in words[:LISTED]) + more
