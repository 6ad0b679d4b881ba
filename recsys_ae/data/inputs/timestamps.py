"""Checks of timestamps that are aligned with the entries of a matrix."""

from typing import Any

import numpy as np

from recsys_ae.errors import DataError


def aligned(timestamps: Any, n: int) -> np.ndarray:
    """Return timestamps as an array; raise a `DataError` unless there is one for each of ``n`` entries."""
    times = np.asarray(timestamps)
    if times.shape != (n,):
        given = f"{len(times):,}" if times.ndim == 1 else f"an array of shape {times.shape}"
        raise DataError(f"the matrix has {n:,} entries, but timestamps are {given}; give one for each entry")
    return times


def whole_seconds(timestamps: Any, n: int) -> np.ndarray:
    """Return timestamps as int64 seconds, ``(n,)``; raise a `DataError` for anything but whole seconds since 1970."""
    times = aligned(timestamps, n)
    whole = times.astype(np.int64) if times.dtype.kind in "iu" else times
    if whole.dtype.kind != "i" or (whole < 0).any():
        raise DataError(
            f"timestamps must be whole seconds since 1970, none below 0, not {times.dtype}; Interactions.from_matrix "
            "also reads datetimes and other units"
        )
    return whole
