"""``recsys-ae blend DIR DIR...``: a weighted mix of saved models."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recsys_ae.errors import DataError, arguments_named, renamed

from .. import options
from ..display import Display, as_json
from ..framework import Option, Positional, as_command, told_when_saved, wrong_usage
from ..param_types import FILE, Numbers
from ..saved import divided, fingerprint_of, moved, recipe_of, refuse_other_splits

if TYPE_CHECKING:
    from recsys_ae.data.splits.split import Holdout
    from recsys_ae.recommender.recommender import Recommender

MIX = "Blend"
SCALES = "standard: scores in standard deviations from each user's mean; rank: 1 / (60 + rank)."
WEIGHTS = "Weights of the models, separated by commas, one per DIR.  [default: the best on the validation users]"
PARAMS = [
    Positional(
        "folders",
        metavar="DIR DIR...",
        nargs=-1,
        required=True,
        type=FILE,
        summary="Folders of two or more saved models.",
    ),
    Option(
        ["--scale"],
        type=click.Choice(["standard", "rank"]),
        default="standard",
        show_default=True,
        section=MIX,
        help=f"Normalization that makes the scores of the models comparable. {SCALES}",
    ),
    Option(["--weights"], type=Numbers(click.FLOAT), metavar="NUMBERS", section=MIX, help=WEIGHTS),
    Option(
        ["--metric"],
        default="ndcg@100",
        show_default=True,
        metavar="NAME",
        section=MIX,
        help="Validation metric that selects the weights.",
    ),
    *moved(),
    options.data_dir(),
    options.cache(),
    options.device(),
    Option(
        ["--out"],
        type=FILE,
        metavar="DIR",
        section=options.RUN,
        help="Folder of the saved blend.  [default: models/<data>-blend]",
    ),
    options.overwrite("model"),
    Option(["--json", "as_json"], is_flag=True, section=options.RUN, help="Print the weights and metrics as JSON."),
]


@as_command("blend", PARAMS)
def command(folders: tuple[Path, ...], metric: str, out: Path | None, **settings: Any) -> None:
    """Mix saved models into one.

    A blend scores an item by the weighted sum of the models' scores; the validation users select the weights. The
    models must have been fitted to the same data and split. The blend is saved as a model that all commands read.
    """
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415
    from recsys_ae.storage import rescue  # noqa: PLC0415
    from recsys_ae.storage.artefact import refuse_to_write  # noqa: PLC0415

    from ..training import command_line  # noqa: PLC0415

    if len(folders) < 2:
        raise click.UsageError("a blend needs at least two models: DIR DIR...", click.get_current_context())
    names = _names(metric)
    models = [Recommender.load(folder, device=settings["device"]) for folder in folders]
    recipes = [recipe_of(model, folder, settings) for model, folder in zip(models, folders, strict=True)]
    out = out or Path("models") / f"{recipes[0].title}-blend"
    refuse_to_write(out, overwrite=settings["overwrite"])
    refuse_other_splits({folder: fingerprint_of(model) for folder, model in zip(folders, models, strict=True)})
    prepared, split = divided(models[0], folders[0], recipes[0], cache=settings["cache"])
    if split.valid is None and not settings["weights"]:
        why = f"{folders[0]} was fitted with --split {prepared.recipe.split_kind}, which leaves no validation users"
        raise DataError(f"{why} to select the weights; give --weights")
    blended = _blended(models, split.valid, settings["scale"], settings["weights"] or (), metric)
    blended.notes = {
        **models[0].notes,
        "source": recipes[0].as_json(),  # the data that were read, wherever the first model says that they are
        "options": {
            "folders": [str(folder) for folder in folders],
            **_plain({**settings, "metric": metric, "out": out}),
        },
        "command": command_line(),
        "mlflow": None,  # a blend has no run of its own
    }
    with told_when_saved(out, f"the model is saved in {out}"):
        rescue.save(blended, out, overwrite=settings["overwrite"])
    measured = [{} if split.valid is None else _measured(model, split.valid, names) for model in (*models, blended)]
    weights: list[float] = blended.network.get_buffer("weights").tolist()
    if settings["as_json"]:
        as_json(_as_dict(models, folders, out, weights, measured))
    else:
        n_users = None if split.valid is None else len(split.valid.users)
        _show(folders, out, weights, measured, n_users, settings["weights"])


def _names(metric: str) -> tuple[str, ...]:
    """Return the metrics of the table: the one that selects the weights, then the default metrics."""
    from recsys_ae import metrics  # noqa: PLC0415

    with wrong_usage("--metric"):
        return tuple(dict.fromkeys((str(metrics.parse(metric)), *metrics.DEFAULT)))


def _blended(
    models: "list[Recommender]", valid: "Holdout | None", scale: Any, weights: tuple[float, ...], metric: str
) -> "Recommender":
    from recsys_ae.recommender.blending import blend  # noqa: PLC0415

    with wrong_usage(), arguments_named(renamed({"monitor": "metric"})):
        return blend(models, valid, scale=scale, weights=weights, monitor=metric)


def _measured(model: "Recommender", valid: "Holdout", names: tuple[str, ...]) -> dict[str, float]:
    import numpy as np  # noqa: PLC0415

    from recsys_ae import metrics  # noqa: PLC0415

    k = max(metrics.parse(name).k for name in names)
    items, _ = model.recommend(valid.histories, k, users=valid.users)
    values = metrics.per_user(items, valid.targets, names)
    return {name: float(np.nanmean(values[name])) for name in names}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return options as JSON."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in sorted(values.items())}


def _as_dict(
    models: "list[Recommender]",
    folders: tuple[Path, ...],
    out: Path,
    weights: list[float],
    measured: list[dict[str, float]],
) -> dict[str, Any]:
    members = zip(models, folders, weights, measured, strict=False)
    return {
        "members": [
            {"folder": str(folder), "model": model.spec.name(), "weight": weight, "valid": values}
            for model, folder, weight, values in members
        ],
        "blend": {"folder": str(out), "valid": measured[-1]},
    }


def _show(
    folders: tuple[Path, ...],
    out: Path,
    weights: list[float],
    measured: list[dict[str, float]],
    n_users: int | None,
    typed_weights: tuple[float, ...] | None,
) -> None:
    display = Display()
    rows = [(*row, *values.values()) for *row, values in zip(
        [*map(str, folders), "blend"], [*(f"{weight:.2f}" for weight in weights), ""], measured, strict=True
    )]  # fmt: skip
    display.table(("model", ">weight", *(f">{name}" for name in measured[0])), rows)
    if n_users is not None:
        display.line(f"\nMetrics of the {n_users:,} validation users.")
        if not typed_weights:
            display.line("They selected the weights too, so the metrics of the blend are slightly optimistic.")
    display.line(f"\nSaved in {out}. Next:\n  recsys-ae evaluate {shlex.quote(str(out))}")
