"""Locks of files and folders, which the system releases when their process ends, however it ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 10.0
"""Seconds to wait for a lock; then the work goes on without it, because a stopped process must not stop others."""
_PAUSE = 0.002


def opened(path: Path) -> int | None:
    """Return a descriptor of a file or folder, which a link is not followed to; None if it cannot be opened."""
    with suppress(OSError):
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    return None


def take(descriptor: int) -> bool | None:
    """Lock an open file or folder without waiting; closing the descriptor releases the lock.

    Returns
    -------
    bool or None
        False if another descriptor has the lock; None if the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder, so that one process at a time renames what is in it.

    The work goes on without the lock if the file system has none, or after `PATIENCE` seconds. Yields whether the lock
    is held.
    """
    descriptor = opened(folder.resolve())
    try:
        held: bool | None = None
        if descriptor is not None:
            end = time.monotonic() + PATIENCE
            while (held := take(descriptor)) is False and time.monotonic() < end:
                time.sleep(_PAUSE)
        yield held is True
    finally:
        if descriptor is not None:
            os.close(descriptor)
