"""Ids from the command line, matched with the ids of a model, which are numbers or text."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from recsys_ae.data.interactions import Ids

LISTED = 5


def positions(ids: "Ids", words: "Sequence[Any] | pd.Series[Any]") -> "np.ndarray":
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


def described(position: int, ids: "Ids", titles: Sequence[str | None]) -> str:
    """Return an id with its title, if it has one, on one line."""
    title = titles[position] if titles else None
    return " ".join(f"{ids[position]} {title or ''}".split())


def similar_to(word: str, ids: "Ids", titles: Sequence[str | None]) -> str:
    """Return the end of a message about a wrong id: the ids and titles that are similar to it."""
    lowered = word.casefold()
    names = [described(position, ids, titles) for position in range(len(ids))]
    near = [name for name in names if lowered in name.casefold()][:LISTED]
    if not near:
        close = set(difflib.get_close_matches(word, [str(known_id) for known_id in ids], n=LISTED))
        near = [name for name, known_id in zip(names, ids, strict=True) if str(known_id) in close]
    return f"; similar ids: {', '.join(near)}" if near else f"; ids look like {ids[0]}"


def named(ids: "Sequence[Any] | Ids", count: int | None = None) -> str:
    """Return the first few ids for a message; ``count`` is the number of all if ``ids`` are only the first."""
    count = len(ids) if count is None else count
    remaining = f" and {count - LISTED:,} more" if count > LISTED else ""
    words = (" ".join(str(id).split()) for id in ids[:LISTED])
    return ", ".join(word if len(word) <= 60 else f"{word[:57]}..." for word in words) + remaining
