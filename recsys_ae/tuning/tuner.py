"""Search for the best recommender for some data within a given time."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.recipe import DataRecipe
from recsys_ae.data.splits.split import Split
from recsys_ae.errors import Argument, ConfigError, DataError, TrainingError
from recsys_ae.features.data.features import Features
from recsys_ae.metrics import parse, smaller_is_better
from recsys_ae.models import spec_class
from recsys_ae.nn.model import Stats
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.refitting import everybody
from recsys_ae.recommender.refitting import refit as refitted
from recsys_ae.storage import atomic
from recsys_ae.tuning import finish, portfolio
from recsys_ae.tuning import ranges as spaces
from recsys_ae.tuning.budget import Budget, seconds_of
from recsys_ae.tuning.finished import RESULT
from recsys_ae.tuning.journal import Journal
from recsys_ae.tuning.material import Material
from recsys_ae.tuning.result import Tuned, better_of
from recsys_ae.tuning.search import Search, Watch, best_of
from recsys_ae.tuning.second_look import SecondLook, look_again
from recsys_ae.tuning.strategy import Plan
from recsys_ae.tuning.trial import Trial

BUDGET = "10m"
"""Budget of a search without a budget and a number of trials."""
KEPT = 8
"""Number of models whose best trial stays on the disk."""


def tune(  # noqa: PLR0913  one argument for each decision of a search
    split: Split,
    *,
    models: str | Sequence[str] | None = None,
    budget: str | float | None = None,
    trials: int | None = None,
    metric: str | None = None,
    item_features: Features | None = None,
    ranges: Mapping[str, Mapping[str, Any]] | Path | None = None,
    blend: bool = False,
    refit: bool = False,
    jobs: int = 1,
    run: Run | None = None,
    out: Path | str | None = None,
    watch: Watch | None = None,
) -> Tuned:
    """Find the best recommender for a split within a given time.

    The defaults of all models come first, the cheapest first, so that the result is never worse than they are. Then
    the time goes to the models that may still win. If the best model is a closed form, its best few settings are
    compared once more, on groups of training users who are held out in turn. Test users are looked at once, at the end.

    Parameters
    ----------
    split
        Split with validation users, such as that of a `DataRecipe`.
    models
        Names of models, or ``"linear"``, ``"neural"`` or ``"all"``. The default are those that were best on some data.
    budget
        Time of the search with everything at its end, but for ``refit``: seconds, or a text such as ``"10m"``. The
        default is 10 minutes, or no limit if ``trials`` is given.
    trials
        Number of trials after which the search ends. Without a budget and with one job, equal searches have equal
        results.
    metric
        Metric of the validation users; the default is ``"ndcg@100"``, or ``"rmse"`` for models of ratings.
    item_features
        Features of items, for all models; models that need them join.
    ranges
        Frozen values and ranges by model and hyper-parameter, or a TOML file with them:
        ``{"ease": {"l2": {"low": 10, "high": 1000}}, "mult_vae": {"epochs": 50}}``.
    blend, refit
        Also blend the best few models, and fit the winner, or the blend if it is better, on all users.
    jobs
        Number of fits at the same time, each in its own process.
    run
        Run settings of all fits; its seed is also that of the search.
    out
        Folder of the search; a search of the same settings in it is continued. Without it nothing is kept.
    watch
        Receiver of the progress.

    Returns
    -------
    Tuned
        The winner, all trials, and their comparison on validation and test users.

    Raises
    ------
    ConfigError
        If an option is wrong, or ``out`` holds another search.
    DataError
        If the split has no validation users.
    TrainingError
        If no model could be fitted.
    """
    seconds = _budget(budget, trials)
    wanted = _metric(metric, models)
    if split.valid is None or split.valid.targets.nnz == 0:
        raise DataError("a search needs validation users with targets, and the split has none")
    run = run or Run()
    material = Material(split, item_features, wanted, run)
    names = portfolio.chosen(models, is_rated=smaller_is_better(wanted), has_features=item_features is not None)
    stats = Stats(split.train.matrix)
    given = spaces.read(ranges) if isinstance(ranges, Path) else ranges or {}
    source = ranges if isinstance(ranges, Path) else None
    searched = spaces.checked(given, names, source=source, has_features=item_features is not None, stats=stats)
    plan = Plan(searched, wanted, run.seed, material.shape, split.train.nnz, stats)
    watch = watch or Watch()
    n_jobs = _jobs(jobs)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()) if out is None else out)
        journal = Journal(folder, len(split.valid.users))
        stack.enter_context(journal.opened(_identity(material, names, given, stats)))
        search = Search(
            plan, material, journal, Budget(seconds, journal.spent(), watch.began, has_blend=blend), trials, watch, KEPT
        )
        search.run(n_jobs)
        result = _finished(search, blend=blend, refit=refit, is_kept=out is not None)
        if out is not None:
            atomic.write_text(folder / RESULT, result.to_json() + "\n")
    return result


def _finished(search: Search, *, blend: bool, refit: bool, is_kept: bool) -> Tuned:
    trials, journal, material = search.trials, search.journal, search.material
    best = best_of(trials, material.metric)
    if best is None:
        reasons = {trial.model: trial.reason for trial in trials}
        listed = "; ".join(f"{model}: {reason}" for model, reason in reasons.items())
        raise TrainingError("no model could be fitted: ", listed or "the budget is too short for a first fit")
    look = look_again(trials, journal, material, search.budget.end_of_look)
    remarks = []
    if look is not None:
        best, remark = _chosen(look, trials, best, material.metric)
        remarks.append(remark)
    model = finish.fitted(journal, best, material)
    mixed = finish.blended(trials, best, journal, material, search.budget.left_for_blend) if blend else None
    if blend and mixed is None:
        remarks.append("no blend was made: it needs two models that rank items")
    tested = finish.tested(trials, best, journal, material, mixed)
    if tested is None:
        remarks.append("the split has no test users: how good the winner is on users who did not select it is unknown")
    chosen = mixed if mixed is not None and better_of(best, mixed, material.metric) else model
    final = None
    if refit:
        final = refitted(chosen, _everybody(material.split), item_features=material.item_features, run=material.run)
    valid = finish.validated(trials, best, journal, material)
    folder = journal.folder if is_kept else None
    return Tuned(best, model, trials, valid, tested, mixed, final, remarks, material.metric, folder)


def _chosen(look: SecondLook, trials: Sequence[Trial], first: Trial, metric: str) -> tuple[Trial, str]:
    """Return the winner of the second look, and what is said of it."""
    number = look.best(metric)
    means = {trial: f"{float(np.nanmean(values)):.4f}" for trial, values in look.values.items()}
    said = (
        f"second look: the best {len(look.values)} settings were compared on {look.n_users:,} users, those for "
        f"validation and groups of training users who were held out in turn; trial {number} has "
        f"{metric} {means[number]}"
    )
    if number != first.number:
        said += f", and trial {first.number}, the best on the validation users alone, {means[first.number]}"
    return next(trial for trial in trials if trial.number == number), said


def _everybody(split: Split) -> Interactions | Split:
    """Return all interactions: those of the data recipe, which a model must be saved with to be used by commands."""
    origin = split.train.origin
    return split if origin is None else everybody(DataRecipe.from_json(origin.recipe, origin.fingerprint))


def _budget(budget: str | float | None, trials: int | None) -> float | None:
    if trials is not None and trials < 1:
        raise ConfigError(Argument("trials", trials), " must be at least 1")
    if budget is not None:
        return seconds_of(budget)
    return None if trials is not None else seconds_of(BUDGET)


def _jobs(jobs: int) -> int:
    if jobs < 1:
        raise ConfigError(Argument("jobs", jobs), " must be at least 1")
    return jobs


def _metric(metric: str | None, models: str | Sequence[str] | None) -> str:
    if metric is not None:
        parse(metric)
        return metric
    names = [models] if isinstance(models, str) else list(models or ())
    is_rated = bool(names) and all(
        name not in portfolio.GROUPS and spec_class(name).feedback == "explicit" for name in names
    )
    return "rmse" if is_rated else "ndcg@100"


def _defaults(model: str, stats: Stats) -> dict[str, Any]:
    """Return the defaults of a model for the data, which may differ between versions."""
    values: dict[str, Any] = json.loads(json.dumps(spec_class(model)().resolved(stats).stored()))
    return values


def _identity(material: Material, names: Sequence[str], given: Mapping[str, Any], stats: Stats) -> dict[str, Any]:
    """Return what a search must share with the one that it continues; budget, trials and jobs may differ."""
    features = material.item_features
    return {
        "data": material.split.fingerprint,
        "models": list(names),
        "metric": material.metric,
        "ranges": json.loads(json.dumps(given)),
        "defaults": {name: _defaults(name, stats) for name in names},
        "seed": material.run.seed,
        "precision": material.run.precision,
        "item_features": None if features is None else features.fingerprint,
    }
