"""Processes that are killed, or wait, in the middle of a write."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEGIN = "import os, signal, sys, time\nfrom pathlib import Path\nfrom recsys_ae.storage import atomic, leftovers\n"
IN_TWO_STEPS = "atomic.exchange = lambda *_: False\n"
KILL = "os.kill(os.getpid(), signal.SIGKILL)\n"
WAIT = "print('now', flush=True)\ntime.sleep(60)\n"
BETWEEN_THE_STEPS = (
    f"{IN_TWO_STEPS}genuine = Path.rename\n"
    "def rename(path, target):\n"
    "    if path.name.endswith('.partial'):\n"
    "        {then}\n"
    "    return genuine(path, target)\n"
    "Path.rename = rename\n"
)


def run_killed(script: str, *arguments: Path) -> None:
    """Run a script that kills itself."""
    process = subprocess.run(_command(script, arguments), env=_environment(), capture_output=True, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()


@contextmanager
def waiting(script: str, *arguments: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a script until it prints a line, and stop it at the end."""
    with subprocess.Popen(_command(script, arguments), env=_environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        try:
            yield process
        finally:
            process.kill()


def _command(script: str, arguments: tuple[Path, ...]) -> list[str]:
    return [sys.executable, "-c", BEGIN + script, *map(str, arguments)]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
