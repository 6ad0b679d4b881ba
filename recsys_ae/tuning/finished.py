"""Searches on the disk that have ended: their trials, and their models that can be compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys_ae.errors import ArtefactError
from recsys_ae.storage import checks
from recsys_ae.tuning.finish import BLEND, baseline_of, winner_name
from recsys_ae.tuning.journal import SEARCH, Journal
from recsys_ae.tuning.search import baselines, best_per_model
from recsys_ae.tuning.trial import Trial

BEST, RESULT = "best", "leaderboard.json"
"""Folder of the winner, and file of the result, in the folder of a search."""


@dataclass(frozen=True, eq=False)
class Finished:
    """A search that has ended.

    Attributes
    ----------
    metric
        Metric of the search.
    trials
        All trials, by number.
    models
        Folders of the models that are kept, by name: the winner, the blend, the best trial of each model, and what
        these are compared with.
    candidates
        Names of the models that the search recommends: the winner and the blend, of which the better one on the
        validation users is to be used.
    baseline
        Name of the model that the others are compared with; None if it was not kept.
    """

    metric: str
    trials: Sequence[Trial]
    models: Mapping[str, Path]
    candidates: Sequence[str]
    baseline: str | None


def is_search(folder: Path) -> bool:
    """Return True for the folder of a search."""
    return (folder / SEARCH).is_file()


def read(folder: Path) -> Finished:
    """Read the folder of a search.

    Raises
    ------
    ArtefactError
        If the search has not ended, or a file is damaged.
    """
    if not (folder / RESULT).is_file():
        raise ArtefactError(f"the search in {folder} has not ended; repeat its command to continue it")
    journal = Journal(folder)
    trials = journal.trials()
    metric, number = _value(folder / RESULT, "metric"), _value(folder / RESULT, "best", "number")
    winner = next((trial for trial in trials if trial.number == number), None)
    if winner is None or winner.value is None or not isinstance(metric, str):
        raise _damaged(folder / RESULT, f"there is no trial {number} with a value")
    models = {winner_name(winner): folder / BEST if (folder / BEST).is_dir() else journal.model(winner)}
    if (folder / BLEND).is_dir():
        models[BLEND] = folder / BLEND
    candidates = list(models)
    others = [*best_per_model(trials, metric, winner), *baselines(trials, metric, winner)]
    for trial in others:
        if trial.number != winner.number and journal.model(trial).is_dir():
            models[trial.title] = journal.model(trial)
    return Finished(metric, trials, models, candidates, baseline_of(models))


def _value(path: Path, *names: str) -> Any:
    """Return a value of a JSON file that a search has written; None if there is none."""
    try:
        value: Any = json.loads(checks.content(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _damaged(path: Path, error: BaseException | str) -> ArtefactError:
    reason = checks.brief(error)
    return ArtefactError(f"{path} is damaged: {reason}; repeat the command of the search to write it again")
