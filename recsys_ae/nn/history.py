"""Measurements of each epoch of a fit, and which epoch was kept."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recsys_ae import metrics
from recsys_ae.errors import Argument, ConfigError

VALIDATION = "valid/"
"""Prefix of what is measured on validation rows."""


@dataclass(frozen=True)
class Best:
    """The epoch whose weights were kept, counted from 1, and the value of the monitor that decided."""

    epoch: int
    value: float
    monitor: str


class History(list[dict[str, float]]):
    """Losses, seconds and validation metrics of each epoch; empty for a closed form that was not validated.

    Attributes
    ----------
    best
        The epoch that was kept; None where nothing was validated.
    """

    def __init__(self, epochs: Iterable[dict[str, float]] = (), best: Best | None = None) -> None:
        super().__init__(epochs)
        self.best = best

    @classmethod
    def replayed(cls, epochs: Iterable[Mapping[str, float]], monitor: str) -> "History":
        """Make a history of epochs that are over, such as those of a saved model."""
        history = cls()
        for epoch in epochs:
            history.append(dict(epoch))
            if f"{VALIDATION}{monitor}" in epoch:
                history.judge(monitor)
        return history

    def judge(self, monitor: str) -> bool:
        """Compare the last epoch with the best one before; return whether it is the best now.

        Raises
        ------
        ConfigError
            If the monitor was not measured.
        """
        measured = self[-1]
        if f"{VALIDATION}{monitor}" not in measured:
            metric_names = [name.removeprefix(VALIDATION) for name in measured if name.startswith(VALIDATION)]
            choices = " or ".join(metric_names)
            raise ConfigError(Argument("monitor", monitor), f" is not a validation metric of this fit; use {choices}")
        value, before = measured[f"{VALIDATION}{monitor}"], None if self.best is None else self.best.value
        sign = -1 if metrics.smaller_is_better(monitor) else 1
        if math.isnan(value) or not (before is None or sign * value > sign * before):
            return False
        self.best = Best(len(self), value, monitor)
        return True
