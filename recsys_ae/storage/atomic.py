"""Atomic, durable writes of files and folders: they are whole and on the disk, or not there."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys_ae.errors import ArtefactError

PARTIAL = ".partial"
"""How the names of unfinished files and folders end; they begin with a dot."""


@contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give the name of a file next to ``path`` that takes its place once it is written and on the disk.

    Parameters
    ----------
    durable
        Wait for the disk, so that a crash of the machine leaves the file whole too.

    Raises
    ------
    OSError
        If it cannot be written (`errors_named` says which file); what was there before stays.
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
    """Give a new folder next to ``path`` that takes its place once its files are on the disk.

    A former folder is removed only when the new one stands in its place.

    Raises
    ------
    OSError
        If it cannot be written (`errors_named` says which folder); what was there before stays.
    """
    partial = _next_to(path, PARTIAL)
    partial.mkdir()
    try:
        yield partial
        for one in (*partial.rglob("*"), partial):
            flush(one)
        _replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a file of text (UTF-8) that is whole or not there; an `ArtefactError` names it."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file of bytes that is whole or not there; an `ArtefactError` names it."""
    with errors_named(f"write {path}"), whole_file(path) as partial:
        partial.write_bytes(content)


@contextmanager
def errors_named(task: str) -> Iterator[None]:
    """Turn an error of the system inside the context into "cannot ``task``: reason".

    Raises
    ------
    ArtefactError
        In place of the error.
    """
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
    """Return a name in the same folder, so that renaming is one step, that no other process or thread uses."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{ending}")
