"""Commands in processes of their own, which get a signal at a chosen moment."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from reliability.copied import be_the_command
from reliability.place import MARK, Moment, Place
from reliability.watch import Watch

LAST = 40.0
"""Seconds after which a process that outlives its parent counts as left; an MLflow client may still be importing."""


@dataclass(frozen=True)
class Ended:
    """End of a command.

    Attributes
    ----------
    code
        Exit code; minus the number of the signal that ended the process.
    seconds
        Duration from the beginning of the command, or from the start of the process.
    answered
        Seconds from the signal to the end; None if the process had ended before.
    changes
        Number of changes of files.
    left
        Command lines of the processes that outlived the command.
    """

    code: int
    out: str
    err: str
    seconds: float
    answered: float | None
    changes: int
    left: list[str]


def forked(
    place: Place,
    arguments: Sequence[str],
    moment: Moment | None = None,
    *,
    prepare: Callable[[], None] | None = None,
    instead: Callable[[], int | None] | None = None,
    modules: Path | None = None,
) -> Ended:
    """Run the command in a copy of this process, so that nothing has to be imported.

    Parameters
    ----------
    prepare
        Function that the copy calls before the command.
    instead
        Function that the copy calls instead of the command.
    modules
        File to which the copy writes the names of all imported modules.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        be_the_command(place, arguments, moment, writing, (prepare, instead), modules)
    os.close(writing)
    try:
        return _watched(place, pid, moment, reading)
    finally:
        os.close(reading)


def installed(
    place: Place, arguments: Sequence[str], moment: Moment | None = None, *, settings: Mapping[str, str] | None = None
) -> Ended:
    """Run the installed command; ``settings`` are further variables of its environment."""
    program = shutil.which("recsys-ae", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program is not None, "recsys-ae is not installed"
    with (place.root / "out").open("wb") as out, (place.root / "err").open("wb") as err:
        process = subprocess.Popen(
            [program, *arguments], cwd=place.work, env={**place.environment(), **(settings or {})},
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
        )  # fmt: skip
    process.returncode = 0  # it is waited for below
    return _watched(place, process.pid, moment, None)


def preload(modules: Path) -> None:
    """Import the modules that a command has imported, so that forked commands need not do it."""
    for name in modules.read_text(encoding="utf-8").split():
        with suppress(Exception):  # some names are of modules that others have made
            import_module(name)


def _watched(place: Place, pid: int, moment: Moment | None, told: int | None) -> Ended:
    watch = Watch(pid, moment, told)
    code = watch.wait()
    end = time.monotonic()
    texts = [(place.root / name).read_text(encoding="utf-8", errors="replace") for name in ("out", "err")]
    answered = None if watch.sent is None else end - watch.sent
    return Ended(code, *texts, end - watch.started, answered, watch.changes, _left(pid, place))


def _left(session: int, place: Place) -> list[str]:
    """Return the command lines of processes of the trial that do not end by themselves; they are killed."""
    end = time.monotonic() + LAST
    while (pids := _processes(session, place)) and time.monotonic() < end:
        time.sleep(0.02)
    lines = []
    for pid in pids:
        with suppress(OSError):
            lines.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            os.kill(pid, signal.SIGKILL)
    return lines


def _processes(session: int, place: Place) -> list[int]:
    mark, found = f"{MARK}={place.root}".encode(), []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with suppress(OSError):
            fields = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z" and (
                int(fields[3]) == session or mark in (folder / "environ").read_bytes().split(b"\0")
            ):
                found.append(int(folder.name))
    return found
