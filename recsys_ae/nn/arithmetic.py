"""Arithmetic of a GPU: sums in a fixed order, which are equal to the bit from run to run, and precision of products."""

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from typing import Any

import torch

from recsys_ae.errors import Argument, ConfigError, UnsupportedError

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""Environment variable with the work space of cuBLAS, which adds in a fixed order only with one of `FIXED`."""

FIXED = (":4096:8", ":16:8")
_REFUSED = re.compile(r"(?:(\w+) does not have a deterministic implementation)?.*use_deterministic_algorithms", re.S)
_ASKED = Argument("deterministic", True)


def fix_workspace() -> None:
    """Give cuBLAS a work space with a fixed order of sums, for the rest of the process.

    cuBLAS reads the variable when it is first used, so this must happen before PyTorch uses the GPU.

    Raises
    ------
    ConfigError
        If the process has used the GPU with another work space, or the variable has another value.
    """
    value = os.environ.get(WORKSPACE)
    if value in FIXED:
        return
    if value is not None:
        raise ConfigError(
            _ASKED, f" needs the environment variable {WORKSPACE} to be {' or '.join(FIXED)}, but it is {value!r}"
        )
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        raise ConfigError(
            *(_ASKED, " comes too late, because this process has used the GPU already; set the environment variable "),
            f"{WORKSPACE}={FIXED[0]} before Python starts, or fit this model first",
        )
    os.environ[WORKSPACE] = FIXED[0]


@contextlib.contextmanager
def deterministic(model: str) -> Iterator[None]:
    """Use operations of a GPU with equal results only, inside the context.

    Parameters
    ----------
    model
        Name of the model in errors.

    Raises
    ------
    UnsupportedError
        If PyTorch has no such form of an operation that the model needs.
    """
    previous = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False  # it would choose algorithms by their time
    try:
        yield
    except RuntimeError as error:
        refused = _REFUSED.search(str(error))
        if refused is None:
            raise
        raise UnsupportedError(
            *(
                _ASKED,
                f": {model} needs {refused[1] or 'an operation'}, of which PyTorch has no deterministic form on ",
            ),
            *("a GPU; set ", Argument("device", "cpu"), ", or leave ", Argument("deterministic"), " out"),
        ) from error
    finally:
        torch.use_deterministic_algorithms(previous[0], warn_only=previous[1])
        torch.backends.cudnn.benchmark = benchmark


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Compute matrix products, convolutions and recurrent layers of a GPU in full float32 inside the context.

    By default PyTorch does so for matrix products only: cuDNN may use TF32, with 10 bits of mantissa.
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


@functools.cache
def multiplies_to_float32(device: torch.device, dtype: torch.dtype) -> bool:
    """Return True if PyTorch multiplies matrices of this half precision to a float32 result: on CUDA, from 2.8 on."""
    if device.type != "cuda" or not hasattr(torch.ops.aten.mm, "dtype"):
        return False
    tile = torch.ones(16, 16, dtype=dtype, device=device)
    try:
        return torch.mm(tile, tile, out_dtype=torch.float32).dtype is torch.float32
    except RuntimeError:
        return False
