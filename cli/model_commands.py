"""Commands generated from the models of a package: one to fit each model, and one that lists them."""

import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from . import hyper_options, memory
from .display import Display, note
from .framework import Command, Option, as_command, suggestion

if TYPE_CHECKING:
    from recsys_ae.spec.registry import Registry


def registry_of(package: str) -> "Registry[Any]":
    """Return the models of a package of the library, plug-ins included."""
    registry: Registry[Any] = importlib.import_module(package).registry
    return registry


def typed_name(name: str) -> str:
    """Return the name of a model as users type it."""
    return name.replace("_", "-")


class ModelGroup(click.Group):
    """A group whose commands are the models of a package.

    Parameters
    ----------
    package
        Package of the models; it is imported when a command or the help is requested.
    title
        Heading of the models in the help.
    shared
        Function that returns the options of every model; their defaults depend on the class of hyper-parameters.
    fit
        Callback of a command; its arguments are the class of hyper-parameters and the values of all options.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        package: str,
        title: str,
        shared: Callable[[Any], Sequence[Option]],
        fit: Callable[..., None],
        **settings: Any,
    ) -> None:
        super().__init__(name, options_metavar="", **settings)
        self.package, self.title, self.shared, self.fit = package, title, shared, fit

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the models."""
        return [typed_name(name) for name in registry_of(self.package).names()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a model; this imports the model."""
        models = registry_of(self.package)
        if cmd_name.replace("-", "_") not in models.names():
            names = self.list_commands(ctx)
            raise click.UsageError(f"there is no {models.what} {cmd_name!r}{suggestion(cmd_name, names)}", ctx)
        memory.thrifty()
        spec = models.spec_class(cmd_name)
        for remark in models.remarks(cmd_name):
            note(f"Note: {remark}")
        params = [*hyper_options.options(spec), *self.shared(spec)]
        help = inspect.getdoc(sys.modules[spec.__module__])
        return Command(cmd_name, callback=partial(self.fit, spec), params=list(params), help=help)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the models with a line on each, then their common options."""
        with formatter.section(self.title):
            formatter.write_dl(_lines(self.package))
        Command("", params=list(self.shared(None))).format_options(ctx, formatter)


def listing(name: str, package: str, *, help: str, hint: str) -> click.Command:
    """Return a command that lists the models of a package without importing them."""

    def show() -> None:
        models, display = registry_of(package), Display()
        display.table((models.what, "description"), _lines(package))
        usages = [(typed_name(name), usage) for name in models.names() if (usage := models.usage(name))]
        if usages:
            display.line()
            display.table((models.what, "when to use"), usages)
        display.line(f"\n{hint}")
        for remark in models.remarks():
            note(f"Note: {remark}")

    show.__doc__ = help
    return as_command(name, [])(show)


def _lines(package: str) -> list[tuple[str, str]]:
    models = registry_of(package)
    return [(typed_name(name), models.summary(name).splitlines()[0]) for name in models.names()]
