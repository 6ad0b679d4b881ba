"""Idx files: arrays of unsigned bytes, such as the images and labels of MNIST, plain or gzipped."""

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np

from recsys_ae.data.readers.bounded.bounds import RATIO, BoundedStream, refuse_beyond_memory, refuse_expansion
from recsys_ae.errors import DataError
from recsys_ae.features.data.checks import errors_of

UNSIGNED = 0x08
"""Code of the type of the values."""
GZIP = 1100
"""Bound of the ratio at which gzip can compress, 1,032, by which a damaged size is noticed."""


def read_idx_array(path: Path, noun: str, dimensions: int) -> np.ndarray:
    """Return the array of a file, uint8 with this number of dimensions; the noun says in messages what it holds."""
    with _opened(path) as (stream, size, packed):
        shape = _shape(stream, path, noun, dimensions)
        expected = math.prod(shape)
        content = b""
        with errors_of(path):
            if expected <= (GZIP * size if packed else size):
                refuse_expansion(expected, size)
                refuse_beyond_memory(expected, "its content")
                content = stream.read(expected + 1)
        if len(content) != expected:
            sides = " × ".join(f"{side:,}" for side in shape[1:])
            named = f"{shape[0]:,} {noun} of {sides}" if sides else f"{shape[0]:,} {noun}"
            held = "more" if len(content) > expected else f"{len(content) or size:,}"
            raise DataError(f"{path} is damaged: {named} are not {held} bytes; fetch or write the file again")
    if not expected:
        raise DataError(f"{path} holds no {noun}: its size is {' × '.join(map(str, shape))}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def idx_length(path: Path, noun: str, dimensions: int) -> int:
    """Return the length of the first dimension, from the first bytes of the file."""
    with _opened(path) as (stream, _, _):
        return _shape(stream, path, noun, dimensions)[0]


def _shape(stream: IO[bytes], path: Path, noun: str, dimensions: int) -> tuple[int, ...]:
    names = {1: "one dimension", 3: "three dimensions"}
    header = stream.read(4 + 4 * dimensions)
    if len(header) < 4 + 4 * dimensions or header[:4] != bytes([0, 0, UNSIGNED, dimensions]):
        raise DataError(f"{path} is no idx file of {noun}: expected {names[dimensions]} of unsigned bytes")
    return tuple(int.from_bytes(header[start : start + 4], "big") for start in range(4, len(header), 4))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], int, bool]]:
    """Open the content of a file, plain or gzipped; also return the size of the file, and whether it is gzipped."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            size = path.stat().st_size
            if packed:
                stream = BoundedStream(lambda raw: gzip.GzipFile(fileobj=raw), file, file.tell, ratio=RATIO)
                yield cast(IO[bytes], stream), size, True
            else:
                yield file, size, False
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: the file is truncated or damaged ({error})") from error
