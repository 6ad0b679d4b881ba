"""The protocol of trackers, and the tracker that writes nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self


class Tracker(Protocol):
    """What a run reports to: a context that is one run.

    A fit calls `parameters` and `metrics`; the command line and studies use the rest as well.
    """

    @property
    def run_id(self) -> str | None:
        """The run's id in the store; None without a store, or before the store has given one."""
        ...

    @property
    def uri(self) -> str:
        """The address of the store; empty without one."""
        ...

    @property
    def failures(self) -> Sequence[str]:
        """What was not delivered and why, one line each."""
        ...

    def __enter__(self) -> Self:
        """Start the run."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run as finished, failed or killed."""

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Write what was chosen."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Write numbers, of one epoch or of the whole run."""

    def artefact(self, path: Path) -> None:
        """Keep a file or a folder."""

    def picture(self, history: Sequence[Mapping[str, float]], *, best: tuple[int, str] | None = None) -> None:
        """Draw and keep the loss curve of a fit; ``best`` is the epoch that was kept, from 1, and its monitor."""

    def child(
        self,
        run_name: str,
        *,
        parameters: Mapping[str, Any],
        history: Sequence[Mapping[str, float]] = (),
        metrics: Mapping[str, float],
    ) -> None:
        """Write a run of its own within this one, at once and ended."""


class NoTracker:
    """Writes nothing."""

    run_id: str | None = None
    uri: str = ""
    failures: Sequence[str] = ()

    def __enter__(self) -> Self:
        """Start nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End nothing."""

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Drop what was chosen."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Drop the numbers."""

    def artefact(self, path: Path) -> None:
        """Drop the file."""

    def picture(self, history: Sequence[Mapping[str, float]], *, best: tuple[int, str] | None = None) -> None:
        """Draw nothing."""

    def child(
        self,
        run_name: str,
        *,
        parameters: Mapping[str, Any],
        history: Sequence[Mapping[str, float]] = (),
        metrics: Mapping[str, float],
    ) -> None:
        """Drop the run."""
