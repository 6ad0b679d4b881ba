"""Entry point of the command line. Every failure ends in one line on standard error and an exit code."""

import errno
import io
import os
import sys
from collections.abc import Sequence

TYPE_CHECKING = False  # without the import of `typing`, Ctrl-C is handled 5 ms earlier
if TYPE_CHECKING:
    import click

    from .commands._session import Session

COMPLETION = "_RECSYS_AE_COMPLETE"
"""Environment variable by which a shell asks for completions."""
INTERRUPTED = 130


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    It is 0, 1 for an error, 2 for wrong usage, and after a signal 128 and its number: 130 for Ctrl-C and 143 for
    SIGTERM. All imports are made in here, so that Ctrl-C ends them in one line, too.
    """
    try:
        from .commands._session import Session  # noqa: PLC0415
        from .commands._streams import flushed, open_closed_streams  # noqa: PLC0415
        from .commands._terminal import printable_streams  # noqa: PLC0415

        open_closed_streams()
        with Session() as session, printable_streams():
            try:
                code = _run(sys.argv[1:] if args is None else args, session)
            except BaseException as error:
                session.ignore_signals()
                code = _ended_by(error, session)
                flushed(sys.stderr)
            if args is None:
                session.die_of_signals()
            return code
    except KeyboardInterrupt:  # before the signals were handled
        sys.stderr.write("Interrupted: nothing was saved\n")
        return INTERRUPTED


def _run(args: Sequence[str], session: "Session") -> int:
    import warnings  # noqa: PLC0415

    import click  # noqa: PLC0415

    from .commands._root import root  # noqa: PLC0415

    if isinstance(sys.stdout, io.TextIOWrapper):
        # An id that the terminal cannot show must not stop the command.
        sys.stdout.reconfigure(errors="replace")
    if not sys.warnoptions:
        # Deprecation warnings of dependencies do not help the user of a command.
        warnings.simplefilter("ignore")
    if COMPLETION in os.environ:
        root.main(args, prog_name="recsys-ae")
    try:
        # `root.main` would take the end of a damaged archive, an EOFError, for an interruption.
        with root.make_context("recsys-ae", list(args), obj=session) as ctx:
            root.invoke(ctx)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    sys.stdout.flush()
    return 0


def _ended_by(error: BaseException, session: "Session") -> int:
    """Print the error in one line, and return the exit code."""
    import click  # noqa: PLC0415

    from .commands._streams import CLOSED, flushed  # noqa: PLC0415
    from .display import note  # noqa: PLC0415

    if session.debug and not isinstance(error, (SystemExit, click.ClickException)):
        import traceback  # noqa: PLC0415

        traceback.print_exception(error)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    lost = flushed(sys.stdout)
    if lost is not None and isinstance(error, OSError):
        if lost.errno != errno.EPIPE:  # the reader of a pipe may have had enough
            why = CLOSED if lost.errno == errno.EBADF else f"standard output: {lost.strerror}"
            note(f"Error: {why}{_saved(session)}")
        return 1
    if session.signal is not None or isinstance(error, (KeyboardInterrupt, click.Abort)):
        # Compiled code turns an interruption into errors of its own, so that the signal is what counts.
        said = error.format_message() if isinstance(error, click.ClickException) else ""
        note(said or f"Interrupted: {session.interrupted}")
        return session.exit_code
    if isinstance(error, click.ClickException):
        note(_usage(error))
        return error.exit_code
    note(f"Error: {_one_line(_explained(error))}")
    return 1


def _saved(session: "Session") -> str:
    """Return what is true although the command failed at the end, as the end of a sentence."""
    return "" if session.interrupted == session.NOTHING else f" ({session.interrupted})"


def _usage(error: "click.ClickException") -> str:
    import click  # noqa: PLC0415

    message = _one_line(error.format_message())
    if not isinstance(error, click.UsageError):
        return message
    context = error.ctx
    return f"Error: {message}" + (f" (see {context.command_path} --help)" if context is not None else "")


def _explained(error: BaseException) -> str:
    from recsys_ae.errors import RecsysError  # noqa: PLC0415

    from .commands._memory_errors import explained, is_out_of_memory  # noqa: PLC0415

    if isinstance(error, RecsysError):
        return str(error)
    if is_out_of_memory(error):
        return explained(error, ())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}; run it again with `recsys-ae --debug ...` and report the traceback"


def _one_line(text: str) -> str:
    from recsys_ae.errors import printable  # noqa: PLC0415

    return printable(" ".join(text.split()))
