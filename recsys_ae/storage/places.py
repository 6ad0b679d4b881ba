"""Checks of a path before long work, so that its result can be saved there."""

import errno
import os
import shutil
from pathlib import Path

from recsys_ae.errors import ArtefactError
from recsys_ae.storage.leftovers import PARTIAL, temporary_folder, temporary_name

LEAST = 1 << 16
"""Bytes of the smallest saved model, roughly."""


def real(path: Path) -> Path:
    """Return a path without links, which need not exist; a text that cannot be a path raises an `ArtefactError`."""
    try:
        os.fsencode(path)
        return Path(os.path.realpath(path))
    except ValueError as error:  # NUL, or half a surrogate pair
        raise ArtefactError(
            f"{str(path)!r} cannot be the name of a file or folder ({error}); choose another one"
        ) from error


def refuse_unwritable(path: Path, longest: str = "") -> None:
    """Raise an `ArtefactError` if no folder can be written at ``path``, because of its parent or its name.

    Parameters
    ----------
    longest
        The longest name of a file in the folder.
    """
    place = real(path)
    home = _home(place)
    if not home.is_dir():
        raise ArtefactError(f"cannot save to {path}: {home} is not a folder")
    _refuse_long_names(path, place, home, longest)
    if place.is_symlink():
        raise ArtefactError(f"cannot save to {path}: {place} is a link that leads back to itself; delete the link")
    if not os.access(home, os.W_OK | os.X_OK):
        raise ArtefactError(f"cannot save to {path}: {home} is not writable")


def try_out(path: Path, *, needed: int = LEAST) -> None:
    """Make a folder next to ``path`` for a moment, and compare the free space with the bytes that are needed.

    Raises
    ------
    ArtefactError, OSError
        If that fails: a quota, a read-only disk or a mount may forbid what the permissions allow.
    """
    place = real(path)
    home = _home(place)
    with temporary_folder(home / place.relative_to(home).parts[0]):
        disk = shutil.disk_usage(home)
    if disk.total and disk.free < needed:
        raise ArtefactError(
            f"cannot save to {path}: the model needs at least {needed:,} bytes, and {disk.free:,} are free; delete "
            "other files, or choose a folder on another disk"
        )


def _home(place: Path) -> Path:
    """Return the closest parent that exists."""
    return next(parent for parent in place.parents if os.path.exists(parent))  # noqa: PTH110  False for long names


def _refuse_long_names(path: Path, place: Path, home: Path, longest: str) -> None:
    """Raise an `ArtefactError` if the file system of ``home`` takes no names or paths of this length."""
    new = place.relative_to(home).parts
    most_name, most_path = _limit(home, "PC_NAME_MAX", 255), _limit(home, "PC_PATH_MAX", 4096)
    n_bytes = max(len(os.fsencode(name)) for name in (*new, temporary_name(place, PARTIAL).name))
    if n_bytes > most_name:
        reason = f"{os.strerror(errno.ENAMETOOLONG)}: {n_bytes:,} bytes, and at most {most_name:,} are possible"
        raise ArtefactError(f"cannot save to {path}: {reason}; choose a shorter name")
    n_bytes = max(len(os.fsencode(folder / longest)) for folder in (place, temporary_name(place, PARTIAL)))
    if n_bytes >= most_path:
        reason = f"its files would have paths of {n_bytes:,} bytes, and at most {most_path - 1:,} are possible"
        raise ArtefactError(f"cannot save to {path}: {reason}; choose a folder with a shorter path")


def _limit(folder: Path, name: str, usual: int) -> int:
    try:
        return os.pathconf(folder, name)
    except (OSError, ValueError):
        return usual
