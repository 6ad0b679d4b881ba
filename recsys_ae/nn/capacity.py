"""Refusal of fits that need more memory than is free."""

from collections.abc import Mapping

from recsys_ae.errors import Argument, TrainingError
from recsys_ae.nn.runtime import Run, free_memory


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
    free, needed = free_memory(run.torch_device), sum(sizes.values())
    if free is not None and needed > free:
        raise TrainingError(
            f"{name} needs {needed / 2**30:,.1f} GiB for {training_data}, and {free / 2**30:,.1f} GiB are free; ",
            *way_out,
        )
