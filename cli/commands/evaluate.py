"""``recsys-ae evaluate DIR``: metrics of a saved model on held-out users."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from recsys_ae.errors import DataError

from .. import display, mlflow_runs, options, table_writer
from ..framework import Option, Positional, as_command, wrong_usage
from ..param_types import FILE, Names
from ..report import shown_name
from ..saved import divided, moved, recipe_of, refuse_rankers

if TYPE_CHECKING:
    from recsys_ae.data.prepared import Prepared
    from recsys_ae.data.splits.split import Holdout, Split
    from recsys_ae.evaluation import Report
    from recsys_ae.recommender.recommender import Recommender

OUTPUT = "Report"
METRICS = (
    "Metrics, separated by commas, such as recall@20,ndcg@100,mrr@10. Models that learn from ratings also have rmse "
    "and mae, which are their default."
)
PARAMS = [
    Positional("folder", metavar="DIR", type=FILE, summary="Folder of a saved model."),
    Option(["--metrics"], type=Names(), metavar="NAMES", section=OUTPUT, help=METRICS),
    Option(
        ["--on"],
        type=click.Choice(["test", "valid"]),
        default="test",
        show_default=True,
        section=OUTPUT,
        help="Part of the split that the model is evaluated on.",
    ),
    Option(["--json", "as_json"], is_flag=True, section=OUTPUT, help="Print the report as JSON."),
    Option(
        ["--per-user"],
        type=FILE,
        metavar="FILE",
        section=OUTPUT,
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
    the model reads is excluded from its top-N lists, not the interactions that the filters of the fit removed.
    """
    from recsys_ae.evaluation import evaluate  # noqa: PLC0415
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

    names = _metrics(metrics) if metrics else ()
    if per_user is not None:
        table_writer.refuse(per_user, overwrite=settings["overwrite"])
    model = Recommender.load(folder, device=settings["device"])
    names = names or _usual(model)
    _refuse_misfits(model, names)
    recipe = recipe_of(model, folder, settings)
    prepared, split = divided(model, folder, recipe, cache=settings["cache"])
    holdout = split.test if on == "test" else split.valid
    if holdout is None:
        raise DataError(
            f"{folder} was fitted with --split {prepared.recipe.split_kind}, which has no part for --on {on}"
        )
    report = evaluate(model, holdout, names)
    references = _references(prepared, split, holdout, names)
    if per_user is not None:
        with table_writer.writer(per_user, overwrite=settings["overwrite"], safe_cells=settings["safe_cells"]) as write:
            write(report.values.rename_axis("user").reset_index())
    _show(report, references, model, as_json=settings["as_json"])
    if settings["track"]:
        source = click.get_current_context().get_parameter_source("track")
        asked = source is not ParameterSource.DEFAULT or settings["tracking_uri"] is not None
        mlflow_runs.report(model.notes, report, on, settings["tracking_uri"], asked=asked)


def _metrics(names: tuple[str, ...]) -> tuple[str, ...]:
    from recsys_ae import metrics  # noqa: PLC0415

    with wrong_usage("--metrics"):
        return tuple(str(metrics.parse(name)) for name in names)


def _usual(model: "Recommender") -> tuple[str, ...]:
    """Return the default metrics for the feedback that the model learns from."""
    from recsys_ae import metrics  # noqa: PLC0415

    return metrics.ERRORS if model.spec.feedback == "explicit" else metrics.DEFAULT


def _refuse_misfits(model: "Recommender", names: tuple[str, ...]) -> None:
    from recsys_ae.metrics import smaller_is_better  # noqa: PLC0415

    if any(map(smaller_is_better, names)):
        refuse_rankers(model)


def _references(
    prepared: "Prepared", split: "Split", holdout: "Holdout", names: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Return the metrics of the ideal top-N lists and of popularity, for generated data with known preferences."""
    from recsys_ae.data.synthetic.generate import Synthetic  # noqa: PLC0415
    from recsys_ae.metrics import smaller_is_better  # noqa: PLC0415

    names = tuple(name for name in names if not smaller_is_better(name))
    if not isinstance(prepared.dataset, Synthetic) or not names:
        return {}
    from recsys_ae.evaluation import evaluate  # noqa: PLC0415
    from recsys_ae.models import Popularity  # noqa: PLC0415
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

    oracle = prepared.dataset.oracle(holdout.users, split.train.items, prepared.recipe.threshold)
    popular = Recommender(Popularity()).fit(split.train)
    return {"attainable": evaluate(oracle, holdout, names).mean, "popularity": evaluate(popular, holdout, names).mean}


def _show(report: "Report", references: dict[str, dict[str, float]], model: "Recommender", *, as_json: bool) -> None:
    if as_json:
        content: dict[str, Any] = {"model": shown_name(model), **report.as_dict(), **references}
        display.as_json(content)
        return
    shown = display.Display()
    shown.line(str(report))
    for name, best in references.get("attainable", {}).items():
        value, popular = report.mean[name], references["popularity"][name]
        shown.line(f"{name}: {value:.2f}; best attainable {best:.2f}; popularity {popular:.2f}")
