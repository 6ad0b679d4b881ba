"""What the training loop asks of rows, whatever they hold."""

from typing import Protocol, Self

import torch
from torch import Tensor


class Rows(Protocol):
    """Rows that batches are taken from; a batch is of the same kind."""

    def __len__(self) -> int:
        """Return how many there are."""

    @property
    def device(self) -> torch.device:
        """Where they are."""

    def take(self, positions: Tensor) -> Self:
        """Return the rows at these positions, in that order."""
