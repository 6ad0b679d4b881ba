"""Rounding of float32 products on a GPU: TF32 keeps 10 bits of the mantissa."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Compute matrix products, convolutions and recurrent layers in full float32 inside the context.

    By default PyTorch does so for matrix products only: cuDNN may use TF32.
    """
    previous = _cudnn()
    _set_cudnn(dict.fromkeys(previous, False if previous.keys() == {"all"} else "ieee"))
    try:
        with _matrix_products("highest"):
            yield
    finally:
        _set_cudnn(previous)


@contextlib.contextmanager
def with_tf32() -> Iterator[None]:
    """Let matrix products use TF32 inside the context, as cuDNN does by default."""
    with _matrix_products("high"):
        yield


@contextlib.contextmanager
def _matrix_products(precision: str) -> Iterator[None]:
    previous = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(previous)


def _cudnn() -> dict[str, Any]:
    """Return cuDNN's settings: one for each kind of layer, or one for all before PyTorch 2.9."""
    cudnn: Any = torch.backends.cudnn
    if not hasattr(cudnn, "conv"):
        return {"all": cudnn.allow_tf32}
    return {"conv": cudnn.conv.fp32_precision, "rnn": cudnn.rnn.fp32_precision}


def _set_cudnn(values: dict[str, Any]) -> None:
    cudnn: Any = torch.backends.cudnn
    # Also the older setting: PyTorch refuses to read it while it contradicts the newer ones.
    cudnn.allow_tf32 = all(value in (True, "tf32") for value in values.values())
    for layer, value in values.items():
        if layer != "all":
            getattr(cudnn, layer).fp32_precision = value
