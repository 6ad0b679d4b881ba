"""Saved models and top-N lists that `compare` compares: their names, checks and reports."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recsys_ae.errors import DataError, RecsysError

from ..display import note
from ..report import shown_name
from ..saved import divided, fingerprint_of, reading_of, recipe_of
from . import _evaluation

if TYPE_CHECKING:
    from recsys_ae.data.splits.split import Holdout
    from recsys_ae.evaluation import Report
    from recsys_ae.recommender.recommender import Recommender


@dataclass(frozen=True)
class Contestants:
    """Folders of models and files of lists by their names, and the name of the baseline; None for the best."""

    models: Mapping[str, Path]
    lists: Mapping[str, Path]
    baseline: str | None

    @classmethod
    def of(cls, folders: Sequence[Path], lists: Sequence[tuple[str, Path]], baseline: str | None) -> "Contestants":
        """Name the contestants; a usage error for a name or folder that is given twice, or fewer than two of them."""
        models: dict[str, Path] = {}
        for folder in folders:
            if _same(models, folder) is not None:
                raise _wrong(f"the folder {folder} is given twice; give each model once")
            models[str(folder)] = folder
        named: dict[str, Path] = {}
        for name, file in lists:
            if name in (*models, *named):
                raise _wrong(f"the name {name} is given twice; give each --lists NAME=FILE a name of its own")
            named[name] = file
        if baseline is not None and baseline not in named:
            # A baseline that is none of the other folders is compared, too.
            known = _same(models, Path(baseline))
            models = models if known else {**models, baseline: Path(baseline)}
            baseline = known or baseline
        if len(models) + len(named) < 2:
            raise _wrong("a comparison needs two models or more: DIR DIR..., --baseline DIR, or --lists NAME=FILE")
        return cls(models, named, baseline)

    @property
    def candidates(self) -> list[str]:
        """Names of all but the baseline."""
        return [name for name in (*self.models, *self.lists) if name != self.baseline]


@dataclass(frozen=True)
class Checked:
    """What is known of each model after it was loaded once; ``first`` is the first one.

    The others are loaded again when they are evaluated, so that at most two models are in memory.
    """

    first: "Recommender"
    kinds: Mapping[str, str]
    fingerprints: Mapping[Path, str | None]
    feedback: frozenset[str]

    @classmethod
    def of(cls, contestants: Contestants, metrics: Sequence[str], device: str) -> "Checked":
        """Load each model, and raise an error if it cannot be loaded or cannot compute one of the metrics."""
        loaded: list[Recommender] = []
        fingerprints: dict[Path, str | None] = {}
        kinds = dict.fromkeys(contestants.lists, "lists")
        feedback = set()
        for name, folder in contestants.models.items():
            model = _loaded(folder, device)
            _refuse_refitted(model, folder)
            with _errors_of(name):
                _evaluation.refuse_misfits(model, metrics)
            loaded = loaded or [model]
            kinds[name], fingerprints[folder] = shown_name(model), fingerprint_of(model)
            feedback.add(model.spec.feedback)
        return cls(loaded[0], kinds, fingerprints, frozenset(feedback))


def reports(
    contestants: Contestants, checked: Checked, metrics: Sequence[str], on: str, settings: Mapping[str, Any]
) -> "dict[str, Report]":
    """Evaluate all contestants on a part of the split of the first model; lists first, because they are quick."""
    folder = next(iter(contestants.models.values()))
    recipe = recipe_of(checked.first, folder, settings)
    prepared, split = divided(checked.first, folder, recipe, cache=settings["cache"])
    holdout = _evaluation.part(split, on, folder, prepared.recipe.split_kind)
    fitted = reading_of(checked.first)
    how = {"metrics": metrics, "catalog": _evaluation.catalog_of(split, settings)}
    of_lists = {
        name: _report_of_lists(name, file, holdout, how, fitted, settings) for name, file in contestants.lists.items()
    }
    return {**dict(_reports_of_models(contestants, checked, holdout, how, settings["device"])), **of_lists}


def _reports_of_models(
    contestants: Contestants, checked: Checked, holdout: "Holdout", how: Mapping[str, Any], device: str
) -> "Iterator[tuple[str, Report]]":
    from recsys_ae.evaluation import evaluate  # noqa: PLC0415

    for position, (name, folder) in enumerate(contestants.models.items()):
        model = _loaded(folder, device) if position else checked.first
        with _errors_of(name):
            yield name, evaluate(model, holdout, **how)


def _report_of_lists(
    name: str, file: Path, holdout: "Holdout", how: Mapping[str, Any], fitted: Any, settings: Mapping[str, Any]
) -> "Report":
    """Read and evaluate top-N lists, and print what was noticed."""
    from recsys_ae.data.reading import Reading  # noqa: PLC0415
    from recsys_ae.evaluation import evaluate_lists  # noqa: PLC0415

    places = {role: settings[role] for role in ("rank_column", "score_column")}
    table = Reading.from_options(settings).read_top_n(file, **places, fitted=fitted)
    with _errors_of(str(file)):
        report = evaluate_lists(table, holdout, **how, missing=settings["missing"])
    for remark in (*table.attrs["remarks"], *(report.lists.lines() if report.lists else ())):
        note(f"Note: {name}: {remark}")
    return report


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Begin the messages of errors with a name."""
    try:
        yield
    except RecsysError as error:
        error.parts = (f"{name}: ", *error.parts)
        raise


def _loaded(folder: Path, device: str) -> "Recommender":
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

    return Recommender.load(folder, device=device)


def _refuse_refitted(model: "Recommender", folder: Path) -> None:
    from recsys_ae.recommender.refit_plan import record_of  # noqa: PLC0415

    if record_of(model.metadata) is not None:
        raise DataError(
            f"{folder} was refitted on all users, so no users are left to compare it on; give the folder of the model "
            "before the refit"
        )


def _same(models: Mapping[str, Path], folder: Path) -> str | None:
    """Return the name of the model in the same folder; None if there is none."""
    real = os.path.realpath(folder)
    return next((name for name, path in models.items() if os.path.realpath(path) == real), None)


def _wrong(message: str) -> click.UsageError:
    return click.UsageError(message, click.get_current_context())
