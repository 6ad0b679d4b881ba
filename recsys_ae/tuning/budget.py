"""Time of a search: how much is left, and how long a fit will take."""

import math
import re
import time
from collections.abc import Mapping, Sequence

import torch

from recsys_ae.errors import Argument, ConfigError
from recsys_ae.tuning.trial import Trial

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
RESERVE, OF_LOOK, OF_BLEND, LEAST_RESERVE = 0.02, 0.1, 0.08, 2.0
"""Shares of the budget that are left for the end of the search, for a second look at the best settings, and for a
blend; and least seconds of all."""
SIZE, REPEATS = 512, 4
"""Size and number of the products whose speed predicts that of the first fits."""
EFFICIENCY = 0.3
"""Speed of a fit, as part of that of a product of dense matrices, before any fit was timed."""
FIXED_SECONDS = 0.2
"""Time of a fit that does not depend on its operations."""


def seconds_of(budget: str | float) -> float:
    """Return a duration in seconds: a number of them, or a text such as ``90s``, ``10m``, ``1.5h`` or ``1h30m``.

    Raises
    ------
    ConfigError
        If it is no duration above 0.
    """
    if isinstance(budget, str):
        parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhd])", budget.strip().lower())
        plain = re.sub(r"\s", "", budget.lower())
        complete = "".join(number + unit for number, unit in parts) == plain
        seconds = sum(float(number) * UNITS[unit] for number, unit in parts) if complete else 0.0
    else:
        seconds = float(budget) if isinstance(budget, int | float) and not isinstance(budget, bool) else 0.0
    if not 0 < seconds < 3e9:
        raise ConfigError(Argument("budget", budget), " is no duration; expected such as 90s, 10m or 1h30m")
    return seconds


class Budget:
    """Clock of a search. It goes on from the time that an interrupted search had taken.

    Parameters
    ----------
    seconds
        The budget; None for a search that a number of trials ends.
    spent
        Seconds that were spent before.
    began
        Time of `time.monotonic` from which the budget counts; None is now.
    has_blend
        True if a blend is made at the end.
    """

    def __init__(
        self, seconds: float | None, spent: float = 0.0, began: float | None = None, *, has_blend: bool = False
    ) -> None:
        self.seconds = seconds
        self._reserve = RESERVE + (OF_BLEND if has_blend else 0.0)
        self._began = (time.monotonic() if began is None else began) - spent

    @property
    def elapsed(self) -> float:
        """Seconds that were spent."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float | None:
        """Seconds for trials; None without a budget."""
        if self.seconds is None:
            return None
        return self.seconds - max(LEAST_RESERVE, (self._reserve + OF_LOOK) * self.seconds) - self.elapsed

    @property
    def end_of_look(self) -> float | None:
        """Time of `time.monotonic` at which the second look ends; None without a budget."""
        if self.seconds is None:
            return None
        return time.monotonic() + (1 - self._reserve) * self.seconds - self.elapsed

    @property
    def left_for_blend(self) -> float:
        """Seconds for the search for the weights of a blend."""
        return math.inf if self.seconds is None else max(0.0, (1 - RESERVE) * self.seconds - self.elapsed)

    @property
    def deadline(self) -> float | None:
        """Time of `time.monotonic` at which the trials end; None without a budget."""
        return None if self.left is None else time.monotonic() + self.left


class Durations:
    """Predicted durations of fits, from their operations and from the fits that were timed.

    Parameters
    ----------
    is_timed
        False predicts from operations alone, so that a search does the same on every machine.
    """

    def __init__(self, *, is_timed: bool) -> None:
        self._is_timed = is_timed
        self._speed = EFFICIENCY * (_speed() if is_timed else 1e10)

    def predicted(self, model: str, operations: float, trials: Sequence[Trial], known: Mapping[int, float]) -> float:
        """Return the seconds of a fit with so many operations; ``known`` has the operations of the trials."""
        timed = [
            trial for trial in trials if trial.model == model and trial.status == "complete" and trial.seconds
        ] if self._is_timed else []  # fmt: skip
        if not timed:
            return FIXED_SECONDS + operations / self._speed
        last = timed[-1]
        ratio = operations / known[last.number] if known.get(last.number) else 1.0
        return FIXED_SECONDS + last.seconds * ratio


def _speed() -> float:
    """Return the floating-point operations per second of a product of dense matrices on the CPU."""
    matrix = torch.ones(SIZE, SIZE)
    matrix @ matrix
    started = time.perf_counter()
    for _ in range(REPEATS):
        matrix @ matrix
    return REPEATS * 2.0 * SIZE**3 / max(1e-6, time.perf_counter() - started)
