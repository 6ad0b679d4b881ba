"""Settings of checkpoints: where they are written, and how often."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recsys_ae.errors import Argument, ConfigError


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where and how often a fit writes its state, from which the same fit goes on after an interruption.

    Attributes
    ----------
    path
        Folder of the checkpoint, such as ``models/mine.checkpoint``. Each newer checkpoint replaces it. It is removed
        when the model is saved.
    minutes
        Time between two checkpoints. It is longer if a checkpoint is so large that writing would cost more than 2 % of
        the time. 0 writes one only when the fit is interrupted.
    restart
        Begin anew, and discard a checkpoint that is there.
    report
        Receiver of one sentence when the fit goes on from a checkpoint, and when one could not be written. By default
        the latter is a warning.
    """

    path: Path | str
    minutes: float = 5.0
    restart: bool = False
    report: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.minutes) and self.minutes >= 0):
            raise ConfigError(Argument("minutes", self.minutes), " must be a number of minutes, at least 0")

    @classmethod
    def of(cls, given: "Checkpoint | Path | str") -> "Checkpoint":
        """Return the settings for a folder, or the given settings."""
        return given if isinstance(given, Checkpoint) else cls(path=given)

    @property
    def folder(self) -> Path:
        """Folder of the checkpoint."""
        return Path(self.path)
