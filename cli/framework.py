"""Commands with options in sections, groups that load their commands on demand, and errors in the words of options."""

import difflib
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from recsys_ae.errors import ConfigError, RecsysError, arguments_named

from .commands._memory_errors import explained, is_out_of_memory
from .commands._session import Session
from .wording import as_option

OTHER = "Other"


class Option(click.Option):
    """An option with the heading of its section in the help."""

    def __init__(self, names: list[str], *, section: str = OTHER, **settings: Any) -> None:
        super().__init__(names, **settings)
        self.section = section


class Positional(click.Argument):
    """An argument without a name, with its own line in the help.

    click writes such lines only from version 8.5 on.
    """

    section = "Arguments"

    def __init__(self, name: str, *, summary: str, **settings: Any) -> None:
        super().__init__([name], **settings)
        self.summary = summary

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Return the name that the help shows, and the help."""
        return self.make_metavar(ctx), self.summary


class Command(click.Command):
    """A command whose help shows its options section by section."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors name its options, and wrong options of a data recipe are usage errors."""
        _refuse_deleted_folder()
        try:
            with arguments_named(lambda argument: as_option(argument, self.params)):
                return super().invoke(ctx)
        except ConfigError as error:
            from recsys_ae.data.recipe_table import RecipeError  # noqa: PLC0415

            if not isinstance(error, RecipeError):
                raise
            raise click.UsageError(str(error), ctx) from error
        except (MemoryError, OSError, RuntimeError, ImportError) as error:
            if not is_out_of_memory(error):
                raise
            raise RecsysError(explained(error, self.params)) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section under its heading, in the order of the options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(param, "section", OTHER), []).append(record)
        for title in sorted(sections, key=lambda title: title == OTHER):
            with formatter.section(title):
                formatter.write_dl(sections[title])


def _refuse_deleted_folder() -> None:
    """Raise one error for all commands if there is no working directory, because every path may be relative to it."""
    try:
        Path.cwd()
    except OSError as error:
        why = f"the working directory cannot be used ({error.strerror}); change to another folder, and try again"
        raise RecsysError(why) from error


class LazyGroup(click.Group):
    """A group that imports the module of a command only if that command, or the help, is requested.

    ``modules`` maps the name of each command to its module, where the attribute ``command`` is the command.
    """

    def __init__(self, name: str | None = None, *, modules: Mapping[str, str], **settings: Any) -> None:
        super().__init__(name, **{"invoke_without_command": True, **settings})
        self.modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of ``modules``."""
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in self.modules:
            return None
        command: click.Command = importlib.import_module(self.modules[cmd_name], __package__).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; raise a usage error with the nearest name for an unknown one."""
        if not args[0].startswith("-") and args[0] not in self.modules:
            names = self.list_commands(ctx)
            raise click.UsageError(f"there is no command {args[0]!r}{suggestion(args[0], names)}", ctx)
        return super().resolve_command(ctx, args)


@contextmanager
def wrong_usage(option: str = "") -> Iterator[None]:
    """Turn a `ConfigError` into a usage error of the running command; the message begins with ``option``."""
    ctx = click.get_current_context()
    try:
        with arguments_named(lambda argument: as_option(argument, ctx.command.params)):
            yield
    except ConfigError as error:
        raise click.UsageError(f"{option}: {error}" if option else str(error), ctx) from error


def on_interruption(outcome: str) -> None:
    """Say what is true if the running command is interrupted from now on: the end of the line "Interrupted: …"."""
    ctx = click.get_current_context(silent=True)
    session = None if ctx is None else ctx.find_object(Session)
    if session is not None:
        session.interrupted = outcome


@contextmanager
def told_when_saved(path: Path, outcome: str) -> Iterator[None]:
    """Say what is true if another file or folder is there at the end of the context, also of an interrupted one.

    An interruption may follow the rename that gives a result its name, while the disk is still written.
    """
    before = identity(path)
    try:
        yield
    finally:
        if identity(path) not in (None, before):
            on_interruption(outcome)


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells two files or folders of one name apart; None if there is none.

    A result is written under another name and renamed, so its number differs from that of the one that it replaces.
    """
    with suppress(OSError, ValueError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest valid name, or all of them."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(names)}"


def as_command(
    name: str, params: Iterable[click.Parameter], *, cls: type[click.Command] = Command
) -> Callable[[Callable[..., None]], click.Command]:
    """Return a decorator that makes a command of a function, whose docstring is the help."""

    def decorate(function: Callable[..., None]) -> click.Command:
        return cls(name, callback=function, params=list(params), help=function.__doc__)

    return decorate
