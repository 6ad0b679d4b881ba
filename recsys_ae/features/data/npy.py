"""Arrays of npy and npz files, read without pickle and without more memory than the file fills."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from recsys_ae.data.parsing import listing
from recsys_ae.data.readers.bounded.bounds import RATIO, refuse_beyond_memory
from recsys_ae.data.readers.bounded.zips import opened_member, opened_zip
from recsys_ae.errors import DataError
from recsys_ae.features.data.checks import errors_of

NPY, ZIP, PICKLE = b"\x93NUMPY", b"PK", b"\x80"
"""First bytes of the files."""
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
ONLY = "values"
"""Name of the array of an npy file."""


def array_names(path: Path) -> list[str]:
    """Return the names of the arrays in a file."""
    with _errors_of(path):
        with path.open("rb") as file:
            start = file.read(len(NPY))
        if start == NPY:
            return [ONLY]
        if start.startswith(ZIP):
            with path.open("rb") as file, errors_of(path), opened_zip(file) as archive:
                return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    pickled = "; it looks like a pickle, which can run code and is not read" if start.startswith(PICKLE) else ""
    raise DataError(f"{path} is no array of numbers: it is neither npy nor npz{pickled}; write it with numpy.save")


def array(path: Path, name: str) -> np.ndarray:
    """Return one array of a file; raise if it holds Python objects or records, or is damaged."""
    with _errors_of(path), _opened(path, name) as (stream, size):
        version = np.lib.format.read_magic(cast(Any, stream))
        if version not in HEADERS:
            raise ValueError(f"version {version} of the format is unknown")
        shape, by_columns, kind = HEADERS[version](cast(Any, stream))
        refuse_objects(kind, f"{path} is no array of numbers: {name}")
        expected = math.prod(shape) * kind.itemsize
        if min(shape, default=0) < 0 or expected > size:
            sides = " × ".join(f"{side:,}" for side in shape)
            raise ValueError(f"{name} claims to be {sides} values of {kind}, but the file has {size:,} bytes")
        refuse_beyond_memory(expected, f"{path}: {name}")
        content = stream.read(expected + 1)
        if len(content) != expected:
            held = "more" if len(content) > expected else f"{len(content):,}"
            raise ValueError(f"{name} should have {expected:,} bytes, but has {held}")
        return np.frombuffer(content, kind).reshape(shape, order="F" if by_columns else "C")


def refuse_objects(kind: "np.dtype[Any]", name: str) -> None:
    """Raise for Python objects, which are pickled, and for records."""
    if kind.hasobject:
        raise DataError(f"{name} holds Python objects, which are stored as a pickle and not read; save plain numbers")
    if kind.names is not None or kind.subdtype is not None:
        fields = f" with the fields {listing(kind.names, 5)}" if kind.names else ""
        raise DataError(f"{name} holds records{fields}; save one array of numbers, or a CSV or Parquet table")
    if not kind.itemsize:
        raise DataError(f"{name} holds values without a size ({kind}); save plain numbers")


@contextmanager
def _opened(path: Path, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """Open an npy file, or the member of an npz file; also return an upper bound of its size."""
    with path.open("rb") as file:
        if file.read(len(NPY)) == NPY:
            file.seek(0)
            yield file, path.stat().st_size
            return
    with ExitStack() as stack:
        with errors_of(path):
            archive = stack.enter_context(opened_zip(stack.enter_context(path.open("rb"))))
            stream = stack.enter_context(opened_member(archive, f"{name}.npy", ratio=RATIO))
        yield stream, archive.getinfo(f"{name}.npy").file_size


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Turn all errors of reading into a `DataError` of one line that begins with the path."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # headers and archives that are damaged make NumPy and zipfile raise errors of any class
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} is no array of numbers, or damaged: {why}") from error
