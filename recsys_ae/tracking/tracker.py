"""Tracker protocol, and a tracker that does nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self


class Tracker(Protocol):
    """Receiver of the reports of a run, and context manager of that run.

    A fit calls `parameters` and `metrics`; the command line and studies also call the other methods.
    """

    @property
    def run_id(self) -> str | None:
        """Id of the run, which is waited for; None without a store, or if it has assigned none."""
        ...

    @property
    def known_run_id(self) -> str | None:
        """Id of the run, without waiting; None without a store, or until the store has assigned one."""
        ...

    @property
    def uri(self) -> str:
        """Address of the store; empty without one."""
        ...

    @property
    def failures(self) -> Sequence[str]:
        """Undelivered reports and the reasons, one line each."""
        ...

    def __enter__(self) -> Self:
        """Start the run."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run as finished, failed or killed."""

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Write parameters."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Write metrics of an epoch (``step``) or of the run."""

    def artefact(self, path: Path) -> None:
        """Save a file or a folder with the run."""

    def dataset(self, name: str, digest: str, source: str, profile: Mapping[str, int]) -> None:
        """Write down the data of the run: a name, a fingerprint, where they are, and counts."""

    def model(self, described: Mapping[str, Any], name: str, registered_name: str | None = None) -> None:
        """Log a saved model as an MLflow model, and register it under a name."""

    def picture(self, history: Sequence[Mapping[str, float]], *, best: tuple[int, str] | None = None) -> None:
        """Save the loss curve of a fit; ``best`` is the selected epoch, counted from 1, and its monitor."""

    def child(
        self,
        run_name: str,
        *,
        parameters: Mapping[str, Any],
        history: Sequence[Mapping[str, float]] = (),
        metrics: Mapping[str, float],
    ) -> None:
        """Write a finished child run."""


class NoTracker:
    """Tracker that does nothing."""

    run_id: str | None = None
    known_run_id: str | None = None
    uri: str = ""
    failures: Sequence[str] = ()

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Do nothing."""

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Do nothing."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Do nothing."""

    def artefact(self, path: Path) -> None:
        """Do nothing."""

    def dataset(self, name: str, digest: str, source: str, profile: Mapping[str, int]) -> None:
        """Do nothing."""

    def model(self, described: Mapping[str, Any], name: str, registered_name: str | None = None) -> None:
        """Do nothing."""

    def picture(self, history: Sequence[Mapping[str, float]], *, best: tuple[int, str] | None = None) -> None:
        """Do nothing."""

    def child(
        self,
        run_name: str,
        *,
        parameters: Mapping[str, Any],
        history: Sequence[Mapping[str, float]] = (),
        metrics: Mapping[str, float],
    ) -> None:
        """Do nothing."""
