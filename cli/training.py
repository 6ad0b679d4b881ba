"""Fits from the command line: read the data, estimate the memory, fit, save and report."""

import dataclasses
import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click
from click.core import ParameterSource

from . import feature_source, hyper_options, memory
from .display import Display, epochs
from .framework import wrong_usage
from .mlflow_runs import Tracking
from .model_commands import typed_name
from .report import show_memory
from .wording import typed

if TYPE_CHECKING:
    from recsys_ae.nn.model import Identity
    from recsys_ae.nn.runtime import Run


class Interrupted(click.ClickException):
    """Ctrl-C during a fit or a study; the message says what was saved."""

    exit_code = 130


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
    def learn(self, model: Any, run: "Run") -> None:
        """Fit the model."""

    @abstractmethod
    def show(self, model: Any, out: Path) -> None:
        """Print a summary of the fit, and the next commands."""


def fit(kind: type[Task], spec_class: type["Identity"], **settings: Any) -> None:
    """Fit a model with the values of all options."""
    saved: list[Path] = []
    try:
        _fit(kind(spec_class, settings), settings, saved)
    except KeyboardInterrupt:
        outcome = f"the model is saved in {saved[0]}" if saved else "nothing was saved"
        raise Interrupted(f"Interrupted: {outcome}") from None


def _fit(task: Task, settings: Mapping[str, Any], saved: list[Path]) -> None:
    from recsys_ae.storage.artefact import refuse_to_write  # noqa: PLC0415

    display, out = task.display, settings["out"] or Path("models") / task.title
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
        Tracking.of_fit(on=settings["track"], name=out.name) as tracking,
        epochs(quiet=settings["quiet"], monitor=task.spec.monitor) as progress,
    ):
        task.learn(model, dataclasses.replace(run, tracker=tracking.tracker, progress=progress))
        model.notes["mlflow"] = tracking.address
        # The model is saved first, so that a failure of tracking cannot lose it.
        model.save(out, overwrite=settings["overwrite"])
        saved.append(out)
        tracking.finish(model, out)
    feature_source.say(model.metadata.get("remarks", ()))
    task.show(model, out)
    tracking.warn()


def chosen(spec_class: type["Identity"], settings: Mapping[str, Any]) -> "Identity":
    """Return the hyper-parameters among the values of all options; values out of bounds are usage errors."""
    with wrong_usage():
        return spec_class(**hyper_options.values(spec_class, settings))


def run_settings(settings: Mapping[str, Any]) -> "Run":
    """Return the run settings; a missing device is an error now, before anything is read."""
    from recsys_ae.nn.runtime import Run, resolve  # noqa: PLC0415

    resolve(settings["device"])
    return Run(
        seed=settings["seed"], device=settings["device"], precision=settings["precision"], threads=settings["threads"]
    )


def command_line() -> str:
    """Return the command that repeats this run, with all options that differ from their defaults."""
    ctx = click.get_current_context()
    words = ctx.command_path.split()
    for param in ctx.command.params:
        name = str(param.name)
        if ctx.get_parameter_source(name) not in (ParameterSource.DEFAULT, None) and name in ctx.params:
            words += typed(param, ctx.params[name])
    return shlex.join(words)
