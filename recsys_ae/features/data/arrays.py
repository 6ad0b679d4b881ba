"""Arrays as features: npy and npz files, such as the embeddings of another model."""

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

    An npz file may hold several arrays: ``name`` selects one, and the default is the only one or ``values``. Its arrays
    ``ids`` and ``lengths`` hold the ids of the rows and the lengths of sequences. Without them, rows are numbered from
    0 and all steps count.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no array of numbers, or damaged: {error}") from error
    arrays = {ROWS: loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded.files}
    names = [key for key in arrays if key not in (IDS, LENGTHS)]
    name = name or (names[0] if len(names) == 1 else ROWS)
    if name not in arrays:
        raise DataError(f"{path} has no array {name!r}; it has: {listing(names)}")
    rows = arrays[name]
    if not 2 <= rows.ndim <= IMAGE + 1 or rows.dtype.kind not in "fiub":
        raise DataError(
            f"{path}: {name} holds {rows.ndim} dimensions of {rows.dtype}; expected numbers, (n, width), "
            "(n, steps, width) or (n, channels, height, width)"
        )
    form: Form = tuple(rows.shape[1:]) if rows.ndim > 2 else ()
    flat = rows.reshape(len(rows), -1).astype(np.float32)
    ids = pd.Index(arrays[IDS]) if IDS in arrays else pd.RangeIndex(len(rows))
    lengths = None
    if len(form) == SEQUENCE:
        lengths = arrays[LENGTHS].astype(np.int64) if LENGTHS in arrays else np.full(len(rows), form[0])
    return Features(flat, ids, pd.RangeIndex(flat.shape[1]), form, lengths)
