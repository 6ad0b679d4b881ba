"""Result of a search: its trials, the comparison on validation and test users, and the models."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from recsys_ae.evaluation.estimate import Estimate
from recsys_ae.evaluation.standings import Leaderboard
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.spec.text_table import RIGHT, aligned
from recsys_ae.tuning.trial import Trial, described, sign_of


@dataclass(frozen=True, eq=False)
class Tested:
    """The winner of a search on the test users.

    Attributes
    ----------
    leaderboard
        The winner, the blend, and the simple models and the best model by their defaults.
    gains, blend_gains
        Paired difference of the winner, and of the blend, from other models, in the metric of the search, by what these
        are. Without a blend there are none of it.
    """

    leaderboard: Leaderboard
    gains: Mapping[str, Estimate]
    blend_gains: Mapping[str, Estimate]


@dataclass(frozen=True, eq=False)
class Tuned:
    """Result of `tune`. ``print(tuned)`` shows the tables.

    Attributes
    ----------
    best
        The winner: the trial that is best on the validation users, or by the second look.
    model
        Its fitted model, which does not know the test users.
    trials
        All trials, by number.
    valid
        Best trial of each model on the validation users, who selected them.
    test
        The winner and the baselines on the test users, who were looked at once, after the search; None without test
        users.
    blend
        Blend of the best few models, if asked for.
    refitted
        The winner, or the blend if that is better on the validation users, fitted on all users, if asked for.
    remarks
        What else is to be said.
    metric
        Metric of the search.
    folder
        Folder of the search; None if it was not kept.
    """

    best: Trial
    model: Recommender
    trials: Sequence[Trial]
    valid: Leaderboard
    test: Tested | None
    blend: Recommender | None
    refitted: Recommender | None
    remarks: Sequence[str]
    metric: str
    folder: Path | None

    @property
    def is_blend_better(self) -> bool:
        """True if there is a blend that is better on the validation users than the winner."""
        return better_of(self.best, self.blend, self.metric)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the models as JSON values."""
        return {
            "metric": self.metric,
            "best": self.best.as_dict(),
            "validation": self.valid.as_dict(),
            "test": None if self.test is None else self.test.leaderboard.as_dict(),
            **{name: self._gains(name) for name in ("gains", "blend_gains")},
            "trials": [trial.as_dict() for trial in self.trials],
            "remarks": list(self.remarks),
        }

    def _gains(self, name: str) -> dict[str, Any]:
        gains: Mapping[str, Estimate] = {} if self.test is None else getattr(self.test, name)
        return {rival: gain.as_dict() for rival, gain in gains.items()}

    def to_json(self) -> str:
        """Return `as_dict` as indented JSON text."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row per trial."""
        rows = [{**trial.as_dict(), "settings": described("", trial.settings).strip()} for trial in self.trials]
        return pd.DataFrame(rows).set_index("number")

    def __str__(self) -> str:
        parts = ["Validation users, who selected the settings", str(self.valid)]
        if self.test is not None:
            parts += ["Test users, looked at once", str(self.test.leaderboard)]
        return "\n\n".join([*parts, *self.remarks])


def better_of(best: Trial, mixed: Recommender | None, metric: str) -> bool:
    """Return True if the blend is better on the validation users than the best trial."""
    value = None if mixed is None or mixed.history.best is None else mixed.history.best.value
    return value is not None and best.value is not None and sign_of(metric) * value > sign_of(metric) * best.value


def trials_table(trials: Sequence[Trial], metric: str) -> tuple[list[str], list[list[str]]]:
    """Return the headings and cells of a table with a row per trial; headings of numbers begin with ``>``."""
    headings = ["trial", "model", "settings", f"{RIGHT}{metric}", f"{RIGHT}seconds", f"{RIGHT}memory", "ended"]
    rows = [
        [
            f"{trial.number}",
            trial.model,
            described("", trial.settings).strip() or "defaults",
            "" if trial.value is None else with_error(trial.value, trial.standard_error),
            f"{trial.seconds:.1f}",
            size_of(trial.memory),
            f"{trial.status}: {trial.reason}" if trial.reason else trial.status,
        ]
        for trial in trials
    ]
    return headings, rows


def defaults_table(trials: Sequence[Trial], metric: str) -> tuple[list[str], list[list[str]]]:
    """Return the headings and cells of a table of first trials, the best one first."""
    order = sorted(trials, key=lambda trial: (trial.value is None, -sign_of(metric) * (trial.value or 0.0)))
    rows = [
        [
            trial.model,
            "" if trial.value is None else with_error(trial.value, trial.standard_error),
            f"{trial.seconds:.1f}",
            trial.reason,
        ]
        for trial in order
    ]
    return ["model", f"{RIGHT}{metric}", f"{RIGHT}seconds", ""], rows


def with_error(value: float, error: float | None) -> str:
    """Return a mean and its standard error as text."""
    return f"{value:.4f}" if error is None else f"{value:.4f} ± {error:.4f}"


def with_interval(trial: Trial) -> str:
    """Return the value of a trial and its 95 % interval, 1.96 standard errors to each side, as text."""
    if trial.value is None:
        return ""
    if trial.standard_error is None:
        return f"{trial.value:.4f}"
    reach = 1.96 * trial.standard_error
    return f"{trial.value:.4f} [{trial.value - reach:.4f}, {trial.value + reach:.4f}]"


def size_of(n_bytes: int) -> str:
    """Return a number of bytes as text; empty for 0, which stands for unknown."""
    if not n_bytes:
        return ""
    return f"{n_bytes / 2**20:,.0f} MiB" if n_bytes < 2**30 else f"{n_bytes / 2**30:,.1f} GiB"


def trials_text(trials: Sequence[Trial], metric: str) -> str:
    """Return the table of the trials as text."""
    return "\n".join(aligned(*trials_table(trials, metric)))
