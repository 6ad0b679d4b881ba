"""End of a search: comparisons on validation and test users, the blend, and the fit on all users."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from recsys_ae.data.splits.split import Holdout
from recsys_ae.evaluation.compare import compare
from recsys_ae.evaluation.estimate import Estimate, estimate
from recsys_ae.evaluation.evaluate import evaluate
from recsys_ae.evaluation.leaderboard import leaderboard
from recsys_ae.evaluation.report import Report
from recsys_ae.evaluation.standings import Leaderboard
from recsys_ae.metrics import DEFAULT, ERRORS, smaller_is_better
from recsys_ae.recommender.blending import blend
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.tuning.journal import Journal
from recsys_ae.tuning.material import Material
from recsys_ae.tuning.result import Tested, size_of
from recsys_ae.tuning.search import baselines, best_of, best_per_model
from recsys_ae.tuning.trial import Trial, described

BLENDED = 5
"""Largest number of models in a blend."""
BLEND = "blend"
N_RESAMPLES = 1000


def validated(trials: Sequence[Trial], winner: Trial, journal: Journal, material: Material) -> Leaderboard:
    """Return the best trial of each model on the validation users, compared with the winner."""
    best = best_per_model(trials, material.metric, winner)
    reports = {trial.model: _report(journal, trial, material) for trial in best}
    details: dict[str, Mapping[str, Any]] = {
        trial.model: {
            "settings": described("", trial.settings).strip() or "defaults",
            "seconds": trial.seconds,
            "memory": size_of(trial.memory),
        }
        for trial in best
    }
    return leaderboard(reports, winner.model, details=details)


def blended(
    trials: Sequence[Trial], winner: Trial, journal: Journal, material: Material, seconds: float
) -> Recommender | None:
    """Return the blend of the best few models, or None if there is one only.

    The weights are chosen on the validation users, within so many seconds.
    """
    members = best_per_model(trials, material.metric, winner)[:BLENDED]
    if len(members) < 2 or smaller_is_better(material.metric):
        return None
    models = [fitted(journal, trial, material) for trial in members]
    return blend(models, material.split.valid, monitor=material.metric, seconds=seconds)


def tested(
    trials: Sequence[Trial], best: Trial, journal: Journal, material: Material, mixed: Recommender | None
) -> Tested | None:
    """Return the winner, the blend and the baselines on the test users; None without test users.

    If the winner is a default, the best of the other defaults is among the baselines.
    """
    test = material.split.test
    if test is None or test.targets.nnz == 0:
        return None
    usual = ERRORS if smaller_is_better(material.metric) else DEFAULT
    metrics = list(dict.fromkeys((material.metric, *usual)))
    winner = winner_name(best)
    reports = {winner: evaluate(fitted(journal, best, material), test, metrics)}
    if mixed is not None:
        reports[BLEND] = evaluate(mixed, test, metrics)
    others = [trial for trial in baselines(trials, material.metric, best) if trial.number != best.number]
    for trial in others:
        reports[trial.title] = evaluate(fitted(journal, trial, material), test, metrics)
    defaults = [trial for trial in trials if trial.is_default and trial.number != best.number]
    rivals = {
        "als": next((trial for trial in defaults if trial.model == "als" and trial.value is not None), None),
        "best default": best_of(defaults, material.metric),
    }
    gains: dict[str, dict[str, Estimate]] = {
        name: {
            rival: compare(reports[name], reports[trial.title]).summary[material.metric]
            for rival, trial in rivals.items()
            if trial is not None
        }
        for name in (winner, BLEND)
        if name in reports
    }
    return Tested(leaderboard(reports, baseline_of(reports)), gains[winner], gains.get(BLEND, {}))


def winner_name(trial: Trial) -> str:
    """Return the name of the winner in the table of the test users."""
    return f"{trial.title} (winner)"


def baseline_of(names: Iterable[str]) -> str | None:
    """Return what the others are compared with: ALS, which most people would use instead, or the best model."""
    return next((name for name in names if name.startswith("als")), None)


def fitted(journal: Journal, trial: Trial, material: Material) -> Recommender:
    """Return the model of a trial. One without epochs that is not on the disk is fitted again, with equal results."""
    folder = journal.model(trial)
    if folder.exists() or trial.epochs is not None:
        return Recommender.load(folder, device=str(material.run.torch_device))
    model = Recommender(trial.proposal.spec(material.metric))
    model.fit(material.split.train, valid=material.split.valid, item_features=material.item_features, run=material.run)
    model.save(folder)
    return model


def _report(journal: Journal, trial: Trial, material: Material) -> Report:
    """Return the validation values of a trial as a report."""
    valid = _with_targets(material.split.valid)
    all_values = journal.curve(trial).best
    if all_values is None:
        raise RuntimeError(f"trial {trial.number} has no values")
    counts = material.split.valid.targets.getnnz(axis=1) if material.split.valid is not None else all_values
    values = pd.DataFrame({material.metric: all_values[counts > 0]}, index=valid.users)
    ratings = None
    if smaller_is_better(material.metric):
        ratings = pd.Series(valid.targets.getnnz(axis=1), index=valid.users, name="ratings")
    return Report(
        values,
        estimate(values, n_resamples=N_RESAMPLES, seed=0, ratings=ratings),
        without_targets=int((counts == 0).sum()),
        unknown_targets=valid.unknown,
        exclude_seen=True,
        n_resamples=N_RESAMPLES,
        fingerprint=valid.fingerprint,
        ratings=ratings,
    )


def _with_targets(valid: Holdout | None) -> Holdout:
    if valid is None:
        raise RuntimeError("a search needs validation users")
    return valid.select((valid.targets.getnnz(axis=1) > 0).nonzero()[0])
