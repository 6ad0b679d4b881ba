"""Refusal of fits that need more memory than is free, and numbers held at a time, as free memory allows."""

import re
from collections.abc import Mapping

import torch

from recsys_ae.errors import Argument, TrainingError
from recsys_ae.nn.runtime import Run, free_memory

LIBRARY_ERROR = re.compile(
    r"CU(BLAS|BLASLT|SOLVER|SPARSE|DNN)_STATUS_(ALLOC_FAILED|INSUFFICIENT_RESOURCES)|CUDA error: out of memory"
)
"""Part of the message if a library of CUDA finds too little memory."""

MOST = 2**28
"""Numbers held at a time on a GPU, at most: 1 GiB of float32."""

BYTES = 32
"""Bytes that a number may take on a GPU while it is computed, copied and searched: eight times float32."""


def cells_that_fit(device: torch.device, on_cpu: int) -> int:
    """Return how many numbers to hold at a time; on a GPU, a power of two that fits into its free memory.

    A power of two seldom changes with the memory that others use. So the last bit of a product seldom changes, too.
    On a CPU it is ``on_cpu``, so that results do not depend on free memory.
    """
    free = free_memory(device) if device.type == "cuda" else None
    return on_cpu if free is None else min(MOST, 2 ** max(0, (free // BYTES).bit_length() - 1))


def refuse_too_large(
    name: str, training_data: str, sizes: Mapping[str, int], run: Run, *way_out: str | Argument
) -> None:
    """Raise if a fit needs more memory than is free on the device of the run.

    Parameters
    ----------
    name, training_data
        The model, and a description of the data.
    sizes
        The bytes that the fit needs, by purpose.
    way_out
        The changes that need less memory, as parts of the message.

    Raises
    ------
    TrainingError
        If memory does not suffice. The message says how much is needed, how much is free, and the way out.
    """
    device, needed = run.torch_device, sum(sizes.values())
    free = free_memory(device)
    if free is not None and needed > free:
        where = "" if device.type == "cpu" else f" on {device}"
        raise TrainingError(
            f"{name} needs {needed / 2**30:,.1f} GiB for {training_data}, "
            f"and {free / 2**30:,.1f} GiB are free{where}; ",
            *way_out,
            *_main_memory(device, needed),
        )


def _main_memory(device: torch.device, needed: int) -> tuple[str | Argument, ...]:
    """Return the advice to use the main memory instead of that of a GPU, if it suffices."""
    if device.type == "cpu" or needed > (free_memory(torch.device("cpu")) or 0):
        return ()
    return ", or set ", Argument("device", "cpu")


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return True also for the errors of cuBLAS and its like, whose work space PyTorch does not allocate."""
    return isinstance(error, torch.OutOfMemoryError) or LIBRARY_ERROR.search(str(error)) is not None
