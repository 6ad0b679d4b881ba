"""Copied processes that run a command and announce each change of a file."""

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from reliability.place import Moment, Place

CHANGES = {"open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate"}
"""Audit events of Python that change files."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
BEGUN, CHANGED, SENT = b"b", b"c", b"s"


def be_the_command(
    place: Place,
    arguments: Sequence[str],
    moment: Moment | None,
    told: int,
    functions: tuple[Callable[[], None] | None, Callable[[], int | None] | None],
    modules: Path | None,
) -> None:
    """Run the command, or a function instead, and end the process."""
    signals = {signal.SIGINT, signal.SIGTERM}
    code = 70
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        os.setsid()
        os.environ.clear()
        os.environ.update(place.environment())
        tempfile.tempdir = None
        os.chdir(place.work)
        _redirect(place)
        main = _command()
        sys.argv = ["recsys-ae", *arguments]
        sys.modules["__main__"] = import_module(main.__module__)  # spawned workers import it
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        prepare, instead = functions
        if prepare is not None:
            prepare()
        sys.addaudithook(_Hook(told, moment))
        os.write(told, BEGUN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        code = main() if instead is None else instead() or 0
        if modules is not None:
            modules.write_text("\n".join(sorted(sys.modules)), encoding="utf-8")
    except KeyboardInterrupt:
        code = 71
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _redirect(place: Place) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = (os.open(os.devnull, os.O_RDONLY), os.open(place.root / "out", flags), os.open(place.root / "err", flags))
    for number, descriptor in enumerate(files):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  they stay open
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115


@dataclass
class _Hook:
    """Audit hook that announces each change of a file, and sends the signal if that is the moment."""

    told: int
    moment: Moment | None
    pid: int = field(default_factory=os.getpid)
    changes: int = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or (event == "open" and not _is_written(*arguments)) or os.getpid() != self.pid:
            return
        self.changes += 1
        moment = self.moment
        with suppress(BrokenPipeError):
            if moment is not None and moment.change == self.changes and moment.seconds is None:
                os.write(self.told, SENT)
                os.kill(self.pid, moment.number)
            else:
                os.write(self.told, CHANGED)


def _is_written(path: Any, _: Any, flags: int) -> bool:
    return not isinstance(path, int) and not str(path).startswith(("/dev/", "/proc/")) and bool(flags & _WRITING)


def _command() -> Callable[[], int]:
    """Return the main function of the installed command."""
    (script,) = entry_points(group="console_scripts", name="recsys-ae")
    main: Callable[[], int] = script.load()
    return main
