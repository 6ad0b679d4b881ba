"""Measurements of each epoch of a fit, and its best epoch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from recsys_ae.errors import Argument, ConfigError
from recsys_ae.metrics.names import smaller_is_better

VALIDATION = "valid/"
"""Prefix of validation metrics in the measurements of an epoch."""


@dataclass(frozen=True)
class Best:
    """Epoch whose weights are saved, counted from 1, and its value of the monitor."""

    epoch: int
    value: float
    monitor: str


class History(list[dict[str, float]]):
    """Losses, seconds and validation metrics of each epoch; empty for a closed form that was not validated.

    Attributes
    ----------
    best
        The best epoch by the monitor, whose weights are saved; None without validation.
    members
        Histories of the members of a blend that were fitted with it; empty for any other model. They are not saved.
    """

    def __init__(
        self,
        epochs: Iterable[dict[str, float]] = (),
        best: Best | None = None,
        members: Sequence["History"] = (),
    ) -> None:
        super().__init__(epochs)
        self.best, self.members = best, tuple(members)

    @property
    def kept_epoch(self) -> int | None:
        """Epoch of the training whose weights are saved, counted from 1; None for a model without epochs."""
        if not self or "seconds" not in self[-1]:
            return None
        return len(self) if self.best is None else self.best.epoch

    @classmethod
    def replayed(cls, epochs: Iterable[Mapping[str, float]], monitor: str) -> "History":
        """Return the history of completed epochs, such as those of a saved model."""
        history = cls()
        for epoch in epochs:
            history.append(dict(epoch))
            if f"{VALIDATION}{monitor}" in epoch:
                history.update_best(monitor)
        return history

    def update_best(self, monitor: str) -> bool:
        """Compare the last epoch with the best earlier one; return True if it is now the best.

        Raises
        ------
        ConfigError
            If the monitor is not among the metrics of the epoch.
        """
        measured = self[-1]
        if f"{VALIDATION}{monitor}" not in measured:
            metric_names = [name.removeprefix(VALIDATION) for name in measured if name.startswith(VALIDATION)]
            choices = " or ".join(metric_names)
            raise ConfigError(Argument("monitor", monitor), f" is not a validation metric of this fit; use {choices}")
        value, best_value = measured[f"{VALIDATION}{monitor}"], None if self.best is None else self.best.value
        sign = -1 if smaller_is_better(monitor) else 1
        if math.isnan(value) or not (best_value is None or sign * value > sign * best_value):
            return False
        self.best = Best(len(self), value, monitor)
        return True
