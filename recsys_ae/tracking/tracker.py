"""What every tracker can do, and the one that does nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Tracker(Protocol):
    """What a run reports to."""

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Write what was chosen."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Write numbers, of one epoch or of the whole run."""

    def artefact(self, path: Path) -> None:
        """Keep a file or a folder."""


class NoTracker:
    """Writes nothing."""

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Drop what was chosen."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Drop the numbers."""

    def artefact(self, path: Path) -> None:
        """Drop the file."""
