"""End of poor trainings, by comparisons that are fair: paired over the users, and at the same epoch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recsys_ae.nn.history import VALIDATION, History
from recsys_ae.tuning.trial import sign_of

SHARES = (1 / 8, 1 / 4, 1 / 2)
"""Shares of the planned epochs after which a training is compared."""
EARLIEST = 4
"""First epoch after which a training is compared; before it, its last doubling says little."""
SLACK = 0.05
"""Part of the best value by which a model's first trial may miss it, since its settings are not tuned yet."""

Values = NDArray[np.float64]
"""Metric of each validation user."""


@dataclass
class Curve:
    """Best validation values of each user so far, after `SHARES` of the epochs and at the end.

    Attributes
    ----------
    epochs
        Number of planned epochs. Only curves with the same number are compared.
    at
        Values by epoch.
    best, best_epoch
        Values at the best epoch so far, None before the first; and that epoch.
    latest, latest_epoch
        Values at the latest epoch, and that epoch. A killed search may have lost whether it was the best one.
    """

    epochs: int
    at: dict[int, Values] = field(default_factory=dict)
    best: Values | None = None
    best_epoch: int = 0
    latest: Values | None = None
    latest_epoch: int = 0

    @property
    def rungs(self) -> list[int]:
        """Epochs after which a training is compared."""
        return sorted({epoch for share in SHARES if EARLIEST <= (epoch := round(share * self.epochs)) < self.epochs})


@dataclass(frozen=True)
class Rival:
    """A trial that a training is compared with, and its curve."""

    number: int
    curve: Curve


def reason_to_stop(
    curve: Curve, history: History, metric: str, rival: Rival | None, best: float | None, *, is_default: bool
) -> str | None:
    """Return why a training need not go on, or None.

    It is asked after the epochs `Curve.rungs`. A training ends if it is worse than the best trial of the same model
    after as many epochs of an equally long plan, by more than one standard error of the paired difference. It also
    ends if it cannot reach the best value of all models: a doubling of the epochs is taken to gain at most what the
    last doubling gained.
    """
    epoch = len(history)
    if epoch not in curve.rungs:
        return None
    return _worse_than_rival(curve, epoch, metric, rival) or _out_of_reach(
        history, curve.epochs, metric, best, is_default=is_default
    )


def difference(first: Values, second: Values, metric: str) -> tuple[float, float]:
    """Return how much better the first values are on average, and the standard error, over users with both."""
    gains = sign_of(metric) * (first - second)
    gains = gains[~np.isnan(gains)]
    if len(gains) < 2:
        return (float(gains[0]) if len(gains) else 0.0), math.nan
    return float(gains.mean()), float(gains.std(ddof=1) / math.sqrt(len(gains)))


def _worse_than_rival(curve: Curve, epoch: int, metric: str, rival: Rival | None) -> str | None:
    if rival is None or rival.curve.epochs != curve.epochs or not (epoch in rival.curve.at and epoch in curve.at):
        return None
    gain, error = difference(curve.at[epoch], rival.curve.at[epoch], metric)
    if math.isnan(error) or gain >= -error:
        return None
    return f"after {epoch} of {curve.epochs} epochs {-gain:.4f} ± {error:.4f} worse than trial {rival.number}"


def _out_of_reach(history: History, epochs: int, metric: str, best: float | None, *, is_default: bool) -> str | None:
    if best is None:
        return None
    sign, values = sign_of(metric), _best_so_far(history, metric)
    now = values[-1]
    if not math.isfinite(now):  # the metric of the search was not measured
        return None
    doublings = math.log2(epochs / len(values))
    reachable = now + (now - values[max(0, len(values) // 2 - 1)]) * doublings
    needed = sign * best - (SLACK * abs(best) if is_default else 0.0)
    if reachable >= needed:
        return None
    return f"after {len(values)} of {epochs} epochs at {sign * now:.4f}, too far from the best, {best:.4f}"


def _best_so_far(history: History, metric: str) -> list[float]:
    """Return the best value up to each epoch, larger being better."""
    sign, values, best = sign_of(metric), [], -math.inf
    for epoch in history:
        best = max(best, sign * epoch.get(f"{VALIDATION}{metric}", math.nan), key=_nan_last)
        values.append(best)
    return values


def _nan_last(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def curve_arrays(curve: Curve) -> Mapping[str, Values]:
    """Return the values of a curve by name, to be saved."""
    named = {"best": (curve.best, curve.best_epoch), "latest": (curve.latest, curve.latest_epoch)}
    ends = {f"{name}_{epoch}": values for name, (values, epoch) in named.items() if values is not None}
    return {**{f"epoch_{epoch}": values for epoch, values in curve.at.items()}, **ends}


def curve_of(epochs: int, arrays: Mapping[str, Values]) -> Curve:
    """Return the curve whose values `curve_arrays` returned; a `ValueError` if these are none."""
    curve = Curve(epochs)
    for name, values in arrays.items():
        kind, _, number = name.partition("_")
        if values.dtype != np.float64 or values.ndim != 1 or not number.isdecimal():
            raise ValueError(f"{name} is no list of values")
        if kind == "epoch":
            curve.at[int(number)] = values
        elif kind == "best":
            curve.best, curve.best_epoch = values, int(number)
        elif kind == "latest":
            curve.latest, curve.latest_epoch = values, int(number)
        else:
            raise ValueError(f"it has values of {name}")
    return curve
