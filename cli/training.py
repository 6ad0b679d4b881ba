"""What ``fit`` does: read, divide, learn, save, report. The test users are not looked at."""

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from recsys_ae.errors import ConfigError

from . import feature_source, hyper_options, memory
from .display import Display, epochs
from .mlflow_runs import Tracking
from .param_types import NONE
from .report import monitor, show_data, show_fit, show_memory, shown_name, typed_name
from .source import Source, prepare, titles

if TYPE_CHECKING:
    from recsys_ae.nn.model import Identity, Spec
    from recsys_ae.nn.runtime import Run

Chosen = TypeVar("Chosen", bound="Identity")


class Interrupted(click.ClickException):
    """The user pressed Ctrl-C; says what there is on the disk."""

    exit_code = 130


def fit(spec_class: type["Spec"], **given: Any) -> None:
    """Fit a model with the values of all options."""
    saved: list[Path] = []
    try:
        _fit(spec_class, given, saved)
    except KeyboardInterrupt:
        what = f"the model is saved in {saved[0]}" if saved else "nothing was saved"
        raise Interrupted(f"Interrupted: {what}") from None


def _fit(spec_class: type["Spec"], given: Mapping[str, Any], saved: list[Path]) -> None:
    from recsys_ae.nn.footprint import memory as needed  # noqa: PLC0415
    from recsys_ae.nn.model import Shape  # noqa: PLC0415
    from recsys_ae.recommender import preflight  # noqa: PLC0415
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415
    from recsys_ae.storage.artefact import refuse_to_write  # noqa: PLC0415

    display = Display(quiet=given["quiet"])
    spec = chosen(spec_class, given)
    source = Source.from_options({**given, "min_rating": _threshold(spec_class, given["min_rating"])})
    out = given["out"] or Path("models") / f"{source.title}-{spec.name().replace('_', '-')}"
    if not given["dry_run"]:
        refuse_to_write(out, overwrite=given["overwrite"])
    run = run_settings(given)
    prepared = prepare(source, cache=given["cache"])
    split = prepared.divide()
    show_data(display, prepared, split)
    vectors = feature_source.read_all(given["item_features"], given["data_dir"]) if given["item_features"] else None
    width = 0 if vectors is None else vectors.width
    parts = needed(spec, Shape(*split.train.shape, width), split.train.nnz)
    show_memory(display, parts, run, whole=given["dry_run"])
    if given["dry_run"]:
        preflight.check(spec, split.train, run, width)
        display.line("Dry run: nothing is learnt, and nothing saved.")
        return
    model = Recommender(spec)
    display.line(f"\nModel {shown_name(model)} on {run.torch_device}, to be saved in {out}")
    model.notes = {
        "source": dataclasses.asdict(prepared.source),
        "fingerprint": split.fingerprint,
        "options": _resolved(given, prepared.source),
        "command": command_line(),
        "titles": titles(prepared.items, split.train.items),
    }
    # What no model learns from makes room for the training.
    train, valid = dataclasses.replace(split.train, timestamps=None), split.valid
    del prepared, split
    memory.finalize()
    with (
        Tracking.of_fit(on=given["track"], name=out.name) as tracking,
        epochs(quiet=given["quiet"], monitor=monitor(spec)) as progress,
    ):
        tracking.tracker.parameters(_described(model.notes))
        run = dataclasses.replace(run, tracker=tracking.tracker, progress=progress)
        model.fit(train, valid=valid, item_features=vectors, run=run)
        model.notes["mlflow"] = tracking.address
        # First the model is safe; what tracking does then cannot lose it.
        model.save(out, overwrite=given["overwrite"])
        saved.append(out)
        tracking.finish(model, out)
    feature_source.say(model.metadata.get("remarks", ()))
    show_fit(display, model, out)
    tracking.warn()


def chosen(spec_class: type[Chosen], given: Mapping[str, Any]) -> Chosen:
    """Return the hyper-parameters among the values of all options; what is out of bounds is wrong usage."""
    try:
        return spec_class(**hyper_options.values(spec_class, given))
    except ConfigError as error:
        raise click.UsageError(str(error), click.get_current_context()) from error


def _threshold(spec_class: type["Spec"], given: float | str) -> float | str:
    """Return the rating threshold, which a model that learns from ratings cannot have."""
    if spec_class.feedback != "explicit":
        return given
    if not isinstance(given, str):
        raise click.UsageError(
            f"--min-rating {given:g}: {typed_name(spec_class)} learns from all ratings as they are; leave it out",
            click.get_current_context(),
        )
    return NONE


def run_settings(given: Mapping[str, Any]) -> "Run":
    """Return the circumstances; a device that is not there is refused now, before anything is read."""
    from recsys_ae.nn.runtime import Run, resolve  # noqa: PLC0415

    resolve(given["device"])
    return Run(seed=given["seed"], device=given["device"], precision=given["precision"], threads=given["threads"])


def command_line() -> str:
    """Return the command that repeats this run, with the options that are not left at their defaults."""
    ctx = click.get_current_context()
    words = ctx.command_path.split()
    for param in ctx.command.params:
        name = str(param.name)
        if ctx.get_parameter_source(name) not in (ParameterSource.DEFAULT, None) and name in ctx.params:
            words += _typed(param, ctx.params[name])
    return shlex.join(words)


def _typed(param: click.Parameter, value: Any) -> list[str]:
    if isinstance(param, click.Argument):
        return [str(one) for one in (value if isinstance(value, tuple) else (value,))]
    if isinstance(value, bool):
        return [param.opts[0]] if value else list(param.secondary_opts[:1])
    return [] if value is None else [param.opts[0], hyper_options.as_text(value)]


def _resolved(given: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Return every option with the value that it had in the end, JSON."""
    values = {**given, **dataclasses.asdict(source)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in sorted(values.items())}


def _described(notes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a tracker is told of the data."""
    said = {name: value for name, value in notes["source"].items() if value is not None}
    return {"data": said, "split_fingerprint": notes["fingerprint"]}
