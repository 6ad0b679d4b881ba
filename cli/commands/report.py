"""``recsys-ae report DIR...``: one page on saved models or on a search, with the model to use and why."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import options
from ..display import Display
from ..evaluation import metric_options
from ..evaluation.contestants import Checked, Contestants, Panel, refuse_twice, reports, same
from ..evaluation.page import ModelPage, refuse_page
from ..framework import Option, Positional, as_command
from ..param_types import FILE
from ..saved import moved, refuse_other_splits

if TYPE_CHECKING:
    from recsys_ae.evaluation.page.contents import Search

FIRST = "ndcg@100"
"""Metric by which top-N lists are compared, unless others are named; models are validated by it, too."""
PARAMS = [
    Positional(
        "folders",
        metavar="DIR...",
        nargs=-1,
        required=True,
        type=FILE,
        summary="Folders of saved models, or of a search by `recsys-ae tune`.",
    ),
    Option(
        ["--out"],
        type=FILE,
        default=Path("report.html"),
        show_default=True,
        metavar="FILE.html",
        section=metric_options.REPORT,
        help="Page to write; all its numbers are written to a JSON file of the same name.",
    ),
    Option(
        ["--baseline"],
        metavar="DIR|NAME",
        section=metric_options.REPORT,
        help="Model that the others are compared with.  [default: the defaults of ALS in a search, else the model to "
        "use]",
    ),
    metric_options.metrics(),
    metric_options.on("models are"),
    metric_options.item_vectors(),
    *metric_options.slices(default="activity"),
    Option(
        ["--user", "shown_users"],
        multiple=True,
        metavar="ID",
        section=metric_options.REPORT,
        help="User whose lists are shown. Repeat the option for several.  [default: three, with a short, a usual and a "
        "long history]",
    ),
    *moved(),
    options.data_dir(),
    options.cache(),
    options.device(),
    options.overwrite("page"),
]


@as_command("report", PARAMS)
def command(folders: tuple[Path, ...], out: Path, baseline: str | None, on: str, **settings: Any) -> None:
    """Write one page on saved models, or on a search: which model to use, and why.

    The model to use is the best one on the validation users; the numbers are of the test users. The page has a
    leaderboard with intervals, paired differences, groups of users, metrics beyond accuracy, learning curves, time and
    memory, lists of a few users side by side, the trials of a search, and the commands that repeat the fits. It is one
    file without links to other places, and opens in any browser.
    """
    refuse_page(out, overwrite=settings["overwrite"])
    names = metric_options.parsed(settings["metrics"] or ())
    given = Given.of(folders)
    models = given.models
    baseline = given.baseline if baseline is None else _named(models, baseline)
    contestants = Contestants(models, {}, baseline)
    checked = Checked.of(contestants, names, settings["device"])
    refuse_other_splits(checked.fingerprints)
    names = names or _usual(given, checked)
    panel = Panel.of(contestants, checked, on, settings)
    page = ModelPage.of(panel, names, on, settings, given.candidates)
    reports(contestants, checked, panel, names, settings, page)
    title = f"{len(models)} models of {panel.prepared.recipe.title}" if len(models) > 1 else next(iter(models))
    contents = page.write(out, title, baseline=baseline, searches=given.searches)
    _show(contents, out)


def _usual(given: "Given", checked: Checked) -> tuple[str, ...]:
    """Return the metric of the searches and the usual ones, and for top-N lists those beyond accuracy."""
    is_ranked = checked.feedback != {"explicit"}
    first = [*(search.metric for search in given.searches), *([FIRST] if is_ranked else [])]
    return metric_options.with_beyond((*first, *metric_options.usual(checked.feedback)), {"beyond": is_ranked})


def _show(contents: Any, out: Path) -> None:
    from recsys_ae.evaluation.page.report import advice  # noqa: PLC0415

    display = Display()
    for sentence in advice(contents):
        display.line(sentence)
    display.line()
    display.pairs([("page", out), ("numbers", out.with_suffix(".json"))])


@dataclass(frozen=True)
class Given:
    """What the folders hold: models by name, the names of those to select from, searches, and the usual baseline."""

    models: Mapping[str, Path]
    candidates: Sequence[str]
    searches: "Sequence[Search]" = ()
    baseline: str | None = None

    @classmethod
    def of(cls, folders: Sequence[Path]) -> "Given":
        """Read all folders; a usage error for a folder that is given twice."""
        for place, folder in enumerate(folders):
            refuse_twice({str(other): other for other in folders[:place]}, folder)
        parts = [cls._of(folder, name, len(folders)) for folder, name in zip(folders, _short(folders), strict=True)]
        baselines = [part.baseline for part in parts if part.baseline is not None]
        return cls(
            {name: path for part in parts for name, path in part.models.items()},
            [name for part in parts for name in part.candidates],
            [search for part in parts for search in part.searches],
            baselines[0] if len(baselines) == 1 else None,
        )

    @classmethod
    def _of(cls, folder: Path, name: str, n_folders: int) -> "Given":
        from recsys_ae.evaluation.page.contents import Search  # noqa: PLC0415
        from recsys_ae.tuning import finished  # noqa: PLC0415

        if not finished.is_search(folder):
            return cls({name: folder}, [name])
        search = finished.read(folder)
        prefix = "" if n_folders == 1 else f"{name}: "
        return cls(
            {f"{prefix}{model}": path for model, path in search.models.items()},
            [f"{prefix}{model}" for model in search.candidates],
            [Search(name, search.metric, [trial.as_dict() for trial in search.trials])],
            None if search.baseline is None else f"{prefix}{search.baseline}",
        )


def _short(folders: Sequence[Path]) -> list[str]:
    """Return the last parts of the paths, as many as tell them apart."""
    parts = [Path(os.path.normpath(folder)).parts for folder in folders]
    for n in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(one[-n:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


def _named(models: Mapping[str, Path], baseline: str) -> str:
    """Return the name of the model that ``--baseline`` means; a usage error if there is none."""
    name = baseline if baseline in models else same(models, Path(baseline))
    if name is None:
        known = ", ".join(models)
        raise click.UsageError(
            f"--baseline {baseline}: no such model; expected one of {known}", click.get_current_context()
        )
    return name
