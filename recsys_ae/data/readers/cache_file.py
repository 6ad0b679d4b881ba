"""Binary file of interactions: NumPy arrays one after another and a checksum, mapped into memory for reading."""

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
    """Write a file atomically, with the permissions ``mode``.

    Raises
    ------
    OSError
        If it cannot be written; no file is left then.
    """
    # Not durable: after a crash the checksum shows an incomplete file.
    with whole_file(path, durable=False) as partial:
        partial.touch(0o600, exist_ok=False)  # private until it is complete
        with partial.open("w+b") as file:
            _write_arrays(file, data, key)
            file.flush()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                checksum = zlib.crc32(content)
            file.write(checksum.to_bytes(CHECKSUM, "little"))
        partial.chmod(mode)


def read(path: Path, key: str) -> Interactions | None:
    """Return the interactions written with this key; None if the file is missing, damaged, or has another key.

    The arrays are read from the file when they are used. Changes of them do not change the file.
    """
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        with memoryview(content) as buffer, buffer[:-CHECKSUM] as body:
            if zlib.crc32(body) != int.from_bytes(buffer[-CHECKSUM:], "little"):
                return None
        return _interactions(_Arrays(content), key)
    except (OSError, ValueError, LookupError, TypeError, DataError):
        # Any problem with the file is solved by reading the source again.
        return None


def _write_arrays(file: IO[bytes], data: Interactions, key: str) -> None:
    description = {
        "key": key,
        "shape": data.shape,
        "timestamps": data.timestamps is not None,
        "steps": [[step.name, step.before, step.after] for step in data.steps],
        "remarks": data.remarks,
        **{name: _described(ids) for name, ids in (("users", data.users), ("items", data.items))},
    }
    numbers = [ids.to_numpy() for ids in (data.users, data.items) if _described(ids) is None]
    times = [] if data.timestamps is None else [data.timestamps]
    text = np.frombuffer(json.dumps(description).encode(), np.uint8)
    matrix = data.matrix
    for array in (text, matrix.data, matrix.indices, matrix.indptr, data.order, *times, *numbers):
        np.lib.format.write_array(file, np.ascontiguousarray(array), VERSION, allow_pickle=False)


def _interactions(arrays: "_Arrays", key: str) -> Interactions | None:
    description = json.loads(arrays.next().tobytes())
    if description["key"] != key:
        return None
    matrix = csr_matrix((arrays.next(), arrays.next(), arrays.next()), shape=tuple(description["shape"]))
    matrix.check_format(full_check=True)
    order = arrays.next()
    times = arrays.next() if description["timestamps"] else None
    if len(order) != matrix.nnz or (times is not None and len(times) != matrix.nnz):
        return None
    users, items = (_index(description[name], arrays) for name in ("users", "items"))
    steps = tuple(Step(name, tuple(before), tuple(after)) for name, before, after in description["steps"])
    return Interactions(matrix, users, items, times, order, steps, remarks=tuple(description["remarks"]))


class _Arrays:
    """Reader of the arrays of numbers in a file that is mapped into memory."""

    def __init__(self, content: mmap.mmap) -> None:
        self.content = content
        self.position = 0

    def next(self) -> np.ndarray:
        """Return the next array without copying it."""
        # The header of an array with one dimension is far shorter than that: NumPy pads it to 64 bytes.
        head = BytesIO(self.content[self.position : self.position + 1024])
        np.lib.format.read_magic(head)
        (length,), _, kind = np.lib.format.read_array_header_1_0(head)
        if kind.kind not in "iuf" or not kind.isnative:
            raise ValueError(f"expected numbers in the byte order of this machine, not {kind}")
        start = self.position + head.tell()
        self.position = start + length * kind.itemsize
        return np.frombuffer(self.content, kind, length, start)


def _described(ids: Ids) -> dict[str, Any] | None:
    """Return ids for JSON, which keeps 1, 1.0 and "1" apart; None for numbers of one type, stored as an array."""
    if ids.dtype != object and ids.dtype.kind in "iuf":
        return None
    return {"mixed": ids.inferred_type != "string", "values": ids.tolist()}


def _index(described: dict[str, Any] | None, arrays: _Arrays) -> Ids:
    index: Ids
    if described is None:
        index = pd.Index(arrays.next().copy())
    else:
        # The type that pandas infers for text, as in reading; it depends on the version of pandas.
        index = pd.Index(described["values"], dtype=object if described["mixed"] else None)
    return index
