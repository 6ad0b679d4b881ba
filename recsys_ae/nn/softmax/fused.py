"""Softmax of each row, scaled, with few passes over the logits: a Triton kernel on a GPU, or plain operations."""

import importlib.util
import warnings
from typing import TypeAlias

import torch
from torch import Tensor

Result: TypeAlias = tuple[Tensor, Tensor, Tensor]
Variant: TypeAlias = tuple[torch.device, torch.dtype, torch.dtype, bool]

ALIGNED = 16
"""Bytes that the rows of the result are a multiple of, if it is not in the memory of the logits. Matrix products of
half precision are slow for other rows."""
SAMPLE = 3, 9001
"""Shape of the logits with which the kernel is compared with the plain form: three blocks, the last one not full."""
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 2e-3}
"""Largest relative difference of both forms; about four times the rounding in half precision."""

_is_usable: dict[Variant, bool] = {}


def softmax(logits: Tensor, bias: Tensor | None, lengths: Tensor, dtype: torch.dtype) -> Result:
    """Return c · softmax(a + b) of each row a of the logits, ``(n, width)``, and what it is computed with.

    The kernel is compiled and compared with the plain form when a process first uses it, once for each combination of
    dtypes. If it fails or differs, a warning says so, and the plain form is used.

    Parameters
    ----------
    logits
        ``(n, width)``, contiguous. They may be overwritten.
    bias
        b, ``(width,)`` float32; None stands for 0.
    lengths
        c of each row, ``(n,)`` float32.
    dtype
        Dtype of the result. The computation is in float32.

    Returns
    -------
    tuple
        The result, ``(n, width)`` and perhaps in the memory of the logits; the maximum m of each row a + b, and the sum
        of exp(a + b − m), ``(n,)`` float32 each.
    """
    if len(logits) > 0 and _is_on_gpu(logits):
        variant = logits.device, logits.dtype, dtype, bias is None
        if variant not in _is_usable:
            _is_usable[variant] = _agrees(*variant)
        if _is_usable[variant]:
            result = _memory(logits, dtype)
            try:
                return _by_kernel(logits, bias, lengths, result)
            except Exception as error:  # whatever a compiler may raise
                _is_usable[variant] = _refused(error)
    return plain(logits, bias, lengths, dtype)


def plain(logits: Tensor, bias: Tensor | None, lengths: Tensor, dtype: torch.dtype) -> Result:
    """Return the same as `softmax`, by operations of PyTorch."""
    logits = logits.float()
    if bias is not None:
        logits.add_(bias)
    maxima = logits.amax(dim=1, keepdim=True)
    exponentials = logits.sub_(maxima).exp_()
    sums = exponentials.sum(dim=1, keepdim=True)
    result = exponentials.mul_(lengths.unsqueeze(1) / sums).to(dtype)
    return result, maxima.squeeze(1), sums.squeeze(1)


def _is_on_gpu(logits: Tensor) -> bool:
    """Return whether a kernel can read the logits; tensors of other classes need not have the memory they claim."""
    return logits.device.type == "cuda" and type(logits) is Tensor


def _by_kernel(logits: Tensor, bias: Tensor | None, lengths: Tensor, result: Tensor) -> Result:
    from recsys_ae.nn.softmax import kernel  # noqa: PLC0415

    maxima, sums = torch.empty(2, len(logits), device=logits.device)
    kernel.launch(logits, bias, lengths, result, maxima, sums)
    return result, maxima, sums


def _memory(logits: Tensor, dtype: torch.dtype) -> Tensor:
    """Return memory for the result: that of the logits if the dtype is the same."""
    if logits.dtype is dtype:
        return logits
    n, width = logits.shape
    step = ALIGNED // dtype.itemsize
    return torch.empty(n, (width + step - 1) // step * step, dtype=dtype, device=logits.device)[:, :width]


def _agrees(device: torch.device, of_logits: torch.dtype, dtype: torch.dtype, without_bias: bool) -> bool:
    """Return whether the kernel runs on a GPU and gives what the plain form gives; waits for the GPU."""
    if importlib.util.find_spec("triton") is None:
        return False
    n, width = SAMPLE
    numbers = torch.arange(n * width, dtype=torch.float32, device=device).mul_(0.7).sin_().view(n, width)
    # Rows that are flat, usual, and with one large logit.
    logits = numbers.mul_(torch.tensor([[0.01], [5.0], [300.0]], device=device)).to(of_logits)
    bias = None if without_bias else numbers[1].clone()
    lengths = torch.arange(1.0, n + 1, device=device)
    copied = logits.clone()
    try:
        with warnings.catch_warnings(action="ignore"):  # Triton warns of its own defaults
            actual = _by_kernel(copied, bias, lengths, _memory(copied, dtype))
    except Exception as error:  # whatever a compiler may raise
        return _refused(error)
    expected, tolerance = plain(logits, bias, lengths, dtype), TOLERANCE[dtype]
    if all(_is_close(*pair, tolerance) for pair in zip(actual, expected, strict=True)):
        return True
    return _refused("its results differ from those without it")


def _is_close(actual: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Compare each number with its own size, or with 1 / 1000 of the largest one of its row; NaN is never close."""
    finest = 2 * torch.finfo(actual.dtype).smallest_normal * torch.finfo(actual.dtype).eps
    actual, expected = actual.double(), expected.double()
    least = expected.abs().amax(dim=-1, keepdim=True) / 1000
    return bool(((actual - expected).abs() <= tolerance * torch.maximum(expected.abs(), least) + finest).all())


def _refused(error: object) -> bool:
    """Warn that the plain form is used, and return False."""
    reason = str(error).partition("\n")[0] or type(error).__name__
    text = f"the softmax is computed without its Triton kernel, which is slower: {reason}"
    warnings.warn(text, UserWarning, stacklevel=2)
    return False
