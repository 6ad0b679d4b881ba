"""Protocol of training rows that can be cut into batches."""

from collections.abc import Iterator
from typing import Protocol, Self

import torch


class Batched(Protocol):
    """Rows that batches are taken from. A batch has the same type."""

    def __len__(self) -> int:
        """Return the number of rows."""

    @property
    def device(self) -> torch.device:
        """Device of the rows."""

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Self]:
        """Yield all rows in random order, ``size`` at a time."""
