"""Atomic, durable writes of files and folders: after a failure the former content is intact."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys_ae.errors import ArtefactError

PARTIAL = ".partial"
"""Ending of the names of unfinished files and folders; they begin with a dot."""


@contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; the file written there is moved to ``path`` on success.

    Parameters
    ----------
    durable
        Wait until the file is on the disk, so that it survives a crash of the machine.

    Raises
    ------
    OSError
        If the file cannot be written; a former file stays. `errors_named` adds the path.
    """
    partial = _next_to(path, PARTIAL)
    try:
        yield partial
        if durable:
            flush(partial)
        partial.replace(path)
        if durable:
            flush(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder next to ``path`` that is moved to ``path`` once its files are on the disk.

    A former folder is removed only after the new one has replaced it.

    Raises
    ------
    OSError
        If the folder cannot be written; a former folder stays. `errors_named` adds the path.
    """
    partial = _next_to(path, PARTIAL)
    partial.mkdir()
    try:
        yield partial
        for entry in (*partial.rglob("*"), partial):
            flush(entry)
        _replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder, if there is one. Under its name it is complete until it is gone."""
    former = _next_to(path, ".former")
    try:
        path.rename(former)
    except FileNotFoundError:
        return
    shutil.rmtree(former)


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


def _replace(partial: Path, path: Path) -> None:
    former = _next_to(path, ".former") if path.exists() else None
    if former is not None:
        path.rename(former)
    try:
        partial.rename(path)
    except BaseException:
        if former is not None:
            former.rename(path)
        raise
    flush(path.parent)
    if former is not None:
        shutil.rmtree(former)


def _next_to(path: Path, ending: str) -> Path:
    """Return an unused name in the same folder, so that renaming is one step."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{ending}")
