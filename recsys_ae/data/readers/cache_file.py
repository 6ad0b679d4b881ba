"""Interactions in one binary file: NumPy's arrays one after another, mapped into memory when read, and a checksum."""

import json
import mmap
import zlib
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions, Step
from recsys_ae.data.parsing import Ids
from recsys_ae.errors import DataError
from recsys_ae.storage.atomic import whole_file

CHECKSUM = 8  # bytes at the end
VERSION = (1, 0)  # of NumPy's own format


def write(path: Path, data: Interactions, key: str, mode: int) -> None:
    """Write a file at once: it is whole or not there; ``mode`` says who may read it.

    Raises
    ------
    OSError
        Where it cannot be written; nothing of it stays then.
    """
    # What a crash leaves of it on the disk, the checksum tells.
    with whole_file(path, durable=False) as partial:
        partial.touch(0o600, exist_ok=False)  # private until it is whole
        with partial.open("w+b") as file:
            _write_arrays(file, data, key)
            file.flush()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                checksum = zlib.crc32(content)
            file.write(checksum.to_bytes(CHECKSUM, "little"))
        partial.chmod(mode)


def read(path: Path, key: str) -> Interactions | None:
    """Return what was written under this key; None where there is no such file, or it is damaged or another one.

    The arrays stay in the file until they are looked at. They may be changed: the file will not be.
    """
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        with memoryview(content) as whole, whole[:-CHECKSUM] as body:
            if zlib.crc32(body) != int.from_bytes(whole[-CHECKSUM:], "little"):
                return None
        return _interactions(_Arrays(content), key)
    except (OSError, ValueError, LookupError, TypeError, DataError):
        # Whatever is wrong with it, it can be made again.
        return None


def _write_arrays(file: IO[bytes], data: Interactions, key: str) -> None:
    about = {
        "key": key,
        "shape": data.shape,
        "timestamps": data.timestamps is not None,
        "steps": [[step.name, step.before, step.after] for step in data.steps],
        **{name: _described(ids) for name, ids in (("users", data.users), ("items", data.items))},
    }
    numbers = [ids.to_numpy() for ids in (data.users, data.items) if _described(ids) is None]
    times = [] if data.timestamps is None else [data.timestamps]
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    matrix = data.matrix
    for array in (text, matrix.data, matrix.indices, matrix.indptr, data.order, *times, *numbers):
        np.lib.format.write_array(file, np.ascontiguousarray(array), VERSION, allow_pickle=False)


def _interactions(arrays: "_Arrays", key: str) -> Interactions | None:
    about = json.loads(arrays.next().tobytes())
    if about["key"] != key:
        return None
    matrix = csr_matrix((arrays.next(), arrays.next(), arrays.next()), shape=tuple(about["shape"]))
    matrix.check_format(full_check=True)
    order = arrays.next()
    times = arrays.next() if about["timestamps"] else None
    if len(order) != matrix.nnz or (times is not None and len(times) != matrix.nnz):
        return None
    users, items = (_index(about[name], arrays) for name in ("users", "items"))
    steps = tuple(Step(name, tuple(before), tuple(after)) for name, before, after in about["steps"])
    return Interactions(matrix, users, items, times, order, steps)


class _Arrays:
    """Arrays of numbers, one after another in a file that is mapped into memory."""

    def __init__(self, content: mmap.mmap) -> None:
        self.content = content
        self.position = 0

    def next(self) -> np.ndarray:
        """Return the next one, without copying it."""
        # A header is far shorter: NumPy pads it to 64 bytes, and there is one dimension only.
        head = BytesIO(self.content[self.position : self.position + 1024])
        np.lib.format.read_magic(head)
        (length,), _, kind = np.lib.format.read_array_header_1_0(head)
        if kind.kind not in "iuf" or not kind.isnative:
            raise ValueError(f"expected numbers in the byte order of this machine, not {kind}")
        start = self.position + head.tell()
        self.position = start + length * kind.itemsize
        return np.frombuffer(self.content, kind, length, start)


def _described(ids: Ids) -> dict[str, Any] | None:
    """Return ids as JSON, which keeps 1, 1.0 and "1" apart; None for numbers of one type, which are an array."""
    if ids.dtype != object and ids.dtype.kind in "iuf":
        return None
    return {"mixed": ids.inferred_type != "string", "values": ids.tolist()}


def _index(described: dict[str, Any] | None, arrays: _Arrays) -> Ids:
    found: Ids
    if described is None:
        found = pd.Index(arrays.next().copy())
    else:
        # As reading makes them: what type text has depends on the version of pandas.
        found = pd.Index(described["values"], dtype=object if described["mixed"] else None)
    return found
