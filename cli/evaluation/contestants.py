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
from . import metric_options

if TYPE_CHECKING:
    import pandas as pd

    from recsys_ae.data.prepared import Prepared
    from recsys_ae.data.reading import Reading
    from recsys_ae.data.splits.split import Holdout, Split
    from recsys_ae.evaluation import Report
    from recsys_ae.metrics import Catalog
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
            refuse_twice(models, folder)
            models[str(folder)] = folder
        named: dict[str, Path] = {}
        for name, file in lists:
            if name in (*models, *named):
                raise _wrong(f"the name {name} is given twice; give each --lists NAME=FILE a name of its own")
            named[name] = file
        if baseline is not None and baseline not in named:
            # A baseline that is none of the other folders is compared, too.
            known = same(models, Path(baseline))
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
                metric_options.refuse_misfits(model, metrics)
            loaded = loaded or [model]
            kinds[name], fingerprints[folder] = shown_name(model), fingerprint_of(model)
            feedback.add(model.spec.feedback)
        return cls(loaded[0], kinds, fingerprints, frozenset(feedback))


@dataclass(frozen=True, eq=False)
class Panel:
    """Users on whom all contestants are measured, and the split that they are of."""

    prepared: "Prepared"
    split: "Split"
    holdout: "Holdout"
    catalog: "Catalog"
    reading: "Reading"

    @classmethod
    def of(cls, contestants: Contestants, checked: Checked, on: str, settings: Mapping[str, Any]) -> "Panel":
        """Read and divide the data of the first model, and return the part of the split that ``--on`` names."""
        folder = next(iter(contestants.models.values()))
        recipe = recipe_of(checked.first, folder, settings)
        prepared, split = divided(checked.first, folder, recipe, cache=settings["cache"])
        holdout = metric_options.part(split, on, folder, prepared.recipe.split_kind)
        return cls(prepared, split, holdout, metric_options.catalog_of(split, settings), reading_of(checked.first))


class Watch:
    """Receiver of each contestant while it is in memory; does nothing by default."""

    def model(self, name: str, model: "Recommender", report: "Report") -> None:
        """Receive a model and its report."""

    def lists(self, name: str, table: "pd.DataFrame", report: "Report") -> None:
        """Receive the top-N lists of another system and their report."""


def reports(
    contestants: Contestants,
    checked: Checked,
    panel: Panel,
    metrics: Sequence[str],
    settings: Mapping[str, Any],
    watch: Watch | None = None,
) -> "dict[str, Report]":
    """Evaluate all contestants; lists first, because they are quick."""
    watch = watch or Watch()
    of_lists = {
        name: _report_of_lists(name, file, panel, metrics, settings, watch) for name, file in contestants.lists.items()
    }
    device = settings["device"]
    return {**dict(_reports_of_models(contestants, checked, panel, metrics, device, watch)), **of_lists}


def _reports_of_models(
    contestants: Contestants, checked: Checked, panel: Panel, metrics: Sequence[str], device: str, watch: Watch
) -> "Iterator[tuple[str, Report]]":
    from recsys_ae.evaluation import evaluate  # noqa: PLC0415

    for position, (name, folder) in enumerate(contestants.models.items()):
        model = _loaded(folder, device) if position else checked.first
        with _errors_of(name):
            report = evaluate(model, panel.holdout, metrics, catalog=panel.catalog)
            watch.model(name, model, report)
        yield name, report


def _report_of_lists(
    name: str, file: Path, panel: Panel, metrics: Sequence[str], settings: Mapping[str, Any], watch: Watch
) -> "Report":
    """Read and evaluate top-N lists, and print what was noticed."""
    from recsys_ae.data.reading import Reading  # noqa: PLC0415
    from recsys_ae.evaluation import evaluate_lists  # noqa: PLC0415

    places = {role: settings[role] for role in ("rank_column", "score_column")}
    table = Reading.from_options(settings).read_top_n(file, **places, fitted=panel.reading)
    with _errors_of(str(file)):
        report = evaluate_lists(table, panel.holdout, metrics, catalog=panel.catalog, missing=settings["missing"])
        watch.lists(name, table, report)
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


def refuse_twice(models: Mapping[str, Path], folder: Path) -> None:
    """Raise a usage error for a folder that is given twice."""
    if same(models, folder) is not None:
        raise _wrong(f"the folder {folder} is given twice; give each model once")


def same(models: Mapping[str, Path], folder: Path) -> str | None:
    """Return the name of the model in the same folder; None if there is none."""
    real = os.path.realpath(folder)
    return next((name for name, path in models.items() if os.path.realpath(path) == real), None)


def _wrong(message: str) -> click.UsageError:
    return click.UsageError(message, click.get_current_context())
