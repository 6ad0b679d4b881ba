"""Page on models, for `report` and `compare --html`: measured while each model is in memory, and written at the end."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recsys_ae.errors import DataError

from .. import ids, table_writer
from ..data_options import titles
from ..report import shown_name
from ..training import command_line
from . import metric_options
from .contestants import Panel, Watch

if TYPE_CHECKING:
    import pandas as pd

    from recsys_ae.data.recipe_options import RecipeOptions
    from recsys_ae.evaluation import Report
    from recsys_ae.evaluation.page.contents import Contents, Model, Search
    from recsys_ae.recommender.recommender import Recommender

NOT_SHOWN = {"data", "data_dir", "test_data"}
"""Parts of a data recipe that the page names elsewhere, or that are places on this machine."""


def refuse_page(path: Path, *, overwrite: bool) -> None:
    """Raise an error if the page, or the file of its numbers, cannot be written; call this before the work."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"{path}: the name of a page must end in .html", click.get_current_context())
    for file in (path, path.with_suffix(".json")):
        table_writer.refuse_place(file, overwrite=overwrite)


class ModelPage(Watch):
    """Models of a page, which are measured one by one.

    Parameters
    ----------
    candidates
        Names of the models of which the best is to be used; None for all but lists of other systems.
    """

    def __init__(self, panel: Panel, measurement: Any, candidates: Collection[str] | None = None) -> None:
        self.panel, self.measurement, self.candidates = panel, measurement, candidates
        self.models: list[Model] = []

    @classmethod
    def of(
        cls,
        panel: Panel,
        metrics: Sequence[str],
        on: str,
        settings: Mapping[str, Any],
        candidates: Collection[str] | None = None,
    ) -> "ModelPage":
        """Prepare the measurement: the groups of users, those whose lists are shown, and those who select."""
        from recsys_ae.evaluation.page.measurement import Measurement  # noqa: PLC0415
        from recsys_ae.evaluation.slices import ACTIVITY  # noqa: PLC0415

        wanted = settings.get("slice_by") or (ACTIVITY,)
        words = settings.get("shown_users") or ()
        groups = metric_options.groups_of(panel.holdout, wanted, settings.get("user_table"))
        selection = panel.split.valid if on == "test" else None
        if selection is not None and selection.targets.nnz == 0:
            selection = None
        rows = _rows(panel, words, on) if words else None
        names = titles(panel.prepared.items, panel.split.train.items)
        return cls(
            panel, Measurement(panel.holdout, metrics, panel.catalog, selection, groups, rows, names), candidates
        )

    def model(self, name: str, model: "Recommender", report: "Report") -> None:
        """Measure a model that is in memory."""
        command = model.notes.get("command")
        measured = self.measurement.model(
            name,
            model,
            report,
            is_candidate=self.candidates is None or name in self.candidates,
            command=command if isinstance(command, str) else "",
        )
        self.models.append(dataclasses.replace(measured, kind=shown_name(model)))

    def lists(self, name: str, table: "pd.DataFrame", report: "Report") -> None:
        """Add the lists of another system."""
        from recsys_ae.evaluation.lists import first_items  # noqa: PLC0415
        from recsys_ae.evaluation.page.measurement import SHOWN  # noqa: PLC0415

        # The rows of other users were noticed when the report was made.
        top = first_items(table, self.panel.holdout, self.measurement.rows, SHOWN, missing="skip")
        self.models.append(self.measurement.lists(name, report, top))

    def write(
        self, path: Path, title: str, *, baseline: str | None = None, searches: "Sequence[Search]" = ()
    ) -> "Contents":
        """Write the page and its numbers, and return what they show."""
        from recsys_ae.evaluation.page.contents import Contents  # noqa: PLC0415
        from recsys_ae.evaluation.page.report import write_report  # noqa: PLC0415

        panel, selection = self.panel, self.measurement.selection
        contents = Contents.of(
            self.models,
            baseline=baseline,
            title=title,
            part="test users" if panel.holdout is panel.split.test else "validation users",
            selected_by="" if selection is None else f"{_with_targets(selection):,} validation users",
            users=self.measurement.users(),
            searches=searches,
            facts={"Command": command_line(), **_facts(panel)},
        )
        write_report(contents, path)
        return contents


def _with_targets(holdout: Any) -> int:
    return int((holdout.targets.getnnz(axis=1) > 0).sum())


def _facts(panel: Panel) -> dict[str, str]:
    recipe, train = panel.prepared.recipe, panel.split.train
    return {
        "Data": f"{recipe.title}: {_described(recipe)}",
        "Split": panel.split.fingerprint,
        "Training": f"{train.nnz:,} interactions of {train.shape[0]:,} users with {train.shape[1]:,} items",
    }


def _described(recipe: "RecipeOptions") -> str:
    """Return the options of a data recipe that differ from the defaults, and those of its filters and its split."""
    defaults = {field.name: field.default for field in dataclasses.fields(recipe)}
    always = {"min_rating", "split", "split_recipe", "split_seed", "valid_users", "test_users"}
    values = recipe.as_json()
    shown = [
        f"{name.replace('_', '-')} {value}"
        for name, value in values.items()
        if name not in NOT_SHOWN and value is not None and (name in always or value != defaults.get(name))
    ]
    return ", ".join(shown)


def _rows(panel: Panel, words: Sequence[str], on: str) -> list[int]:
    """Return the rows of the users whose lists are shown."""
    holdout = panel.holdout
    rows = ids.positions(holdout.users, words)
    part = "test users" if on == "test" else "validation users"
    for word, row in zip(words, rows, strict=True):
        if row < 0:
            raise DataError(f"the user {word} is not among the {part}{ids.similar_to(word, holdout.users, ())}")
        if holdout.targets[row].nnz == 0:
            raise DataError(f"the user {word} has no targets, so nobody knows if a list is good; name another user")
    return [int(row) for row in dict.fromkeys(rows.tolist())]
