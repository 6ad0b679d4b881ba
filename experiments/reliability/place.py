"""Folders of a command, and the moment at which it gets a signal."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

MARK = "RECSYS_AE_RELIABILITY"
"""Environment variable that all processes of a trial have."""


@dataclass(frozen=True)
class Place:
    """Folders that a command may write to: its own, its home, and that of temporary files."""

    root: Path

    @property
    def work(self) -> Path:
        """Folder in which the command runs."""
        return self.root / "work"

    def make(self) -> "Place":
        """Make the folders that are missing."""
        for name in ("work", "home", "tmp"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        return self

    def environment(self) -> dict[str, str]:
        """Return the environment of the command."""
        private = ("RECSYS_AE_", "MLFLOW_", "XDG_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(private)}
        own = {"HOME": str(self.root / "home"), "TMPDIR": str(self.root / "tmp"), MARK: str(self.root)}
        return {**kept, **own, "NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1", "GIT_PYTHON_REFRESH": "quiet"}


@dataclass(frozen=True)
class Moment:
    """A signal, and when it is sent: some seconds after the start, or at one of the changes of files.

    With ``change`` the process gets the signal just before that change, or ``seconds`` after its announcement.
    """

    number: signal.Signals
    seconds: float | None
    change: int | None = None
