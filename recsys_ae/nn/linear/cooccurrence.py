"""Co-occurrence matrix XᵀX of sparse rows."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys_ae.errors import Argument, TrainingError
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import free_memory

CELLS = 2**22
"""Numbers that a thread holds besides the result: 16 MiB of float32."""

THREADS = 8
"""Largest number of threads, so that their memory stays small."""

COLUMNS = 128
"""Largest number of columns of a dense block: with `PART` rows it fits into a core's share of the cache."""

PART = 2**13
"""Rows multiplied with a dense block at a time."""

DENSE = 40
"""Time of a multiplication in a product of two sparse matrices, relative to one with a dense block."""

ROOM = 3
"""Least free memory for keeping a matrix, in multiples of its size: a fit needs as much again, and its weights."""


@dataclass
class _Kept:
    """The first matrix of a context, and a hash of what it was computed from."""

    key: str = ""
    matrix: Tensor | None = None


_kept: ContextVar[_Kept | None] = ContextVar("kept", default=None)


@contextmanager
def shared() -> Iterator[None]:
    """Keep the first matrix that is computed in the context, for later fits to the same interactions.

    It is kept only if memory allows for it. Fits that change the interactions, such as EDLAE with discounts, compute
    their own.
    """
    token = _kept.set(_Kept())
    try:
        yield
    finally:
        _kept.reset(token)


def gram(rows: Rows, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return XᵀX, ``(width, width)`` and dense, computed in ``dtype``; float32 is exact for counts below 2²⁴.

    On a GPU it is computed by `dense_blocks.gram`, or on the CPU if the GPU's memory holds the result and no blocks.
    The CPU computes a block of columns at a time. Besides the result, it needs twice the memory of the rows and some 50
    MiB for each two threads. Long rows are multiplied with dense blocks, and half of the result is a copy
    of the other half, at the cost of ``nnz * width / 2`` multiplications. Rows that are short compared with the width
    are multiplied as sparse matrices. In the context `shared` it may be a copy of a matrix that is kept.

    Raises
    ------
    TrainingError
        If the rows are on a GPU, and the result fits into the main memory neither of the GPU nor of the CPU.
    """
    kept = _kept.get()
    if kept is None:
        return _computed(rows, dtype)
    key = _key(rows, dtype)
    if kept.matrix is not None and kept.key == key:
        return kept.matrix.clone()
    matrix = _computed(rows, dtype)
    free = free_memory(matrix.device)
    if kept.matrix is None and (free is None or free > ROOM * matrix.nbytes):
        kept.key, kept.matrix = key, matrix.clone()
    return matrix


def _key(rows: Rows, dtype: torch.dtype) -> str:
    """Return a hash of the entries, which takes a small part of the time of the product."""
    digest = hashlib.blake2b(f"{len(rows)} {rows.width} {dtype} {rows.device}".encode())
    for part in (rows.indptr, rows.indices, rows.values):
        digest.update(part.cpu().numpy().tobytes())
    return digest.hexdigest()


def _computed(rows: Rows, dtype: torch.dtype) -> Tensor:
    if rows.device.type != "cpu":
        from recsys_ae.nn.linear import dense_blocks  # noqa: PLC0415

        on_device = dense_blocks.gram(rows, dtype)
        if on_device is not None:
            return on_device
        _refuse_too_large(rows.width, dtype)
    result = torch.empty(rows.width, rows.width, dtype=dtype)
    values = rows.values.to("cpu", dtype).numpy()
    arrays = values, rows.indices.cpu().numpy(), rows.indptr.cpu().numpy()
    matrix = csr_matrix(arrays, shape=(len(rows), rows.width))
    (_dense if _long(matrix) else _sparse)(matrix, result.numpy())
    return result.to(rows.device)


def _refuse_too_large(width: int, dtype: torch.dtype) -> None:
    """Raise unless the matrix fits into the main memory; a fit checks the memory of its own device only."""
    free, needed = free_memory(torch.device("cpu")), width**2 * torch.finfo(dtype).bits // 8
    if free is not None and needed > free:
        raise TrainingError(
            f"the matrix of {width:,} × {width:,} items is computed on the CPU and needs {needed / 2**30:,.1f} GiB of "
            f"main memory, and {free / 2**30:,.1f} GiB are free; keep fewer items (",
            Argument("min_item_users"),
            "), or use elsa, which needs memory for items × latent only",
        )


def _long(matrix: csr_matrix) -> bool:
    """Return True if the product with dense blocks is faster."""
    lengths = np.diff(matrix.indptr).astype(np.float64)
    return matrix.nnz * matrix.shape[1] < DENSE * float(lengths @ lengths)


def _dense(matrix: csr_matrix, result: np.ndarray) -> None:
    n, width = matrix.shape
    transposed_parts = [matrix[start : start + PART].T.tocsr() for start in range(0, max(n, 1), PART)]
    size = min(COLUMNS, max(1, CELLS // (width + PART)))

    def fill(start: int) -> None:
        stop = min(start + size, width)
        block = sum(transposed[start:] @ transposed[start:stop].T.toarray() for transposed in transposed_parts)
        result[start:, start:stop] = block
        result[start:stop, stop:] = block[stop - start :].T

    _each(fill, range(0, width, size))


def _sparse(matrix: csr_matrix, result: np.ndarray) -> None:
    columns, width = matrix.T.tocsr(), matrix.shape[1]
    size = max(1, CELLS // max(1, width))

    def fill(start: int) -> None:
        (columns[start : start + size] @ matrix).toarray(out=result[start : start + size])

    _each(fill, range(0, width, size))


def _each(fill: Callable[[int], None], starts: range) -> None:
    """Call ``fill`` on each start, with as many threads as PyTorch; SciPy's products release the interpreter lock."""
    with ThreadPoolExecutor(min(THREADS, torch.get_num_threads())) as pool:
        for _ in pool.map(fill, starts):
            pass
