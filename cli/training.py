"""Fits from the command line: read the data, estimate the memory, fit, save and report."""

import dataclasses
import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click
from click.core import ParameterSource

from recsys_ae.errors import arguments_named, renamed

from . import feature_source, hyper_options, memory
from .display import Display, epochs, note
from .framework import identity, on_interruption, wrong_usage
from .mlflow_runs import Tracking, refuse_register
from .model_commands import typed_name
from .report import show_memory
from .wording import typed

if TYPE_CHECKING:
    from recsys_ae.nn.checkpoints.settings import Checkpoint
    from recsys_ae.nn.model import Identity
    from recsys_ae.nn.runtime import Run


class Task(ABC):
    """A fit: its data, its model, and its printed summary."""

    noun: ClassVar[str]
    """Word for the model in messages."""

    def __init__(self, spec_class: type["Identity"], settings: Mapping[str, Any]) -> None:
        self.settings, self.display = settings, Display(quiet=settings["quiet"])
        self.spec: Any = chosen(spec_class, settings)

    @property
    @abstractmethod
    def title(self) -> str:
        """Default name of the model's folder."""

    @abstractmethod
    def read(self, run: "Run") -> Mapping[str, int]:
        """Read the data and print a summary; return the bytes that the fit needs by purpose."""

    def check(self, run: "Run") -> None:  # noqa: B027  a task may check everything in read
        """Raise the errors that the fit would raise before it begins; for a dry run."""

    @abstractmethod
    def model(self) -> Any:
        """Return the untrained model with its notes, and free the data that it does not learn from."""

    @abstractmethod
    def learn(self, model: Any, run: "Run", checkpoint: "Checkpoint | None") -> Any:
        """Fit the model and return it."""

    @abstractmethod
    def show(self, model: Any, out: Path) -> None:
        """Print a summary of the fit, and the next commands."""


def fit(kind: type[Task], spec_class: type["Identity"], **settings: Any) -> None:
    """Fit a model with the values of all options."""
    carry_out(kind(spec_class, settings))


def carry_out(task: Task) -> None:
    """Fit the model of a task, and save it."""
    settings = task.settings
    out = settings["out"] or Path("models") / task.title
    before = identity(out)
    try:
        _fit(task, settings, out)
    except BaseException:
        on_interruption(_outcome(out, is_saved=identity(out) not in (None, before)))
        raise


def _fit(task: Task, settings: Mapping[str, Any], out: Path) -> None:
    from recsys_ae.storage import rescue  # noqa: PLC0415
    from recsys_ae.storage.artefact import refuse_to_write  # noqa: PLC0415

    display, checkpoint = task.display, _checkpoint(settings, out)
    refuse_register(settings)
    if not settings["dry_run"]:
        refuse_to_write(out, overwrite=settings["overwrite"])
    run = run_settings(settings)
    show_memory(display, task.read(run), run, table=settings["dry_run"])
    if settings["dry_run"]:
        task.check(run)
        display.line("Dry run: nothing was trained or saved.")
        return
    display.line(
        f"\nFitting the {task.noun} {typed_name(task.spec.name())} on {run.torch_device}, to be saved in {out}"
    )
    model = task.model()
    memory.finalize()
    with (
        Tracking.of_fit(on=settings["track"], name=out.name, interrupted=_run_id(checkpoint)) as tracking,
        epochs(quiet=settings["quiet"], monitor=task.spec.monitor) as progress,
    ):
        model = task.learn(model, dataclasses.replace(run, tracker=tracking.tracker, progress=progress), checkpoint)
        try:
            model.notes["mlflow"] = tracking.address
        finally:  # neither a failure of tracking nor a signal while the store is waited for loses the model
            rescue.save(model, out, overwrite=settings["overwrite"])
        tracking.finish(model, out, settings.get("register"))
    feature_source.say(model.metadata.get("remarks", ()))
    task.show(model, out)
    tracking.warn(settings.get("register"))


def _checkpoint(settings: Mapping[str, Any], out: Path) -> "Checkpoint | None":
    """Return the settings of the checkpoint; None for models that are not trained step by step."""
    from recsys_ae.nn.checkpoints import files  # noqa: PLC0415
    from recsys_ae.nn.checkpoints.settings import Checkpoint  # noqa: PLC0415

    if "checkpoint_every" not in settings:
        return None
    folder = _checkpoint_folder(out)
    if not settings["dry_run"]:
        files.remove_if_saved(folder, out)
    with wrong_usage(), arguments_named(renamed({"minutes": "checkpoint_every"})):
        return Checkpoint(
            path=folder,
            minutes=settings["checkpoint_every"],
            restart=settings["restart"],
            report=lambda sentence: note(f"{sentence[0].upper()}{sentence[1:]}"),
        )


def _checkpoint_folder(out: Path) -> Path:
    named = out if out.name else out.absolute()
    return named.with_name(f"{named.name}.checkpoint")


def _run_id(checkpoint: "Checkpoint | None") -> str | None:
    """Return the id of the MLflow run of an interrupted fit."""
    from recsys_ae.nn.checkpoints import files  # noqa: PLC0415

    if checkpoint is None or checkpoint.restart or not files.exists(checkpoint.folder):
        return None
    return files.run_id(checkpoint.folder)


def _outcome(out: Path, *, is_saved: bool) -> str:
    """Return what is true after an interruption."""
    if is_saved:
        return f"the model is saved in {out}"
    from recsys_ae.nn.checkpoints import files  # noqa: PLC0415

    folder = _checkpoint_folder(out)
    if (folder / files.STATE).exists():
        return f"the training so far is saved in {folder}; the same command continues it"
    return "nothing was saved"


def chosen(spec_class: type["Identity"], settings: Mapping[str, Any]) -> "Identity":
    """Return the hyper-parameters among the values of all options; values out of bounds are usage errors."""
    with wrong_usage():
        return spec_class(**hyper_options.values(spec_class, settings))


def run_settings(settings: Mapping[str, Any]) -> "Run":
    """Return the run settings; a missing device is an error now, before anything is read."""
    from recsys_ae.nn.runtime import Run, resolve  # noqa: PLC0415

    resolve(settings["device"])
    names = ("seed", "device", "precision", "deterministic", "threads")
    return Run(**{name: settings[name] for name in names})


def command_line() -> str:
    """Return the command that repeats this run, with all options that differ from their defaults."""
    ctx = click.get_current_context()
    words = ctx.command_path.split()
    for param in ctx.command.params:
        name = str(param.name)
        if ctx.get_parameter_source(name) not in (ParameterSource.DEFAULT, None) and name in ctx.params:
            words += typed(param, ctx.params[name])
    return shlex.join(words)
