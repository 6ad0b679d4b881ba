"""Cutting what is computed for many rows into chunks that fit: in the caches of a CPU, in the memory of a GPU."""

from collections.abc import Callable

import torch

from recsys_ae.errors import Argument, UnsupportedError
from recsys_ae.nn.runtime import free_memory

CELLS = 2**22
"""Numbers held at a time on a CPU: 16 MiB of float32. It is constant, so that a result does not hang on free memory.

Lists of 3,500 items take 0.6, of 20,000 items 0.8 of the time that they take with 4 MiB; with 32 MiB they take more.
"""

ROWS = 512
"""Rows taken at a time, at least: with fewer a matrix product waits for memory. Columns are cut into blocks instead."""

MOST = 2**28
"""Numbers held at a time on a GPU, at most: 1 GiB of float32."""

BYTES = 32
"""What a number may take on a GPU while it is made, copied and looked through: eight times float32."""


def cells_on(device: torch.device) -> int:
    """Return how many numbers to hold at a time on a device; on a GPU a power of two that fits into its free memory.

    In powers of two the size seldom changes with what else is in the memory, and with it the last bit of a product.
    """
    free = free_memory(device) if device.type == "cuda" else None
    return CELLS if free is None else min(MOST, 2 ** max(0, (free // BYTES).bit_length() - 1))


def rows_of(width: int, cells: int) -> int:
    """Return how many rows of ``width`` numbers to take at a time: `ROWS`, or more while they fit into ``cells``."""
    return max(ROWS, cells // max(1, width))


def in_chunks(n: int, rows: int, cells: int, work: Callable[[slice, int], None]) -> None:
    """Call ``work`` with chunks of ``rows`` of the ``n`` rows, in order, and with the numbers it may hold at a time.

    Where memory runs out both are halved, and the chunk is begun again.

    Raises
    ------
    UnsupportedError
        Where there is not enough memory for a single row, one number at a time.
    """
    rows, start = max(1, min(rows, n)), 0
    while start < n:
        chunk = slice(start, min(n, start + rows))
        if _fits(work, chunk, cells):
            start = chunk.stop
        elif rows == cells == 1:
            raise UnsupportedError(
                "there is not enough memory to score a single row; free some, or set ", Argument("device", "cpu")
            )
        else:
            rows, cells = max(1, rows // 2), max(1, cells // 2)
            torch.cuda.empty_cache()


def _fits(work: Callable[[slice, int], None], chunk: slice, cells: int) -> bool:
    try:
        work(chunk, cells)
    except torch.OutOfMemoryError:
        return False  # only after this the tensors that the error holds on to are gone
    return True
