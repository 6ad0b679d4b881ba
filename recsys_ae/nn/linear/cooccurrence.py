"""XᵀX of sparse rows: how often columns occur together, or the sum of their products."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys_ae.nn.rows import Rows

CELLS = 2**22
"""Numbers that a thread holds beside the result: 16 MiB of float32."""

THREADS = 8
"""At most, so that what they hold together stays small."""

COLUMNS = 128
"""Of a dense block, at most: with the rows of a part it stays in a core's share of the cache."""

PART = 2**13
"""Rows that are multiplied with a dense block at a time."""

DENSE = 40
"""A product of two sparse matrices takes so many times as long, for each multiplication, as one with a dense block."""


def gram(rows: Rows, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return XᵀX, ``(width, width)`` and dense, computed in ``dtype``; float32 is exact for counts below 2²⁴.

    Made a block of columns at a time on the CPU: beside the result there are the rows twice, and some 50 MiB for each
    two threads. Long rows are multiplied with dense blocks, and half of the result is a copy of the other; the cost
    is that of ``nnz * width / 2`` multiplications. Rows that are short beside the width are multiplied as they are.
    """
    result = torch.empty(rows.width, rows.width, dtype=dtype)
    values = rows.values.to("cpu", dtype).numpy()
    arrays = values, rows.indices.cpu().numpy(), rows.indptr.cpu().numpy()
    matrix = csr_matrix(arrays, shape=(len(rows), rows.width))
    (_dense if _long(matrix) else _sparse)(matrix, result.numpy())
    return result.to(rows.device)


def _long(matrix: csr_matrix) -> bool:
    """Tell whether the product with dense blocks is the faster one."""
    lengths = np.diff(matrix.indptr).astype(np.float64)
    return matrix.nnz * matrix.shape[1] < DENSE * float(lengths @ lengths)


def _dense(matrix: csr_matrix, result: np.ndarray) -> None:
    n, width = matrix.shape
    parts = [matrix[start : start + PART].T.tocsr() for start in range(0, max(n, 1), PART)]
    size = min(COLUMNS, max(1, CELLS // (width + PART)))

    def fill(start: int) -> None:
        stop = min(start + size, width)
        block = sum(part[start:] @ part[start:stop].T.toarray() for part in parts)
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
    """Call on each start, as many at a time as PyTorch has threads: SciPy's products let others run meanwhile."""
    with ThreadPoolExecutor(min(THREADS, torch.get_num_threads())) as pool:
        for _ in pool.map(fill, starts):
            pass
