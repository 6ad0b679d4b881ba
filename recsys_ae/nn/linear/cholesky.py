"""Cholesky factor and inverse of a large positive definite matrix, in place.

On the CPU both are computed by matrix products, a block at a time. LAPACK's routines are called on small blocks only:
with OpenBLAS, which SciPy brings, a threaded ``potrf`` of a large matrix ends the process by a signal (seen with two
threads from 20,000 to 25,000 rows on, depending on the processor; most likely its buffer is too small).
"""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

BLOCK = 256
"""Rows of a block. Temporary matrices have as many rows: 80 MB for a matrix of 40,000 rows."""

COLUMNS = 512
"""Columns of a triangular matrix that are multiplied at a time; with more, more time is lost on zeros."""

DEVICE_BLOCK, DEVICE_COLUMNS = 1024, 4096
"""The same on a GPU. PyTorch's own routines return a copy of the matrix, which may not fit."""


def factorise(matrix: Tensor) -> bool:
    """Overwrite A, ``(n, n)``, by the lower triangular L with A = LLᵀ; only the lower triangle of A is read.

    Returns
    -------
    bool
        False if A is not positive definite; its content is then undefined.
    """
    if matrix.device.type != "cpu":
        return _factorise_on_device(matrix)
    with _blas_threads():
        return _factorise(matrix.numpy())


def invert_factorised(factor: Tensor) -> None:
    """Overwrite L, ``(n, n)`` and lower triangular, by (LLᵀ)⁻¹, both of its triangles."""
    if factor.device.type != "cpu":
        _invert_triangle_on_device(factor)
        _square_triangle_on_device(factor)
        return
    with _blas_threads():
        _invert_triangle(factor.numpy())
        _square_triangle(factor.numpy())


def solve_lower(factor: Tensor, right: Tensor) -> None:
    """Overwrite R, ``(n, m)``, by L⁻¹R for a lower triangular L, ``(n, n)``."""
    if factor.device.type != "cpu":
        _solve_lower_on_device(factor, right)
        return
    with _blas_threads():
        _solve_lower(factor.numpy(), right.numpy())


def blocks(n: int, size: int | None = None) -> Iterator[slice]:
    """Return slices that split ``n`` rows into blocks of ``size`` or `BLOCK`, in order."""
    size = size or BLOCK
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


@contextlib.contextmanager
def _blas_threads() -> Iterator[None]:
    """Let NumPy's BLAS use as many threads as PyTorch inside the context; by default it uses every core."""
    with threadpool_limits(torch.get_num_threads(), "blas"):
        yield


def _factorise_on_device(matrix: Tensor) -> bool:
    columns = matrix.mT  # in column-major order, as the routine expects it, so that it makes no copy
    failed = torch.empty((), dtype=torch.int32, device=matrix.device)
    torch.linalg.cholesky_ex(columns, upper=True, out=(columns, failed))
    return not bool(failed)


def _factorise(a: np.ndarray) -> bool:
    n = len(a)
    for block in blocks(n):
        before, after = slice(0, block.start), slice(block.stop, n)
        if block.start:
            a[block.start :, block] -= a[block.start :, before] @ a[block, before].T
        try:
            a[block, block] = np.linalg.cholesky(a[block, block])
        except np.linalg.LinAlgError:
            return False
        a[after, block] = a[after, block] @ np.linalg.inv(a[block, block]).T
        a[block, after] = 0
    return True


def _solve_lower(a: np.ndarray, right: np.ndarray) -> None:
    for block in blocks(len(a)):
        before = slice(0, block.start)
        right[block] -= a[block, before] @ right[before]
        right[block] = np.linalg.inv(a[block, block]) @ right[block]


def _invert_triangle(a: np.ndarray) -> None:
    """Overwrite L by W = L⁻¹: W_kj = −(L_kk)⁻¹ Σ_i L_ki W_ij over the blocks i from j to k − 1."""
    for block in blocks(len(a)):
        inverse = np.tril(np.linalg.inv(a[block, block]))
        a[block, : block.start] = -inverse @ a[block, : block.start]
        for start in range(0, block.start, COLUMNS):
            stop = min(start + COLUMNS, block.start)
            a[block, start:stop] = a[block, start : block.start] @ a[start : block.start, start:stop]
        a[block, block] = inverse


def _square_triangle(a: np.ndarray) -> None:
    """Overwrite W by WᵀW. Rows that were used are not needed again, so they hold the result."""
    for block in blocks(len(a)):
        a[block, : block.stop] = a[block.start :, block].T @ a[block.start :, : block.stop]
        a[: block.start, block] = a[block, : block.start].T


def _solve_lower_on_device(factor: Tensor, right: Tensor) -> None:
    """Overwrite R, ``(n, m)``, by L⁻¹R for a lower triangular L, ``(n, n)``."""
    for block in blocks(len(factor), DEVICE_BLOCK):
        before = slice(0, block.start)
        remainder = right[block] - factor[block, before] @ right[before]
        right[block] = torch.linalg.solve_triangular(factor[block, block], remainder, upper=False)


def _invert_triangle_on_device(a: Tensor) -> None:
    """Overwrite the lower triangular L by W = L⁻¹: W_kj = −(L_kk)⁻¹ Σ_i L_ki W_ij over the blocks i from j to k − 1."""
    for block in blocks(len(a), DEVICE_BLOCK):
        unit = torch.eye(block.stop - block.start, dtype=a.dtype, device=a.device)
        inverse = torch.linalg.solve_triangular(a[block, block], unit, upper=False).tril_()
        left = inverse.neg() @ a[block, : block.start]
        for start in range(0, block.start, DEVICE_COLUMNS):
            stop = min(start + DEVICE_COLUMNS, block.start)
            a[block, start:stop] = left[:, start:] @ a[start : block.start, start:stop]
        a[block, block] = inverse


def _square_triangle_on_device(a: Tensor) -> None:
    """Overwrite W by WᵀW. Rows that were used are not needed again, so they hold the result."""
    for block in blocks(len(a), DEVICE_BLOCK):
        a[block, : block.stop] = a[block.start :, block].T @ a[block.start :, : block.stop]
        a[: block.start, block] = a[block, : block.start].T
