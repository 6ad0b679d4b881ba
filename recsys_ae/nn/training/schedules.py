"""Schedules of quantities over the updates of a training."""

import math
from typing import Literal, TypeAlias

Schedule: TypeAlias = Literal["constant", "linear", "cosine"]


def warm_up(update: int, until: float, cap: float) -> float:
    """Return a value that rises linearly from 0 at update 0 to ``cap`` at update ``until``, and is constant after."""
    return cap if update >= until else cap * update / until


def decay(schedule: Schedule, update: int, total: int) -> float:
    """Return the factor of the learning rate at an update. The linear and the cosine schedule end at 0."""
    progress = update / total
    if schedule == "linear":
        return 1 - progress
    return 0.5 * (1 + math.cos(math.pi * progress)) if schedule == "cosine" else 1.0
