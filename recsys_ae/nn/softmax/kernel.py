"""Triton kernel of the softmax; imported only where Triton is installed and the rows lie on a GPU."""

from contextlib import nullcontext
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

LARGEST_BLOCK = 4096
"""Columns that a program reads at a time; 16 KiB of float32, 16 numbers for each of its 256 threads."""


# Triton refuses annotations other than its own.
def _softmax(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    logits,
    bias,
    lengths,
    slope,
    maxima,
    sums,
    width,
    logits_stride,
    slope_stride,
    HAS_BIAS: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
):
    """Compute one row: its maximum and sum in a first pass, with the sum rescaled to each new maximum, then its slope.

    In the first pass a maximum below all is finite, so that no difference of infinities occurs. Each thread writes
    only where it has read itself, so ``slope`` may be ``logits``.
    """
    row = tl.program_id(0).to(tl.int64)
    logits += row * logits_stride
    slope += row * slope_stride
    top = tl.full((), -3.0e38, tl.float32)
    total = tl.zeros((), tl.float32)
    for start in range(0, width, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        inside = columns < width
        x = tl.load(logits + columns, mask=inside, other=-float("inf")).to(tl.float32)
        if HAS_BIAS:
            x += tl.load(bias + columns, mask=inside, other=0.0)
        new_top = tl.maximum(top, tl.max(x, axis=0))
        total = total * tl.exp(top - new_top) + tl.sum(tl.exp(x - new_top), axis=0)
        top = new_top
    tl.store(maxima + row, top)
    tl.store(sums + row, total)
    scale = tl.load(lengths + row) / total
    for start in range(0, width, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        inside = columns < width
        x = tl.load(logits + columns, mask=inside, other=-float("inf")).to(tl.float32)
        if HAS_BIAS:
            x += tl.load(bias + columns, mask=inside, other=0.0)
        tl.store(slope + columns, (tl.exp(x - top) * scale).to(slope.dtype.element_ty), mask=inside)


_compiled: Any = triton.jit(_softmax)


def launch(logits: Tensor, bias: Tensor | None, lengths: Tensor, slope: Tensor, maxima: Tensor, sums: Tensor) -> None:
    """Write the slope, the maxima and the sums of `fused.softmax` for at least one row.

    The columns of ``logits`` and ``slope`` must lie side by side in memory, and all other tensors must be contiguous.
    """
    n, width = logits.shape
    block = min(LARGEST_BLOCK, triton.next_power_of_2(width))
    strides = logits.stride(0), slope.stride(0)
    # The kernel is launched on the current device, which need not be that of the tensors.
    with torch.cuda.device(logits.device) if logits.is_cuda else nullcontext():
        _compiled[(n,)](
            logits, logits if bias is None else bias, lengths, slope, maxima, sums, width, *strides,
            HAS_BIAS=bias is not None, BLOCK=block, num_warps=8,
        )  # fmt: skip
