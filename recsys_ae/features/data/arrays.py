"""Arrays as features: npy and npz files, such as the embeddings of any other model."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import listing
from recsys_ae.errors import DataError
from recsys_ae.features.data.features import IMAGE, SEQUENCE, Features, Form

ROWS, IDS, LENGTHS = "values", "ids", "lengths"


def read_array(path: Path, name: str | None = None) -> Features:
    """Read ``(n, width)``, ``(n, steps, width)`` or ``(n, channels, height, width)`` numbers.

    Of an npz file the array ``name``, or ``values``, or the only one; its arrays ``ids`` and ``lengths`` name the rows
    and say how long sequences are, else rows are numbered from 0, and all steps count.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no array of numbers, or damaged: {error}") from error
    arrays = {ROWS: loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded.files}
    others = [key for key in arrays if key not in (IDS, LENGTHS)]
    wanted = name or (others[0] if len(others) == 1 else ROWS)
    if wanted not in arrays:
        raise DataError(f"{path} has no array {wanted!r}; it has: {listing(others)}")
    rows = arrays[wanted]
    if not 2 <= rows.ndim <= IMAGE + 1 or rows.dtype.kind not in "fiub":
        raise DataError(
            f"{path}: {wanted} holds {rows.ndim} dimensions of {rows.dtype}; expected numbers, (n, width), "
            "(n, steps, width) or (n, channels, height, width)"
        )
    form: Form = tuple(rows.shape[1:]) if rows.ndim > 2 else ()
    flat = rows.reshape(len(rows), -1).astype(np.float32)
    ids = pd.Index(arrays[IDS]) if IDS in arrays else pd.RangeIndex(len(rows))
    lengths = None
    if len(form) == SEQUENCE:
        lengths = arrays[LENGTHS].astype(np.int64) if LENGTHS in arrays else np.full(len(rows), form[0])
    return Features(flat, ids, pd.RangeIndex(flat.shape[1]), form, lengths)
