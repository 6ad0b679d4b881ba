"""The softmax with few passes: its plain form, and when the kernel is used instead."""

import importlib.util
import sys
import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from recsys_ae.nn import softmax as package
from recsys_ae.nn.softmax import fused

HALVES = [torch.bfloat16, torch.float16]


class FakeKernel:
    """The plain form in place of the kernel, and what it was called with."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.error: Exception | None = None
        self.factor = 1.0

    def launch(
        self, logits: Tensor, bias: Tensor | None, lengths: Tensor, slope: Tensor, maxima: Tensor, sums: Tensor
    ) -> None:
        self.calls.append((logits, slope))
        if self.error is not None:
            raise self.error
        assert logits.is_contiguous()
        assert slope.stride(1) == 1
        result, *numbers = fused.plain(logits.clone(), bias, lengths, slope.dtype)
        for memory, values in zip((slope, maxima, sums), (result * self.factor, *numbers), strict=True):
            memory.copy_(values)

    @property
    def widths(self) -> list[int]:
        return [logits.shape[1] for logits, _ in self.calls]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """Tensors of the CPU are taken for those of a GPU, with a kernel that is a fake."""
    fake = FakeKernel()
    monkeypatch.setattr(fused, "_is_usable", {})
    monkeypatch.setattr(fused, "_is_on_gpu", lambda logits: True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(name=name))
    monkeypatch.setitem(sys.modules, "recsys_ae.nn.softmax.kernel", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(package, "kernel", fake, raising=False)
    return fake


def example(n: int = 5, width: int = 33, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(n, width, generator=generator)
    return logits.to(dtype), torch.randn(width, generator=generator), torch.arange(n, dtype=torch.float32)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("of_logits", [torch.float32, *HALVES])
@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
def test_the_plain_form_is_the_softmax(biased: bool, of_logits: torch.dtype, dtype: torch.dtype) -> None:
    logits, bias, lengths = example(dtype=of_logits)
    shifted = logits.double() + (bias.double() if biased else 0)
    result, maxima, sums = fused.plain(logits, bias if biased else None, lengths, dtype)
    assert (result.dtype, maxima.dtype, sums.dtype) == (dtype, torch.float32, torch.float32)
    rounding = max(torch.finfo(dtype).eps, 1e-6)
    expected = lengths.unsqueeze(1) * shifted.softmax(dim=1)
    torch.testing.assert_close(result.double(), expected, rtol=rounding, atol=1e-6)
    torch.testing.assert_close(maxima.double() + sums.double().log(), shifted.logsumexp(dim=1), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(maxima.double(), shifted.amax(dim=1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("of_logits", [torch.float32, *HALVES])
@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
@pytest.mark.parametrize("biased", [True, False])
def test_the_kernel_is_compared_once_and_then_used(
    of_logits: torch.dtype, dtype: torch.dtype, biased: bool, kernel: FakeKernel
) -> None:
    for _ in range(2):
        logits, bias, lengths = example(dtype=of_logits)
        expected = fused.plain(logits.clone(), bias if biased else None, lengths, dtype)
        actual = fused.softmax(logits, bias if biased else None, lengths, dtype)
        for one, other in zip(actual, expected, strict=True):
            assert torch.equal(one, other)
    assert kernel.widths == [fused.SAMPLE[1], 33, 33]
    assert (kernel.calls[-1][1] is kernel.calls[-1][0]) == (of_logits is dtype)


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
@pytest.mark.parametrize("width", [1, 7, 8, 20, 33, 64])
def test_rows_of_the_result_begin_at_sixteen_bytes(width: int, dtype: torch.dtype, kernel: FakeKernel) -> None:
    of_logits = torch.float16 if dtype is torch.float32 else torch.float32
    result = fused.softmax(*example(width=width, dtype=of_logits), dtype)[0]
    assert result.shape == (5, width)
    assert result.stride(0) * dtype.itemsize % 16 == 0
    assert 0 <= result.stride(0) - width < 16 // dtype.itemsize


@pytest.mark.parametrize("factor", [1.05, 0.95, float("nan")])
def test_a_kernel_with_other_results_is_not_used_and_a_line_says_so(factor: float, kernel: FakeKernel) -> None:
    kernel.factor = factor
    expected = fused.plain(*example(), torch.float32)
    with pytest.warns(UserWarning, match=r"^the softmax is computed without its Triton kernel, which is slower: its r"):
        actual = fused.softmax(*example(), torch.float32)
    assert torch.equal(actual[0], expected[0])
    fused.softmax(*example(), torch.float32)  # without a second warning
    assert kernel.widths == [fused.SAMPLE[1]]


@pytest.mark.parametrize("error", [RuntimeError("no C compiler\nmore"), OSError(), ImportError("no module")])
def test_a_kernel_that_cannot_be_compiled_is_not_used(error: Exception, kernel: FakeKernel) -> None:
    kernel.error = error
    with pytest.warns(UserWarning, match="which is slower") as caught:
        actual = fused.softmax(*example(), torch.float32)
    (line,) = (str(one.message) for one in caught)
    assert line.endswith(f"slower: {str(error).partition(chr(10))[0] or type(error).__name__}")
    assert torch.equal(actual[0], fused.plain(*example(), torch.float32)[0])


def test_a_kernel_that_fails_later_is_not_used_any_more(kernel: FakeKernel) -> None:
    fused.softmax(*example(), torch.float32)
    kernel.error = ValueError("out of shared memory")
    with pytest.warns(UserWarning, match="slower: out of shared memory"):
        actual = fused.softmax(*example(), torch.float32)
    assert torch.equal(actual[0], fused.plain(*example(), torch.float32)[0])
    n = len(kernel.calls)
    fused.softmax(*example(), torch.float32)
    assert len(kernel.calls) == n


def test_too_little_memory_is_no_fault_of_the_kernel(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    fused.softmax(*example(), torch.bfloat16)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "empty", lambda *_, **__: (_ for _ in ()).throw(torch.OutOfMemoryError("full")))
        with pytest.raises(torch.OutOfMemoryError):
            fused.softmax(*example(), torch.bfloat16)
    n = len(kernel.calls)
    fused.softmax(*example(), torch.bfloat16)
    assert len(kernel.calls) == n + 1


def test_without_triton_the_plain_form_is_used_without_a_word(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fused.softmax(*example(), torch.float32)
    assert not kernel.calls


def test_no_kernel_is_used_for_no_rows(kernel: FakeKernel) -> None:
    logits, _, lengths = example()
    assert fused.softmax(logits[:0], None, lengths[:0], torch.float32)[0].shape == (0, 33)
    assert not kernel.calls


def test_no_kernel_is_used_on_a_cpu() -> None:
    assert not fused._is_on_gpu(torch.zeros(1))
