"""Entry point of the command line. Every failure ends in one line on standard error and an exit code."""

import errno
import io
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import click

from recsys_ae.errors import RecsysError

from .framework import LazyGroup

INTERRUPTED = 130
MODULES = {
    "fit": ".commands.fit",
    "blend": ".commands.blend",
    "evaluate": ".commands.evaluate",
    "recommend": ".commands.recommend",
    "predict": ".commands.predict",
    "similar": ".commands.similar",
    "models": ".commands.models",
    "pretrain": ".commands.pretrain",
    "encode": ".commands.encode",
    "autoencoders": ".commands.autoencoders",
    "study": ".commands.study",
    "data": ".commands.data",
    "doctor": ".commands.doctor",
}


@dataclass
class Session:
    """Values of the global options."""

    debug: bool = False


def _version(ctx: click.Context, _: click.Parameter, requested: bool) -> None:
    if requested:
        from importlib.metadata import version  # noqa: PLC0415

        click.echo(f"recsys-ae {version('recsys-ae')}")
        ctx.exit()


@click.group(cls=LazyGroup, modules=MODULES)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def root(ctx: click.Context, debug: bool) -> None:
    """Autoencoder recommenders: from ratings to recommendations.

    Start with `recsys-ae fit mult-vae`, which uses the embedded sample data.
    """
    ctx.ensure_object(Session).debug = debug
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0, 1 for an error, 2 for wrong usage, 130 when interrupted."""
    session = Session()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An id that the terminal cannot show must not stop the command.
        sys.stdout.reconfigure(errors="replace")
    if not sys.warnoptions:
        # Deprecation warnings of dependencies do not help the user of a command.
        warnings.simplefilter("ignore")
    try:
        code = root.main(args, prog_name="recsys-ae", standalone_mode=False, obj=session)
        sys.stdout.flush()
    except BaseException as error:
        if session.debug and not isinstance(error, (SystemExit, click.ClickException)):
            traceback.print_exc()
        return _ended_by(error)
    return code if isinstance(code, int) else 0


def _ended_by(error: BaseException) -> int:
    """Print the error in one line, and return the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        # The reader of the pipe has closed it; Python's own flush at exit needs an open file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        click.echo("Interrupted: nothing was saved", err=True)
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        click.echo(_usage(error), err=True)
        return error.exit_code
    click.echo(f"Error: {_one_line(_explained(error))}", err=True)
    return 1


def _usage(error: click.ClickException) -> str:
    message = _one_line(error.format_message())
    if not isinstance(error, click.UsageError):
        return message
    context = error.ctx
    return f"Error: {message}" + (f" (see {context.command_path} --help)" if context is not None else "")


def _explained(error: BaseException) -> str:
    if isinstance(error, RecsysError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}; run it again with `recsys-ae --debug ...` and report the traceback"


def _one_line(text: str) -> str:
    return " ".join(text.split())
