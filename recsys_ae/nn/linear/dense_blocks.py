"""Co-occurrence matrix XᵀX of sparse rows on a GPU, as a sum over dense blocks of the rows.

Counts are exact. Entries of 0 and 1 are exact in fp16 and TF32, whose products tensor cores add in float32, which holds
the whole numbers up to 2²⁴. A block has fewer rows, and blocks are added in the dtype of the result. For ML-20M's shape
(116,677 × 20,108), half of the products takes 0.07 s at an H200's 700 TFLOP/s; 0.8 s at 60 TFLOP/s in float32.
"""

import torch
from torch import Tensor

from recsys_ae.nn.arithmetic import multiplies_to_float32, with_tf32, without_tf32
from recsys_ae.nn.capacity import is_out_of_memory
from recsys_ae.nn.linear.cholesky import blocks
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import free_memory

CELLS = 2**30
"""Largest number of cells of a dense block: 2 GiB in fp16."""

ROWS = 1024
"""Smallest number of rows of a block that is worth its addition to the result."""

COLUMNS = 4096
"""Columns of the result computed at a time, from the diagonal on: at 20,000 items 0.6 of all products. Copying the
other triangle takes as long as a few per cent of them, on paper."""

ALIGNED = 64
"""Columns of a block are a multiple of this. Tensor cores are slow if rows begin between multiples of 16 bytes."""

ENTRY = 40
"""Bytes of an entry of a block while its places are computed."""


def gram(rows: Rows, dtype: torch.dtype) -> Tensor | None:
    """Return XᵀX, ``(width, width)``, on the device of the rows; None if its memory does not suffice.

    Values other than 0 and 1 are multiplied and added in ``dtype``, and never as TF32. The CPU waits once to learn
    which values there are, and once if it does not know the bounds of the rows. A row must not repeat a column.
    """
    is_count = bool(((rows.values == 0) | (rows.values == 1)).all())
    # Tensors of other classes need not have memory on the device that they name.
    halves = is_count and type(rows.values) is Tensor and multiplies_to_float32(rows.device, torch.float16)
    kind = torch.float16 if halves else torch.float32 if is_count else dtype
    size = block_rows(rows, dtype, kind)
    if size is None:
        return None
    try:
        with with_tf32() if is_count else without_tf32():
            return _summed(rows, dtype, kind, size)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    torch.cuda.empty_cache()  # outside of the except block, whose error holds the tensors
    return None


def block_rows(rows: Rows, dtype: torch.dtype, kind: torch.dtype) -> int | None:
    """Return the number of rows of a block of ``kind``; None if memory holds no result of ``dtype`` and a block."""
    n, width = max(1, len(rows)), max(1, rows.width)
    largest = min(n, max(1, CELLS // width))
    free = free_memory(rows.device)
    if free is None:
        return largest
    product = 0 if kind is dtype else 4 * width * min(COLUMNS, width)
    row = (width + ALIGNED) * kind.itemsize + ENTRY * -(-len(rows.values) // n)
    fitting = (free - width**2 * dtype.itemsize - product) // row
    return min(largest, fitting) if fitting >= min(n, ROWS) else None


def _summed(rows: Rows, dtype: torch.dtype, kind: torch.dtype, size: int) -> Tensor:
    result = torch.zeros(rows.width, rows.width, dtype=dtype, device=rows.device)
    for _, part in rows.parts(size):
        _add(result, part, kind)
    for block in blocks(rows.width, COLUMNS):
        result[block, block.stop :] = result[block.stop :, block].T
    return result


def _add(result: Tensor, part: Rows, kind: torch.dtype) -> None:
    """Add XᵀX of a few rows to the lower triangle of the result, in blocks of columns."""
    padded = -(-part.width // ALIGNED) * ALIGNED
    dense = torch.zeros(len(part), padded, dtype=kind, device=part.device)[:, : part.width]
    dense[part.row_of_entry, part.indices.long()] = part.values.to(kind)
    for block in blocks(part.width, COLUMNS):
        left, right, lower = dense[:, block.start :].T, dense[:, block], result[block.start :, block]
        if kind is result.dtype:
            lower.addmm_(left, right)
        elif kind is torch.float16:
            lower.add_(torch.mm(left, right, out_dtype=torch.float32))
        else:
            lower.add_(left @ right)
