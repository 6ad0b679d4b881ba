"""Arrays as features: npy and npz files, such as the embeddings of another model."""

from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import Ids, listing
from recsys_ae.errors import DataError
from recsys_ae.features.data.checks import errors_of, row_ids
from recsys_ae.features.data.features import IMAGE, SEQUENCE, Features, Form
from recsys_ae.features.data.npy import ONLY, array, array_names

IDS, LENGTHS = "ids", "lengths"
LIMIT = float(np.finfo(np.float32).max)


def read_array(path: Path, name: str | None = None) -> Features:
    """Read ``(n, width)``, ``(n, steps, width)`` or ``(n, channels, height, width)`` numbers.

    An npz file may hold several arrays: ``name`` selects one, and the default is the only one or ``values``. Its arrays
    ``ids`` and ``lengths`` hold the ids of the rows and the lengths of sequences. Without them, rows are numbered from
    0 and all steps count. NaN is a missing value, which only ``(n, width)`` numbers may have. A remark names arrays
    that are not used.
    """
    names = array_names(path)
    candidates = [key for key in names if key not in (IDS, LENGTHS)]
    name = name or (candidates[0] if len(candidates) == 1 else ONLY)
    if name not in candidates:
        raise DataError(f"{path} has no array {name!r}; it has: {listing(candidates) or 'none'}")
    rows = array(path, name)
    _check(path, name, rows)
    form: Form = rows.shape[1:] if rows.ndim > 2 else ()
    ids: Ids = _ids(path, len(rows)) if IDS in names else pd.RangeIndex(len(rows))
    lengths = None
    if len(form) == SEQUENCE:
        lengths = _lengths(path) if LENGTHS in names else np.full(len(rows), form[0])
    used = {name, IDS, LENGTHS} if lengths is not None else {name, IDS}
    unused = [key for key in names if key not in used]
    remarks = (f"{path}: arrays that are not used: {listing(unused)}",) if unused else ()
    flat = _narrow(path, rows.reshape(len(rows), -1), ids)
    with errors_of(path):
        return Features(flat, ids, pd.RangeIndex(flat.shape[1]), form, lengths, remarks=remarks)


def _check(path: Path, name: str, rows: np.ndarray) -> None:
    shape = f"({', '.join(map(str, rows.shape))}{',' if rows.ndim == 1 else ''})"
    if not 2 <= rows.ndim <= IMAGE + 1 or rows.dtype.kind not in "fiub":
        alone = "; one number for each row needs the shape (n, 1)" if rows.ndim == 1 else ""
        raise DataError(
            f"{path}: {name} of shape {shape} holds {rows.ndim} dimensions of {rows.dtype}; expected numbers, "
            f"(n, width), (n, steps, width) or (n, channels, height, width){alone}"
        )
    if not rows.size:
        raise DataError(f"{path}: {name} of shape {shape} is empty; expected at least one row and one column")


def _narrow(path: Path, rows: np.ndarray, ids: Ids) -> np.ndarray:
    """Return rows as float32; raise if a finite number is too large."""
    with np.errstate(over="ignore"):
        narrow = rows.astype(np.float32)
    bad = np.isinf(narrow)
    if bad.any() and rows.dtype.kind == "f":
        bad &= np.isfinite(rows)
    if bad.any():
        row, column = (int(index) for index in np.unravel_index(np.argmax(bad), bad.shape))
        value = rows[row, column]
        raise DataError(
            f"{path}: the value {value:g} in row {ids[row]!r}, column {column}, is too large for a 32-bit number"
        )
    return narrow


def _ids(path: Path, n: int) -> Ids:
    values = array(path, IDS)
    if values.shape != (n,) or values.dtype.kind not in "iufUS":
        raise DataError(
            f"{path}: {IDS} of shape {values.shape} hold {values.dtype}; expected a number or text for each of "
            f"the {n:,} rows"
        )
    with errors_of(path):
        if values.dtype.kind == "S":
            try:
                values = np.char.decode(values, "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"{IDS} are bytes that are not UTF-8 text; save them as text") from error
        if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.round(values)).all():
            values = values.astype(np.int64) if np.abs(values).max() < 2**63 else values
        return row_ids(pd.Series(values))


def _lengths(path: Path) -> np.ndarray:
    values = array(path, LENGTHS)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise DataError(f"{path}: {LENGTHS} of shape {values.shape} hold {values.dtype}; expected whole numbers, (n,)")
    return values.astype(np.int64)
