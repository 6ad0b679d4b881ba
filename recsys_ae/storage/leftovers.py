"""Temporary folders next to what is written, and removal of those that an ended process has left.

A process holds a lock (`flock`) on its temporary folder while it lives, and the name holds the boot of its machine. So
a process of the same machine, also one in another container, knows whether the owner has ended, and ids of processes do
not matter. A folder of another machine (a shared disk), of a file system without locks, or of an earlier version is
removed when nothing in it has changed for a day.
"""

import hashlib
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from recsys_ae.storage import locks

PARTIAL, FORMER = "partial", "former"
"""Kinds of temporary names: unfinished files and folders, and a folder that is being replaced."""
LONG_AGO = 86_400
"""Seconds after which a leftover is removed whose owner is not known."""
_LONGEST = 100
"""Bytes of a target's name in a temporary name, so that it fits into 143 bytes, the shortest limit of file systems."""
_NAME = re.compile(
    r"\.(?P<label>.+)\.(?:(?P<boot>[0-9a-f]{8})-)?[0-9a-f]{8}\.(?P<kind>partial|former)"
    r"|\.download-[a-z0-9_]{8}",  # of an earlier version
    re.DOTALL,
)


def is_temporary(name: str) -> bool:
    """Return True for the name of a temporary file or folder of this package."""
    return _NAME.fullmatch(name) is not None


def temporary_name(path: Path, kind: str) -> Path:
    """Return an unused name in the folder of ``path``, so that renaming is one step."""
    return path.with_name(f".{short(path.name)}.{_boot()}-{secrets.token_hex(4)}.{kind}")


def short(name: str) -> str:
    """Return a name, or the beginning and a hash of a long one, in at most 100 bytes."""
    encoded = name.encode("utf-8", errors="surrogatepass")
    if len(encoded) <= _LONGEST:
        return name
    return f"{encoded[:40].decode('utf-8', errors='ignore')}~{hashlib.sha256(encoded).hexdigest()[:16]}"


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder next to ``path``, which is removed at the end; first remove leftovers of ended processes.

    Raises
    ------
    OSError
        If the folder cannot be made.
    """
    sweep(path.parent)
    folder, descriptor = _made(path)
    try:
        yield folder
    finally:
        try:
            remove(folder)
        finally:  # after an interruption another run may remove it
            if descriptor is not None:
                os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove the temporary files and folders in a folder that an ended process has left.

    A former folder whose target is missing is kept; `formers` finds it.
    """
    names = _names(folder)
    targets = {short(name): folder / name for name in names}
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        target = targets.get(match["label"])
        # Look again: the list may hold both names of a folder that was moved aside meanwhile.
        if match["kind"] != FORMER or (target is not None and os.path.lexists(target)):
            _remove_abandoned(folder / name, match["boot"])


def sweep_tree(folder: Path) -> None:
    """Remove what ended processes have left in a folder and in all folders in it."""
    for place, _, _ in os.walk(folder):
        sweep(Path(place))


def formers(path: Path) -> list[Path]:
    """Return the former folders of ``path`` that an overwrite has moved aside, the latest first."""
    matches = [match for name in _names(path.parent) if (match := _NAME.fullmatch(name)) and match["kind"] == FORMER]
    found = [path.with_name(match[0]) for match in matches if match["label"] == short(path.name)]
    return sorted(found, key=_moved, reverse=True)


def is_ours(path: Path) -> bool:
    """Return True if a temporary file or folder was made since the present boot of this machine."""
    match = _NAME.fullmatch(path.name)
    return match is not None and match["boot"] == _boot()


def remove(path: Path) -> None:
    """Remove a file, or a folder with everything in it; another process may be removing it at the same time."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _made(path: Path) -> tuple[Path, int | None]:
    """Make and lock a temporary folder; another process may sweep it before it is locked."""
    while True:
        folder = temporary_name(path, PARTIAL)
        folder.mkdir()
        descriptor = locks.opened(folder)
        if descriptor is None:
            if folder.exists():  # a folder that its owner may not read
                return folder, None
        elif locks.take(descriptor) is False or not folder.exists():
            os.close(descriptor)
        else:
            return folder, descriptor


def _remove_abandoned(entry: Path, boot: str | None) -> None:
    descriptor = locks.opened(entry)
    if descriptor is None:
        return
    try:
        lock = locks.take(descriptor)
        if lock is not False and ((lock and boot == _boot()) or time.time() - _changed(entry) > LONG_AGO):
            remove(entry)
    finally:
        os.close(descriptor)


def _changed(path: Path) -> float:
    """Return the time of the latest change of a file, or of a folder and everything in it, in seconds since 1970."""
    moments = [0.0]
    for entry in (path, *path.rglob("*")):
        with suppress(OSError):
            moments.append(entry.lstat().st_mtime)
    return max(moments)


def _moved(path: Path) -> float:
    """Return the time at which a folder got its name."""
    with suppress(OSError):
        return path.lstat().st_ctime
    return 0.0


def _names(folder: Path) -> list[str]:
    with suppress(OSError):
        return [entry.name for entry in folder.iterdir()]
    return []


@cache
def _boot() -> str:
    """Return the mark of this machine since its last start; containers on one machine share it."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:  # not Linux
        text = platform.node()
    return hashlib.sha256(text.encode()).hexdigest()[:8]
