"""Training steps: batches, the number of an update, its loss, and phases with separate losses."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from recsys_ae.nn.training.graphs import Graphs, Part

RowsT = TypeVar("RowsT")


class Batched(Protocol):
    """Rows that batches are taken from. A batch has the same type."""

    def __len__(self) -> int:
        """Return the number of rows."""

    @property
    def device(self) -> torch.device:
        """Device of the rows."""

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Self]:
        """Yield all rows in random order, ``size`` at a time."""


@dataclass(frozen=True)
class Step:
    """One update of a training, and its random generator.

    ``update`` counts from 0. ``total`` is the number of updates of the run. ``graphs`` is None on a CPU.
    """

    update: int
    total: int
    generator: torch.Generator
    graphs: "Graphs | None" = None

    def run(self, part: "Part", *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ``part(*inputs)``, a dense part of the loss; on a GPU it may run as a CUDA graph (`Graphs`).

        ``part`` is a method of the network that returns tensors. It depends on nothing but the network's weights and
        the inputs, draws no random numbers, and all shapes depend only on the size of the batch. The results must not
        be changed in place.
        """
        return part(*inputs) if self.graphs is None else self.graphs.run(part, *inputs)


@dataclass(frozen=True)
class Loss:
    """Loss to minimise, a scalar, and its named parts for the log."""

    total: Tensor
    parts: dict[str, Tensor | float]


@dataclass(frozen=True)
class Phase(Generic[RowsT]):
    """One of several losses that are minimised in turn on each batch, with its own parameters and optimizer.

    ``pace`` is a factor of the learning rate.
    """

    loss: Callable[[RowsT, Step], Loss]
    parameters: Sequence[nn.Parameter]
    pace: float = 1.0
