"""Sequences as features: the history of each item or user in the order of time."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from recsys_ae.data import decimals
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.parsing import Ids, refuse
from recsys_ae.errors import Argument, DataError
from recsys_ae.features.data.features import Features

DAY = 86_400
STEPS = 50
"""Default number of last steps of a history that are used."""


def sequences_of(
    frame: pd.DataFrame, *, id: str = "item", order: str | None = None, columns: Sequence[str], steps: int
) -> Features:
    """Return a sequence for each id: its last ``steps`` rows, sorted by the column ``order`` or as they stand."""
    for name in (id, *columns, *([order] if order else [])):
        if name not in frame.columns:
            raise DataError(f"there is no column {name!r}; the columns are: {', '.join(map(str, frame.columns))}")
        refuse(frame[name].isna().to_numpy(dtype=bool), frame[name], name, "is missing")
    events = frame[list(columns)].to_numpy(dtype=np.float32)
    owners, ids = pd.factorize(decimals.ids_of(frame[id]), sort=True)
    when = np.arange(len(frame)) if order is None else decimals.numbers_of(frame[order]).to_numpy()
    sorted_by_time = np.lexsort((np.arange(len(frame)), when, owners))
    return _padded(events[sorted_by_time], owners[sorted_by_time], pd.Index(ids), list(columns), steps)


def histories(data: Interactions, *, of: Literal["items", "users"] = "items", steps: int = STEPS) -> Features:
    """Return the last ``steps`` interactions of each item, or of each user, as a sequence.

    A step holds the rating and log(1 + days since the previous step).
    """
    if data.timestamps is None:
        raise DataError("histories need the order in time, but these interactions have no timestamps")
    coordinates = data.matrix.tocoo()
    owner = np.asarray(coordinates.col if of == "items" else coordinates.row)
    order = np.lexsort((data.timestamps, owner))
    owners, when = owner[order], data.timestamps[order]
    used, codes = np.unique(owners, return_inverse=True)
    starts = np.r_[True, owners[1:] != owners[:-1]]
    days = np.where(starts, 0, np.diff(when, prepend=when[:1])) / DAY
    events = np.column_stack([coordinates.data[order], np.log1p(days)]).astype(np.float32)
    ids = (data.items if of == "items" else data.users)[used]
    return _padded(events, codes, ids, ["rating", "log days"], steps)


def _padded(events: np.ndarray, owners: np.ndarray, ids: Ids, names: Sequence[Any], steps: int) -> Features:
    """Cut events ``(m, width)``, sorted by owner, into rows of ``steps`` each, padded with 0."""
    if steps < 1:
        raise DataError(Argument("steps", steps), " must be at least 1")
    counts = np.bincount(owners, minlength=len(ids))
    ends = counts.cumsum()
    lengths = np.minimum(counts, steps)
    positions = np.arange(len(owners)) - (ends - lengths)[owners]  # negative before the last ``steps``
    recent = positions >= 0
    rows = np.zeros((len(ids), steps, events.shape[1]), np.float32)
    rows[owners[recent], positions[recent]] = events[recent]
    columns = pd.Index([f"{name} {step}" for step in range(steps) for name in names])
    remarks: tuple[str, ...] = ()
    if (counts > steps).any():
        remarks = (
            f"{int((counts > steps).sum()):,} of {len(ids):,} sequences are longer than {steps} steps; "
            "only their last steps are used",
        )
    return Features(rows.reshape(len(ids), -1), ids, columns, (steps, events.shape[1]), lengths, remarks=remarks)
