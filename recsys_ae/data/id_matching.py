"""Matching of ids from two sources: a model's ids and those of another file, table or list.

Files and tables disagree about the type of ids: a column is numbers or text depending on the values in it, spreadsheets
drop leading zeros, pandas writes ``7.0`` for ``7`` once a column has a gap, and tables for spreadsheets have ``'=1``
for ``=1``. `match` therefore compares ids in four steps.
"""

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.data.id_forms import normal_text, without_leading_zeros, without_mark
from recsys_ae.data.parsing import Ids, shown

AMBIGUOUS = -2
DIGITS = 20
"""Largest length of an integer of 64 bits as text, with its sign."""

FEW = 0.5
"""Share of ids below which `mismatch` explains why ids do not match."""

Key = Callable[[Any], str | None]
KEYS: tuple[Key, ...] = (normal_text, without_leading_zeros, without_mark)


def match(known: Ids, ids: "Ids | Sequence[Any]") -> np.ndarray:
    """Return the position of each id among the known ids, ``(n,)`` int64, and −1 for unknown ids.

    Two ids are the same if they are equal, else if they have the same `normal_text` (``7``, ``" 7"`` and ``7.0``), else
    if they differ in leading zeros only (``7`` and ``"007"``), else if they differ in the apostrophe before a formula
    only. An id that could mean two known ids is unknown. Missing values are unknown.
    """
    values = _index(ids)
    if known.dtype.kind in "iu" and values.dtype.kind in "iu":
        return known.get_indexer(values).astype(np.int64)
    positions = np.full(len(values), -1, np.int64)
    if known.dtype == values.dtype:
        positions = known.get_indexer(values).astype(np.int64)
    rows = np.flatnonzero(positions < 0)
    if len(rows) and len(known):
        codes, distinct = pd.factorize(_as_objects(values[rows].tolist()))
        found = np.append(_positions(known, list(distinct)), -1)
        positions[rows] = found[codes]  # missing values have the code −1
    return positions


def rows_of(ids: Ids, row_ids: Ids) -> np.ndarray:
    """Return the row of each id, compared by `match`, ``(n,)`` int64: the last of several, and −1 if there is none."""
    positions = match(ids, row_ids)
    rows = np.full(len(ids), -1, np.int64)
    has_id = np.flatnonzero(positions >= 0)
    rows[positions[has_id]] = has_id
    return rows


def unmatched(
    known: Ids, ids: "Ids | Sequence[Any]", positions: np.ndarray, noun: str, *, owner: str = "the model"
) -> str:
    """Return a sentence on ids without a match, with an example of each side, to explain why they did not match."""
    missing = np.flatnonzero(positions < 0)
    example = shown(pd.Index(ids[int(missing[0]) :][:1], dtype=object)[0])
    own = f"; {owner} has ids such as {shown(known[0])}" if len(known) else ""
    return f"{owner} does not know {len(missing):,} of {len(positions):,} {noun}, such as {example}{own}"


def mismatch(
    known: Ids, ids: "Ids | Sequence[Any]", positions: np.ndarray, noun: str, *, owner: str = "the model"
) -> tuple[str, ...]:
    """Return the sentence of `unmatched` as a remark if fewer than half of the ids match; else no remark."""
    few = len(positions) and np.count_nonzero(positions >= 0) < FEW * len(positions)
    return (unmatched(known, ids, positions, noun, owner=owner),) if few else ()


def _index(ids: "Ids | Sequence[Any]") -> Ids:
    """Return ids as an index; pandas must not turn mixed ids into one type."""
    if isinstance(ids, (pd.Index, np.ndarray, pd.Series)) and ids.dtype.kind in "iu":
        index: Ids = pd.Index(ids, dtype=ids.dtype if isinstance(ids.dtype, np.dtype) else None)
        return index if not index.hasnans else pd.Index(index.tolist(), dtype=object)
    if isinstance(ids, pd.Index):
        return ids
    objects = _as_objects(ids)
    is_text = all(type(value) is str for value in objects)
    typed: Ids = pd.Index(objects) if is_text else pd.Index(objects, dtype=object)
    return typed


def _as_objects(values: Iterable[Any]) -> np.ndarray:
    values = list(values)
    objects = np.empty(len(values), object)
    objects[:] = [value.item() if isinstance(value, np.generic) else value for value in values]
    return objects


def _positions(known: Ids, values: Sequence[Any]) -> np.ndarray:
    """Return the positions of distinct ids among the known ids, and −1 for unknown ids."""
    if known.dtype.kind in "iu":
        return _among_integers(known, values)
    positions = _equal(known, values)
    for key in KEYS:
        rows = np.flatnonzero(positions < 0).tolist()
        texts = [key(values[row]) for row in rows]
        others = _other_forms(known)[key]
        same = _equal(known, texts)
        for row, text, position in zip(rows, texts, same, strict=True):
            other = others.get(text, -1) if text is not None else -1
            positions[row] = max(other, position) if -1 in (other, position) else -1
    return positions


def _among_integers(known: Ids, values: Sequence[Any]) -> np.ndarray:
    """Return the positions of ids among integers, all of which differ by their value."""
    limits = np.iinfo(known.to_numpy().dtype)
    texts = [without_leading_zeros(value) for value in values]
    numbers = {row: int(text) for row, text in enumerate(texts) if text not in (None, "-0") and len(text) <= DIGITS}
    numbers = {row: number for row, number in numbers.items() if limits.min <= number <= limits.max}
    positions = np.full(len(values), -1, np.int64)
    positions[list(numbers)] = known.get_indexer(pd.Index(list(numbers.values()), dtype=limits.dtype))
    return positions


def _equal(known: Ids, values: Sequence[Any]) -> np.ndarray:
    """Return the positions of values that are equal to a known id; None is equal to no id."""
    positions = np.full(len(values), -1, np.int64)
    if isinstance(known.dtype, pd.StringDtype):
        rows = [row for row, value in enumerate(values) if isinstance(value, str)]
        # In the type of the known ids, whose table of positions pandas makes once.
        positions[rows] = known.get_indexer(pd.Index([values[row] for row in rows], dtype=known.dtype))
        return positions
    rows = [row for row, value in enumerate(values) if value is not None and value is not pd.NA]
    present = pd.Index(_as_objects(values[row] for row in rows), dtype=object)
    positions[rows] = known.astype(object, copy=False).get_indexer(present)
    return positions


_FORMS: dict[int, tuple["weakref.ref[Ids]", dict[Key, dict[str, int]]]] = {}
"""Other forms of known ids by the identity of their index, because a model is asked again and again."""


def _other_forms(known: Ids) -> dict[Key, dict[str, int]]:
    """Return the position of each key that differs from its known id; `AMBIGUOUS` if several ids have it."""
    place = id(known)
    if place in _FORMS and _FORMS[place][0]() is known:
        return _FORMS[place][1]
    forms: dict[Key, dict[str, int]] = {key: {} for key in KEYS}
    for position, value in enumerate(known.tolist()):
        # Most ids are their own key.
        if isinstance(value, str) and value[:1] not in "0+-'" and "." not in value and value == value.strip():
            continue
        for key, positions in forms.items():
            text = key(value)
            if text is not None and text != value:
                positions[text] = AMBIGUOUS if text in positions else position
    _FORMS[place] = weakref.ref(known, lambda _: _FORMS.pop(place, None)), forms
    return forms
