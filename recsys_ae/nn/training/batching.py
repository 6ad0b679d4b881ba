"""What the training loop asks of rows, whatever they hold."""

from collections.abc import Iterator
from typing import Protocol, Self

import torch


class Batched(Protocol):
    """Rows that batches are taken from; a batch is of the same kind."""

    def __len__(self) -> int:
        """Return how many there are."""

    @property
    def device(self) -> torch.device:
        """Where they are."""

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Self]:
        """Yield all of them in random order, ``size`` at a time."""
