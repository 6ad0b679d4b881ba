"""Fitting from the command line: read, estimate the memory, learn, save, report."""

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
    """The user pressed Ctrl-C; says what there is on the disk."""

    exit_code = 130


class Task(ABC):
    """One fit: the data that it reads, the model that learns from them, and what is printed about both."""

    what: ClassVar[str]
    """What the model is called."""

    def __init__(self, spec_class: type["Identity"], given: Mapping[str, Any]) -> None:
        self.given, self.display = given, Display(quiet=given["quiet"])
        self.spec: Any = chosen(spec_class, given)

    @property
    @abstractmethod
    def title(self) -> str:
        """Name of the model's folder, where none is given."""

    @abstractmethod
    def read(self, run: "Run") -> Mapping[str, int]:
        """Read the data and print what they are; return the bytes that the fit needs, by what they are for."""

    def check(self, run: "Run") -> None:  # noqa: B027  what is checked while it is read needs no more
        """Raise what the fit would raise before it begins; for a dry run."""

    @abstractmethod
    def model(self) -> Any:
        """Return the untrained model with its notes, and free what it does not learn from."""

    @abstractmethod
    def learn(self, model: Any, run: "Run") -> None:
        """Fit the model."""

    @abstractmethod
    def show(self, model: Any, out: Path) -> None:
        """Print how the fit went, and what to do next."""


def fit(kind: type[Task], spec_class: type["Identity"], **given: Any) -> None:
    """Fit a model with the values of all options."""
    saved: list[Path] = []
    try:
        _fit(kind(spec_class, given), given, saved)
    except KeyboardInterrupt:
        what = f"the model is saved in {saved[0]}" if saved else "nothing was saved"
        raise Interrupted(f"Interrupted: {what}") from None


def _fit(task: Task, given: Mapping[str, Any], saved: list[Path]) -> None:
    from recsys_ae.storage.artefact import refuse_to_write  # noqa: PLC0415

    display, out = task.display, given["out"] or Path("models") / task.title
    if not given["dry_run"]:
        refuse_to_write(out, overwrite=given["overwrite"])
    run = run_settings(given)
    show_memory(display, task.read(run), run, whole=given["dry_run"])
    if given["dry_run"]:
        task.check(run)
        display.line("Dry run: nothing was trained or saved.")
        return
    display.line(
        f"\nFitting the {task.what} {typed_name(task.spec.name())} on {run.torch_device}, to be saved in {out}"
    )
    model = task.model()
    memory.finalize()
    with (
        Tracking.of_fit(on=given["track"], name=out.name) as tracking,
        epochs(quiet=given["quiet"], monitor=task.spec.monitor) as progress,
    ):
        task.learn(model, dataclasses.replace(run, tracker=tracking.tracker, progress=progress))
        model.notes["mlflow"] = tracking.address
        # First the model is safe; what tracking does then cannot lose it.
        model.save(out, overwrite=given["overwrite"])
        saved.append(out)
        tracking.finish(model, out)
    feature_source.say(model.metadata.get("remarks", ()))
    task.show(model, out)
    tracking.warn()


def chosen(spec_class: type["Identity"], given: Mapping[str, Any]) -> "Identity":
    """Return the hyper-parameters among the values of all options; what is out of bounds is wrong usage."""
    with wrong_usage():
        return spec_class(**hyper_options.values(spec_class, given))


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
            words += typed(param, ctx.params[name])
    return shlex.join(words)
