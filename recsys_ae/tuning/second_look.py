"""A second look at the best few settings, on more users: the best of many on few users is partly the best by chance."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys_ae.data.splits.kinds.strong import split_folds
from recsys_ae.data.splits.split import Split
from recsys_ae.errors import DataError, TrainingError
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.tuning.journal import Journal
from recsys_ae.tuning.material import Material
from recsys_ae.tuning.measuring import measured
from recsys_ae.tuning.pruning import Values, difference
from recsys_ae.tuning.trial import Trial, sign_of

FINALISTS, FOLDS = 10, 3
"""Largest number of settings, and number of groups of training users, each as large as the validation users."""
ERRORS = 2.0
"""Settings that are worse than the best by more than so many standard errors are left out."""
LEAST_LEFT = 0.5
"""Least share of the training users that are left in each fit."""


@dataclass(frozen=True)
class SecondLook:
    """Metric of the best few settings on the validation users and on groups of training users.

    Attributes
    ----------
    values
        Values of each user by the number of the trial, ``(n_users,)``, the same users for all.
    """

    values: Mapping[int, Values]

    def best(self, metric: str) -> int:
        """Return the number of the best trial; of equal ones the first."""
        sign = sign_of(metric)
        return min(self.values, key=lambda number: (-sign * float(np.nanmean(self.values[number])), number))

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(next(iter(self.values.values())))


def finalists(trials: Sequence[Trial], journal: Journal, metric: str) -> list[Trial]:
    """Return the best few trials without epochs, if the best of all is one of them; else none.

    Trainings would have to be repeated for each group of users, which takes too long. Settings that are worse than the
    best default are left out, so that the winner is never worse than the defaults.
    """
    sign = sign_of(metric)
    ranked = sorted(
        (trial for trial in trials if trial.value is not None),
        key=lambda trial: (-sign * (trial.value or 0.0), trial.number),
    )
    if not ranked or ranked[0].epochs is not None:
        return []
    best = journal.curve(ranked[0]).best
    near = []
    for trial in ranked:
        values = journal.curve(trial).best
        if trial.epochs is None and values is not None and best is not None:
            gain, error = difference(values, best, metric)
            if gain < -ERRORS * error:
                break
            near.append(trial)
        if trial.is_default:
            break
    return near[:FINALISTS]


def folds_of(split: Split, seed: int) -> list[Split]:
    """Return splits of the training users.

    None unless the validation users are others than the training users, and if a group of users has no targets.
    """
    valid = split.valid
    if valid is None or valid.users.isin(split.train.users).any():
        return []
    n_users = min(len(valid.users), int((1 - LEAST_LEFT) * split.train.shape[0]) // FOLDS)
    if n_users < 2:
        return []
    try:
        return split_folds(split.train, n_users, FOLDS, seed=seed)
    except DataError:  # users with few interactions
        return []


def look_again(
    trials: Sequence[Trial], journal: Journal, material: Material, deadline: float | None
) -> SecondLook | None:
    """Fit the finalists to the training users but one group after the other, and measure them on that group.

    If there is not enough time for all, the last ones are left out, as are those that cannot be fitted to part of the
    users. None if fewer than two are left, or if there are no groups. What was measured before an interruption is in
    the journal.
    """
    chosen = finalists(trials, journal, material.metric)
    if deadline is not None:
        left = deadline - time.monotonic()
        ends = np.cumsum([FOLDS * trial.seconds for trial in chosen])
        chosen = chosen[: int(np.searchsorted(ends, left))]
    folds = folds_of(material.split, material.run.seed) if len(chosen) > 1 else []
    if not folds:
        return None
    values: dict[int, list[Values]] = {}
    for trial in chosen:
        known = journal.folds(trial)
        try:
            for fold in folds[len(known) :]:
                if deadline is not None and time.monotonic() > deadline:
                    return _ended(values)
                known.append(_measured(trial, fold, material))
                journal.write_folds(trial, known)
        except TrainingError:  # too little memory now, or a penalty that is too small for fewer users
            continue
        first = journal.curve(trial).best
        values[trial.number] = [*([] if first is None else [first]), *known]
    return _ended(values)


def _ended(values: Mapping[int, Sequence[Values]]) -> SecondLook | None:
    if len(values) < 2:
        return None
    return SecondLook({number: np.concatenate(parts) for number, parts in values.items()})


def _measured(trial: Trial, fold: Split, material: Material) -> Values:
    run = dataclasses.replace(material.run, stop=None, validated=None)
    model = Recommender(trial.proposal.spec(material.metric))
    model.fit(fold.train, item_features=material.item_features, run=run)
    return measured(model, fold, material.metric)
