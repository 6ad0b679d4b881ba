"""Updates of a training: where one stands, its loss, and losses that take turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

RowsT = TypeVar("RowsT")


@dataclass(frozen=True)
class Step:
    """Where in the training an update stands, and its source of noise.

    ``update`` counts from 0; ``total`` is the number of updates of the whole run.
    """

    update: int
    total: int
    generator: torch.Generator


@dataclass(frozen=True)
class Loss:
    """A scalar to descend on, and its named parts for the log."""

    total: Tensor
    parts: dict[str, Tensor | float]


@dataclass(frozen=True)
class Phase(Generic[RowsT]):
    """One of the losses that take turns on each batch, with an optimizer of its own for the parameters it moves.

    ``pace`` is its share of the learning rate.
    """

    loss: Callable[[RowsT, Step], Loss]
    parameters: Sequence[nn.Parameter]
    pace: float = 1.0
