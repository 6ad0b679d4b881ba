"""``recsys-ae evaluate DIR``: metrics of a saved model on held-out users."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .. import display, mlflow_runs, options, table_writer
from ..evaluation import metric_options
from ..framework import Option, Positional, as_command
from ..param_types import FILE
from ..report import shown_name
from ..saved import divided, moved, recipe_of
from . import _refitted

if TYPE_CHECKING:
    from recsys_ae.data.prepared import Prepared
    from recsys_ae.data.splits.split import Holdout, Split
    from recsys_ae.evaluation.report import Report
    from recsys_ae.evaluation.slices import Slices
    from recsys_ae.recommender.recommender import Recommender

PARAMS = [
    Positional("folder", metavar="DIR", type=FILE, summary="Folder of a saved model."),
    metric_options.metrics(),
    metric_options.on("model is"),
    metric_options.as_json("report"),
    *metric_options.beyond(),
    *metric_options.slices(),
    Option(
        ["--per-user"],
        type=FILE,
        metavar="FILE",
        section=metric_options.REPORT,
        help="Output file of the metrics of each user (.csv, .parquet or .jsonl).",
    ),
    *moved(),
    options.data_dir(),
    options.cache(),
    options.device(),
    options.overwrite("file"),
    options.safe_cells(),
    options.track("Add the report to the MLflow run of the fit, if your store has it."),
    options.tracking_uri(),
]


@as_command("evaluate", PARAMS)
def command(folder: Path, metrics: tuple[str, ...] | None, on: str, per_user: Path | None, **settings: Any) -> None:
    """Evaluate a saved model on its test users.

    The data are read, filtered and split as in the fit; the command stops if they have changed. Only the history that
    the model reads is excluded from its top-N lists, not the interactions that the filters of the fit removed. A
    refitted model has no test users: the command says so, with the metrics before the refit, and exits with 0.
    """
    from recsys_ae.evaluation import evaluate  # noqa: PLC0415
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

    names = metric_options.parsed(metrics or ())
    if per_user is not None:
        table_writer.refuse(per_user, overwrite=settings["overwrite"])
    model = Recommender.load(folder, device=settings["device"])
    if _refitted.is_told(model, folder, json=settings["as_json"], per_user=per_user):
        return
    names = metric_options.with_beyond(names or metric_options.usual([model.spec.feedback]), settings)
    metric_options.refuse_misfits(model, names)
    recipe = recipe_of(model, folder, settings)
    prepared, split = divided(model, folder, recipe, cache=settings["cache"])
    holdout = metric_options.part(split, on, folder, prepared.recipe.split_kind)
    report = evaluate(model, holdout, names, catalog=metric_options.catalog_of(split, settings))
    groups = metric_options.sliced(report, holdout, settings)
    references = _references(prepared, split, holdout, names)
    if per_user is not None:
        with table_writer.writer(per_user, overwrite=settings["overwrite"], safe_cells=settings["safe_cells"]) as write:
            write(report.values.rename_axis("user").reset_index())
    _show(report, references, groups, model, as_json=settings["as_json"])
    if settings["track"]:
        source = click.get_current_context().get_parameter_source("track")
        asked = source is not ParameterSource.DEFAULT or settings["tracking_uri"] is not None
        mlflow_runs.report(model.notes, report, on, settings["tracking_uri"], asked=asked)


def _references(
    prepared: "Prepared", split: "Split", holdout: "Holdout", names: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Return the metrics of the ideal top-N lists and of popularity, for generated data with known preferences."""
    from recsys_ae.data.synthetic.generate import Synthetic  # noqa: PLC0415
    from recsys_ae.metrics import parse, smaller_is_better  # noqa: PLC0415
    from recsys_ae.metrics.hits import KINDS  # noqa: PLC0415

    names = tuple(name for name in names if not smaller_is_better(name) and parse(name).kind in KINDS)
    if not isinstance(prepared.dataset, Synthetic) or not names:
        return {}
    from recsys_ae.evaluation import evaluate  # noqa: PLC0415
    from recsys_ae.models import Popularity  # noqa: PLC0415
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

    oracle = prepared.dataset.oracle(holdout.users, split.train.items, prepared.recipe.threshold)
    popular = Recommender(Popularity()).fit(split.train)
    return {"attainable": evaluate(oracle, holdout, names).mean, "popularity": evaluate(popular, holdout, names).mean}


def _show(
    report: "Report",
    references: dict[str, dict[str, float]],
    groups: "Sequence[Slices]",
    model: "Recommender",
    *,
    as_json: bool,
) -> None:
    if as_json:
        content: dict[str, Any] = {"model": shown_name(model), **report.as_dict(), **references}
        if groups:
            content["slices"] = [part.as_dict() for part in groups]
        display.as_json(content)
        return
    shown = display.Display()
    shown.line(str(report))
    for name, best in references.get("attainable", {}).items():
        value, popular = report.mean[name], references["popularity"][name]
        shown.line(f"{name}: {value:.2f}; best attainable {best:.2f}; popularity {popular:.2f}")
    for part in groups:
        shown.line()
        shown.table(*part.table())
