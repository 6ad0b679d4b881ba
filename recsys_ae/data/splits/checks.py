"""Checks of data and arguments that several splits share."""

import dataclasses

import numpy as np

from recsys_ae.data.interactions import Interactions, Step
from recsys_ae.errors import Argument, ConfigError, DataError


def active(data: Interactions) -> Interactions:
    """Return the data without the users who have no interactions."""
    if not isinstance(data, Interactions):
        raise DataError(
            f"expected Interactions to split, not {type(data).__name__}; make them with Interactions.from_frame or "
            "Interactions.from_matrix"
        )
    if data.nnz == 0:
        raise DataError("the data have no interactions to split")
    positions = np.flatnonzero(np.diff(data.matrix.indptr))
    if len(positions) == data.shape[0]:
        return data
    users = data.select_users(positions)
    return dataclasses.replace(
        users, steps=(*data.steps, Step("users without interactions", data.counts, users.counts))
    )


def number_of(name: str, value: int | float, n_users: int, *, least: int) -> int:
    """Return a number or a share of the users as a number."""
    n = round(value * n_users) if isinstance(value, float) and 0 < value < 1 else value
    if isinstance(n, float) or n < least or (n == 0 and value != 0):
        raise DataError(
            Argument(name, value),
            f" is neither a number of users, at least {least}, nor a share between 0 and 1 that holds one of the "
            f"{n_users:,} users",
        )
    return int(n)


def shares(**shares: float) -> None:
    """Raise an error for shares out of bounds; only the validation share may be 0."""
    for name, share in shares.items():
        if not (0 < share < 1 or (share == 0 and name == "valid")):
            raise DataError(Argument(name, share), " is not a share between 0 and 1")
    held_out = shares.get("test", 0.0) + shares.get("valid", 0.0)
    if held_out >= 1:
        raise DataError(
            f"test and validation together are {held_out:g} of the data; lower one to leave data for training"
        )


def checked_seed(seed: int) -> int:
    """Return the seed, or raise an error if it is out of bounds."""
    if not 0 <= seed < 2**32:
        raise ConfigError(Argument("seed", seed), f" is out of bounds; expected 0 to {2**32 - 1}")
    return seed


def known_times(data: Interactions) -> np.ndarray:
    """Return the timestamps, or raise an error if some are missing or unknown."""
    if data.timestamps is None:
        raise DataError(
            "the data have no timestamps; set ", Argument("timestamp"), " when a file is read, or choose another split"
        )
    missing = int((data.timestamps <= 0).sum())
    if missing:
        raise DataError(
            f"{missing:,} of {data.nnz:,} timestamps are 0, which means unknown; "
            "remove those interactions, or choose a split without time"
        )
    return data.timestamps
