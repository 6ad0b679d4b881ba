"""Atomic, durable writes of files and folders: after a failure the former content is intact."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from recsys_ae.errors import ArtefactError
from recsys_ae.storage.leftovers import FORMER, PARTIAL, formers, is_temporary, remove, temporary_folder, temporary_name
from recsys_ae.storage.locks import locked
from recsys_ae.storage.renames import exchange, rename_to_unused

_TRIES = 20
_TAKEN, _GONE = (errno.ENOTEMPTY, errno.EEXIST), errno.ENOENT


@contextmanager
def whole_file(path: Path, *, durable: bool = True, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path in a folder next to ``path``; the file written there is moved to ``path`` on success.

    Parameters
    ----------
    durable
        Wait until the file is on the disk, so that it survives a crash of the machine.
    overwrite
        Replace a former file, also one that appears while the new one is written.

    Raises
    ------
    OSError
        If the file cannot be written; a former file stays. `errors_named` adds the path.
    """
    with temporary_folder(path) as folder:
        partial = folder / path.name
        yield partial
        if durable:
            flush(partial)
        if overwrite:
            partial.replace(path)
        else:
            rename_to_unused(partial, path)
        if durable:
            flush(path.parent)


@contextmanager
def whole_folder(path: Path, *, overwrite: bool = True, check: Callable[[], None] | None = None) -> Iterator[Path]:
    """Yield a new folder next to ``path`` that is moved to ``path`` once its files are on the disk.

    A former folder is exchanged with the new one in one step where the system can do that (`renames.exchange`).
    Elsewhere it is moved aside first, and `restore` puts it back if the process is killed before the second step.

    Parameters
    ----------
    overwrite
        Replace a former folder, also one that appears while the new one is written. An empty one is always replaced.
    check
        Function that raises an error if what is at ``path`` must not be replaced; called just before that.

    Raises
    ------
    OSError
        If the folder cannot be written; a former folder stays. `errors_named` adds the path.
    """
    with temporary_folder(path) as partial:
        yield partial
        for entry in (*partial.rglob("*"), partial):
            flush(entry)
        with _in_turn(path):
            put_back(path)
            if check is not None:
                check()
            _replace(partial, path, overwrite=overwrite)
        flush(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder, if there is one. Under its name it is complete until it is gone."""
    aside = temporary_name(path, PARTIAL)
    with suppress(FileNotFoundError), _in_turn(path):
        path.rename(aside)
    remove(aside)


def put_back(path: Path) -> None:
    """Put a former folder back that an overwrite has moved aside; the caller holds the lock of ``path.parent``."""
    if not os.path.lexists(path):
        for former in formers(path):
            with suppress(OSError):
                former.rename(path)
                return


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) atomically; an `ArtefactError` names the file."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes to a file atomically; an `ArtefactError` names the file."""
    with errors_named(f"write {path}"), whole_file(path) as partial:
        partial.write_bytes(content)


@contextmanager
def errors_named(task: str) -> Iterator[None]:
    """Turn an `OSError` in the context into an `ArtefactError` "cannot ``task``: reason"."""
    try:
        yield
    except OSError as error:
        raise ArtefactError(f"cannot {task}: {error.strerror or error}") from error


def flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _in_turn(path: Path) -> AbstractContextManager[object]:
    """Return the lock of the folder of ``path``; a temporary folder belongs to this process, which has locked it."""
    return nullcontext() if is_temporary(path.parent.name) else locked(path.parent)


def _replace(partial: Path, path: Path, *, overwrite: bool = True) -> None:
    """Rename a folder; one that another process puts there or takes away meanwhile is met again by the next try."""
    for _ in range(_TRIES):
        try:
            if not overwrite or not path.exists():
                partial.rename(path)
            elif not exchange(partial, path):
                _replace_in_two_steps(partial, path)
            return
        except OSError as error:
            if not overwrite or error.errno not in (*_TAKEN, _GONE):
                raise
    raise OSError(errno.EBUSY, "other processes write to it all the time")


def _replace_in_two_steps(partial: Path, path: Path) -> None:
    former = temporary_name(path, FORMER)
    path.rename(former)
    try:
        partial.rename(path)
    except BaseException:
        with suppress(OSError):  # another process has written to path
            former.rename(path)
        raise
    remove(former)
