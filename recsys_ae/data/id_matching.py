"""Matching of ids from two sources: a model's ids and those of another file, table or list.

Files and tables disagree about the type of ids: a column is numbers or text depending on the values in it, spreadsheets
drop leading zeros, and pandas writes ``7.0`` for ``7`` once a column has a gap. `match` therefore compares ids in three
steps.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import Ids, shown

AMBIGUOUS = -2
WHOLE_NUMBER = re.compile(r"([+-]?[0-9]+)(?:\.0*)?")
INT64 = range(-(2**63), 2**63)


def match(known: Ids, ids: "Ids | Sequence[Any]") -> np.ndarray:
    """Return the position of each id among the known ids, ``(n,)`` int64, and −1 for unknown ids.

    Two ids are the same if they are equal, else if they have the same `normal_text` (``7``, ``" 7"`` and ``7.0``), else
    if they differ in leading zeros only (``7`` and ``"007"``). An id that could mean two known ids is unknown. Missing
    values are unknown.
    """
    values = _plain_index(ids)
    if known.dtype.kind in "iu" and values.dtype.kind in "iu":
        return known.get_indexer(values).astype(np.int64)
    positions = _equal(known, values)
    for key in (normal_text, without_leading_zeros):
        rows = np.flatnonzero(positions < 0)
        if not len(rows):
            break
        codes, distinct = pd.factorize(values[rows])
        keys = [key(value) for value in distinct]
        wanted = {text for text in keys if text is not None}
        positions_of = _positions_by(key, known, wanted) if wanted else {}
        found = np.array([max(-1 if text is None else positions_of.get(text, -1), -1) for text in keys], np.int64)
        # Missing values have the code −1.
        positions[rows] = np.where(codes >= 0, found[codes], -1) if len(found) else -1
    return positions


def normal_text(value: Any) -> str | None:
    """Return the text that equal ids of different types share; None for a missing value."""
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            return None
        value = int(value) if value == int(value) else float(value)
    elif value is None or value is pd.NA:
        return None
    text = str(value).strip()
    number = WHOLE_NUMBER.fullmatch(text)
    return number[1].removeprefix("+") if number else text


def without_leading_zeros(value: Any) -> str | None:
    """Return the `normal_text` of digits without their leading zeros; None for all other ids."""
    text = normal_text(value)
    if text is None or not text.isascii() or not text.removeprefix("-").isdigit():
        return None
    sign = "-" if text.startswith("-") else ""
    return sign + (text.removeprefix("-").lstrip("0") or "0")


def unmatched(
    known: Ids, ids: "Ids | Sequence[Any]", positions: np.ndarray, noun: str, *, owner: str = "the model"
) -> str:
    """Return a sentence on ids without a match, with an example of each side, to explain why they did not match."""
    missing = np.flatnonzero(positions < 0)
    example = shown(pd.Index(ids[int(missing[0]) :][:1], dtype=object)[0])
    own = f"; {owner} has ids such as {shown(known[0])}" if len(known) else ""
    return f"{owner} does not know {len(missing):,} of {len(positions):,} {noun}, such as {example}{own}"


def _plain_index(ids: "Ids | Sequence[Any]") -> Ids:
    """Return ids as an index of integers, or of Python objects: pandas must not turn mixed ids into one type."""
    index: Ids = ids if isinstance(ids, pd.Index) else pd.Index(_as_objects(ids))
    if index.dtype.kind in "iu" and isinstance(index.dtype, np.dtype):
        return index
    inferred: Ids = pd.Index(_as_objects(index.tolist()), dtype=object)
    return inferred


def _as_objects(values: Iterable[Any]) -> np.ndarray:
    values = list(values)
    objects = np.empty(len(values), object)
    objects[:] = [value.item() if isinstance(value, np.generic) else value for value in values]
    if values and all(type(value) is int and value in INT64 for value in objects):
        return objects.astype(np.int64)
    return objects


def _equal(known: Ids, values: Ids) -> np.ndarray:
    """Return the positions of values that are equal to a known id."""
    if known.dtype.kind in "iufb" and not isinstance(known.dtype, np.dtype):
        known = pd.Index(known.tolist(), dtype=object)
    positions = known.astype(object).get_indexer(values.astype(object))
    return np.where(values.isna(), -1, positions).astype(np.int64)


def _positions_by(key: Callable[[Any], str | None], known: Ids, wanted: set[str]) -> dict[str, int]:
    """Return the position of each wanted key among the known ids; `AMBIGUOUS` if several ids have it."""
    positions: dict[str, int] = {}
    for position, value in enumerate(known.tolist()):
        text = key(value)
        if text in wanted:
            positions[text] = AMBIGUOUS if text in positions else position
    return positions
