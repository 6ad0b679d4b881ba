"""Checks of ids: those of the rows and columns of a matrix, and those that a column writes in several ways."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from recsys_ae.data.id_forms import normal_text
from recsys_ae.data.parsing import Ids, ids, shown
from recsys_ae.errors import DataError

INTEGERS = range(-(2**63), 2**63)
KINDS = ("string", "integer", "floating", "mixed-integer", "mixed-integer-float", "mixed", "empty")
"""Kinds of text and numbers, as pandas infers them."""


def distinct_ids(given: "Ids | Iterable[Any]", name: str) -> Ids:
    """Return ids of rows or columns as an index.

    Raises
    ------
    DataError
        If an id is missing, occurs twice, or is neither text nor a number; the message names the id and its positions.
    """
    index: Ids = given if isinstance(given, pd.Index) else pd.Index(given if _is_array(given) else list(given))
    if isinstance(index.dtype, pd.CategoricalDtype):
        index = pd.Index(index.tolist())
    if index.nlevels > 1:
        raise DataError(f"{name} have {index.nlevels} levels; give each one id, a number or text")
    if index.hasnans:
        raise DataError(f"the id at position {int(np.argmax(index.isna()))} of {name} is missing; give each an id")
    if not index.is_unique:
        repeated = index[index.duplicated()][0]
        first, second = np.flatnonzero(index == repeated)[:2]
        raise DataError(
            f"the id {shown(repeated)} occurs at the positions {first} and {second} of {name}; each needs its own"
        )
    kind = index.dtype.kind if isinstance(index.dtype, np.dtype) else "O"
    if kind not in "iufO" or types.infer_dtype(index, skipna=False) not in KINDS:
        raise DataError(f"{name} of type {index.dtype} are neither text nor numbers; convert them first")
    return index


def one_form(codes: np.ndarray, values: Ids, role: str) -> tuple[np.ndarray, Ids, str]:
    """Read ids of a column that have the same `normal_text`, such as ``7`` and ``7.0``, as one id.

    Ids that differ in leading zeros stay apart, as do numbers and text.

    Parameters
    ----------
    codes, values
        Position of each row's id, and the distinct ids of the column.

    Returns
    -------
    codes, values
        The same, in normal form if an id is written in several ways; else unchanged.
    remark
        How many ids these are, with an example; else empty.
    """
    texts = {position: value for position, value in enumerate(values.tolist()) if isinstance(value, str)}
    if values.dtype.kind in "iuf" or not _may_repeat(list(texts.values())):
        return codes, values, ""
    keys = {position: normal_text(text) or "" for position, text in texts.items()}
    forms: dict[str, list[str]] = {}
    for position, key in keys.items():
        forms.setdefault(key, []).append(texts[position])
    several = [texts for texts in forms.values() if len(texts) > 1]
    if not several:
        return codes, values, ""
    plain: list[Any] = [keys.get(position, value) for position, value in enumerate(values.tolist())]
    if all(_is_integer(key) for key in plain):
        plain = [int(key) for key in plain]
    positions, index = ids(pd.Series(plain, dtype=object), role)
    example = " and ".join(shown(form) for form in several[0][:2])
    remark = f"{len(several):,} {role} ids are written in several ways, such as {example}; each is read as one {role}"
    return positions[codes], index, remark


def _may_repeat(texts: list[str]) -> bool:
    """Return False if all texts are certain to be their own normal form, which is quick to see in one long text."""
    joined = "\n".join(texts)
    return "." in joined or "+" in joined or joined.split() != texts


def _is_integer(key: Any) -> bool:
    """Return True for the usual text of an integer of 64 bits."""
    is_digits = isinstance(key, str) and key.isascii() and key.removeprefix("-").isdigit() and len(key) <= 20
    return is_digits and str(int(key)) == key and int(key) in INTEGERS


def _is_array(values: Any) -> bool:
    return isinstance(values, (np.ndarray, pd.Series)) or hasattr(values, "__arrow_array__")
