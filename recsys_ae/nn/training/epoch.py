"""Position in an epoch: its order of the rows, its updates so far, and their losses."""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recsys_ae.nn.training.trainable import RowsT


class Epoch:
    """Position in an epoch, and the losses of its updates.

    Attributes
    ----------
    generator
        Generator of the training, which draws the order of the rows at the beginning of the epoch.
    updates
        Number of updates so far.
    rows
        Number of rows so far.
    seconds
        Duration of the epoch's updates, set by `stop_clock`.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator
        self.rows, self.seconds = 0, 0.0
        self._started: float | None = None
        self._beginning: Tensor | None = None
        self._sizes: list[int] = []
        self._losses: list[Mapping[str, Tensor | float]] = []
        self._earlier: dict[str, Tensor] = {}

    @property
    def updates(self) -> int:
        """Number of updates so far."""
        return len(self._sizes)

    def start_clock(self) -> None:
        """Measure the duration from now on."""
        self._started = time.perf_counter() - self.seconds

    def stop_clock(self) -> None:
        """Set the duration."""
        if self._started is not None:
            self.seconds, self._started = time.perf_counter() - self._started, None

    def batches(self, rows: RowsT, size: int) -> Iterator[RowsT]:
        """Yield the batches that are left."""
        if self._beginning is None:
            self._beginning = self.generator.get_state()
            yield from rows.batches(size, self.generator)
            return
        present = self.generator.get_state()
        self.generator.set_state(self._beginning)
        batches = rows.batches(size, self.generator)
        for _ in itertools.islice(batches, self.updates):
            pass  # a batch of the time before the interruption
        self.generator.set_state(present)
        yield from batches

    def add(self, losses: Mapping[str, Tensor | float], size: int) -> None:
        """Add the losses of an update on a batch of ``size`` rows."""
        self._losses.append(losses)
        self._sizes.append(size)
        self.rows += size

    def losses(self) -> dict[str, Tensor]:
        """Return the parts of the loss of each update, ``(updates,)`` float64 on the CPU.

        A GPU is waited for only here, once per epoch.
        """
        names = self._losses[0] if self._losses else self._earlier
        recent = {name: _column([losses[name] for losses in self._losses]) for name in names}
        return {
            name: torch.cat([self._earlier[name], recent[name]]) if self._earlier else recent[name] for name in names
        }

    def means(self) -> dict[str, float]:
        """Return the mean of each part of the loss over the rows of the epoch."""
        sizes = torch.tensor(self._sizes, dtype=torch.float64)
        return {name: float((values * sizes).sum() / self.rows) for name, values in self.losses().items()}

    def state(self) -> dict[str, Any]:
        """Return the position, for a checkpoint."""
        losses = self.losses() if self._sizes else {}
        seconds = self.seconds if self._started is None else time.perf_counter() - self._started
        return {"beginning": self._beginning, "sizes": self._sizes, "losses": losses, "seconds": seconds}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a position that `state` returned."""
        self._beginning, self._sizes = state["beginning"], list(state["sizes"])
        self._earlier, self.seconds, self.rows = state["losses"], state["seconds"], sum(state["sizes"])


def _column(values: Sequence[Tensor | float]) -> Tensor:
    """Return numbers, one per update, as a tensor on the CPU."""
    if values and all(isinstance(value, Tensor) for value in values):
        return torch.stack([torch.as_tensor(value).detach() for value in values]).double().cpu()
    return torch.tensor([float(value) for value in values], dtype=torch.float64)
