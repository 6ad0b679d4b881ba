"""The Triton kernel of the softmax, run on the CPU by Triton's interpreter, compared with the plain form.

A process of its own runs it, because Triton reads ``TRITON_INTERPRET`` when it is imported.
"""

import itertools
import math
import sys

import pytest
import torch
from torch import Tensor

from recsys_ae.nn.softmax import fused, kernel
from recsys_ae.nn.softmax import losses as softmax_losses
from tests.nn.small import matrix, rows_of

WIDTHS = {"few": [1, 64, 193], "many": [1, 2, 7, 16, 31, 63, 64, 65, 100, 128, 192, 193, 640]}
KINDS = ["usual", "equal", "large", "one large", "ascending", "impossible"]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
PAIRS = [*((torch.float32, dtype) for dtype in DTYPES), *((dtype, dtype) for dtype in DTYPES[1:])]
EPS = {torch.float32: 2e-5, torch.bfloat16: 2**-7, torch.float16: 2**-10}


def logits_of(kind: str, n: int, width: int) -> Tensor:
    drawn = torch.randn(n, width, generator=torch.Generator().manual_seed(n * width))
    if kind == "equal":
        return torch.full((n, width), -3.25)
    if kind == "large":
        return (3e4 * drawn).clamp(-6e4, 6e4)  # fp16 ends at 65,504
    if kind == "one large":
        drawn[:, width // 2] += 2e4
    if kind == "ascending":  # each block has a new maximum
        return torch.linspace(-4e4, 6e4, n * width).view(n, width)
    if kind == "impossible":
        drawn[:, : width // 2] = -math.inf
    return drawn


def compare(kind: str, n: int, width: int, of_logits: torch.dtype, dtype: torch.dtype, biased: bool) -> None:
    logits = logits_of(kind, n, width).to(of_logits)
    bias = torch.linspace(-1, 1, width) if biased else None
    lengths = torch.arange(n, dtype=torch.float32)  # the first row is empty
    expected = fused.plain(logits.clone(), bias, lengths, dtype)
    memory = fused._memory(logits, dtype)
    assert (memory is logits) == (of_logits is dtype)
    actual = fused._by_kernel(logits, bias, lengths, memory)
    assert actual[0].dtype is dtype
    assert not actual[0][0].any()
    for one, other in zip(actual, expected, strict=True):
        where = f"{kind} {n} x {width} {of_logits} {dtype} {biased}"
        assert one.shape == other.shape
        torch.testing.assert_close(
            one.double(), other.double(), rtol=EPS[dtype], atol=1e-7, msg=lambda text, where=where: f"{where}: {text}"
        )


def compare_losses(dtype: torch.dtype) -> None:
    """Compare the whole loss of a GPU, in blocks, with that of the CPU."""
    targets, generator = rows_of(matrix(13, 70)), torch.Generator().manual_seed(2)
    tensors = [torch.randn(shape, generator=generator).requires_grad_() for shape in ((13, 5), (70, 5), (70,))]
    results = []
    for blocks in (softmax_losses._blocks, softmax_losses._blocks_on_gpu):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(softmax_losses, "_blocks", blocks)
            patch.setattr(fused, "_is_on_gpu", lambda _: blocks is softmax_losses._blocks_on_gpu)  # noqa: B023
            with torch.autocast("cpu", dtype=dtype, enabled=dtype is not torch.float32):
                loss = softmax_losses.multinomial(*tensors, targets, 300)
            results.append([loss, *torch.autograd.grad(loss, tensors)])
    assert fused._is_usable
    assert all(fused._is_usable.values())
    for actual, expected in zip(*results, strict=True):
        rounding = 10 * EPS[dtype]
        torch.testing.assert_close(actual, expected, rtol=rounding, atol=rounding * expected.abs().max().item())


def main(widths: list[int]) -> None:
    kernel.LARGEST_BLOCK = 64
    for n, (width, (of_logits, dtype), kind) in enumerate(itertools.product(widths, PAIRS, KINDS)):
        compare(kind, 1 + n % 4, width, of_logits, dtype, n % 5 < 2)
    kernel.LARGEST_BLOCK = 4096
    for dtype in DTYPES:
        compare("usual", 3, 9001, torch.float32, dtype, True)
    for dtype in DTYPES:
        compare_losses(dtype)
    for of_logits, dtype in PAIRS:
        assert fused._agrees(torch.device("cpu"), of_logits, dtype, dtype is torch.float32)
    broken = fused._by_kernel(torch.tensor([[1.0, math.nan], [math.inf, 0.0]]), None, torch.ones(2), torch.empty(2, 2))
    assert broken[2].isnan().all()  # the loss is NaN, which ends a training with a message


if __name__ == "__main__":
    main(WIDTHS[sys.argv[1]])
