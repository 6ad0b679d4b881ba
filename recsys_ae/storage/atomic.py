"""Files that are whole and on the disk, or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys_ae.errors import ArtefactError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the name of a file beside ``path`` that takes its place once it is written and on the disk.

    Raises
    ------
    ArtefactError
        Where it cannot be written; what was there before stays.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with errors_named(path):
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Turn an error of the system inside the context into one that names the file or folder.

    Raises
    ------
    ArtefactError
        In place of the error.
    """
    try:
        yield
    except OSError as error:
        raise ArtefactError(f"cannot write {path}: {error.strerror or error}") from error
