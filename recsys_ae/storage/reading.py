"""Reads of folders that other processes may replace or delete at the same time."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TypeVar

from recsys_ae.errors import ArtefactError
from recsys_ae.storage.atomic import put_back
from recsys_ae.storage.leftovers import formers, is_ours, sweep
from recsys_ae.storage.locks import locked, opened
from recsys_ae.storage.places import real

Read = TypeVar("Read")
_TRIES, _FREE_TRIES = 12, 6
_MISSING = (0, 0)
_WAIT = 2.0
"""Seconds to wait for the second step of an overwrite if its process may be alive: on another machine, or stopped."""


def read_folder(path: Path, read: Callable[[], Read]) -> Read:
    """Return what ``read`` returns of a folder; it is repeated if the folder was replaced meanwhile.

    So nothing is mixed from two folders, and files that are missing because their folder was replaced are no damage.
    The last tries hold the lock of the parent folder, so that writers wait.

    Raises
    ------
    ArtefactError, OSError
        As ``read`` raises them about a folder that stays in its place.
    """
    place = real(path)
    restore(place)
    for attempt in range(_TRIES):
        with nullcontext() if attempt < _FREE_TRIES else locked(place.parent), _held(place) as before:
            try:
                result = read()
            except (ArtefactError, OSError):
                missing = before[:2] == _MISSING and not formers(place)
                if attempt == _TRIES - 1 or (before == _identity(place) and (missing or before[:2] != _MISSING)):
                    raise
            else:
                if before[:2] == _identity(place)[:2]:
                    return result
        time.sleep(0.01 * attempt)
        restore(place)
    raise ArtefactError(f"cannot read {path}: other processes replace it all the time; try again when they have ended")


def restore(path: Path) -> None:
    """Put the former folder back if an overwrite was killed in the middle; remove what ended processes have left."""
    if not os.path.lexists(path) and (waiting := formers(path)):
        with locked(path.parent) as alone:  # a living writer on this machine holds the lock
            certain = alone and all(is_ours(former) for former in waiting)
            end = time.monotonic() + (0 if certain else _WAIT)
            while not os.path.lexists(path) and time.monotonic() < end:
                time.sleep(0.02)
            put_back(path)
    sweep(path.parent)


@contextmanager
def _held(path: Path) -> Iterator[tuple[int, int, int]]:
    """Keep a folder open, so that no other one gets its number when it is deleted, and yield its identity.

    The identity is that of the open folder: another process may replace it before its path is looked at.
    """
    for _ in range(_TRIES):
        descriptor = opened(path)
        identity = _identity(path) if descriptor is None else _seen(os.fstat(descriptor))
        if descriptor is not None or identity[:2] == _MISSING:  # else it has just appeared, or may not be read
            break
    try:
        yield identity
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _identity(place: Path) -> tuple[int, int, int]:
    """Return device, number and time of the latest change of a folder; if it is missing, the time of its parent."""
    with suppress(OSError):
        return _seen(place.stat())
    with suppress(OSError):
        return *_MISSING, place.parent.stat().st_mtime_ns
    return *_MISSING, 0


def _seen(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_dev, status.st_ino, status.st_ctime_ns
