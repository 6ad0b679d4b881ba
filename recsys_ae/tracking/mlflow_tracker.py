"""A run in MLflow that cannot harm the training it follows."""

import importlib.util
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from recsys_ae.errors import MissingPackageError
from recsys_ae.tracking import mlflow_names as names
from recsys_ae.tracking import mlflow_stores as stores
from recsys_ae.tracking.mlflow_process import MLflowProcess
from recsys_ae.tracking.mlflow_stores import redacted

START_SECONDS = 30.0


class MLflowTracker:
    """A context that is one run in MLflow; nothing that goes wrong there gets out of it, or holds the training up.

    MLflow is used in a process of its own. Reports are handed to it without waiting; while the store does not answer
    they are kept there, tried again once a minute and once more at the end. The process's environment is the caller's
    with telemetry off and, unless the caller has set them, short time limits on HTTP; the caller's is not touched, nor
    is its use of MLflow.

    Parameters
    ----------
    experiment, run_name
        Where the run belongs; MLflow makes up a name if there is none.
    run_id
        A run to take up again, to add a report to it; it keeps its status.
    uri
        The store; else what the environment variable MLFLOW_TRACKING_URI says, else ``mlflow.db`` (SQLite) in the
        working directory. For a database MLflow puts artefacts into ``mlruns`` in the working directory, with the
        absolute path written into the experiment when it is made; a server decides itself, but nothing is written
        into a folder of this computer for it.
    contained
        Write artefacts of a store in a file only into ``mlruns`` next to it or in the working directory, even if its
        database names another place, as one that somebody else made may do. None: if neither ``uri`` nor the
        environment names the store.
    patience
        Seconds to wait, for an artefact and at the end, until everything is delivered.

    Attributes
    ----------
    failures
        What was not delivered and why, one line each; at the end also how many reports are missing, or that all of
        them were made up for.

    Raises
    ------
    MissingPackageError
        If MLflow is not installed; on construction, nothing is raised later.
    """

    def __init__(
        self,
        *,
        experiment: str = "recsys_ae",
        run_name: str | None = None,
        run_id: str | None = None,
        uri: str | None = None,
        contained: bool | None = None,
        patience: float = 120.0,
    ) -> None:
        if importlib.util.find_spec("mlflow") is None:
            raise MissingPackageError("tracking a run needs the package mlflow; install it or run without tracking")
        self.uri = stores.absolute(uri) if uri else stores.own_store()
        if contained is None:
            contained = not (uri or os.environ.get(stores.SETTING))
        self.patience = patience
        self.failures: list[str] = []
        self._start = {
            "uri": self.uri,
            "folders": stores.artefact_folders(self.uri, contained=contained),
            "experiment": experiment,
            "run_name": run_name,
            "run_id": run_id,
        }
        self._process: MLflowProcess | None = None
        self._run: dict[str, str] = {}

    @property
    def run_id(self) -> str | None:
        """The run's id in the store; None as long as the store has not given one."""
        return self._run.get("run_id")

    @property
    def location(self) -> str:
        """Where to look at the run: the page of a server, else the store."""
        place = redacted(self.uri)
        if place.startswith(("http://", "https://")) and self._run:
            return f"{place.rstrip('/')}/#/experiments/{self._run['experiment_id']}/runs/{self._run['run_id']}"
        return place

    def __enter__(self) -> Self:
        """Start the run; a store that is slow to answer is not waited for."""
        try:
            self._process = MLflowProcess(self.failures)
        except OSError as error:
            self.failures.append(f"the MLflow client process could not be started: {error}")
            return self
        self._run = self._process.run
        try:
            self._ask("start", wait=START_SECONDS, **self._start, time=_now())
        except BaseException:
            self._finish("KILLED")
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run as finished, failed or killed, and wait until everything is delivered."""
        if kind is None:
            self._finish("FINISHED")
        else:
            self._finish("KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED")

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Write what was chosen, nested names joined by dots; a value too long for MLflow is cut there.

        All values are then also kept in full, in the artefact ``parameters.json``.
        """
        texts = {names.name(key): names.written(value) for key, value in names.flat(values)}
        self._ask("parameters", values={key: names.shortened(text) for key, text in texts.items()})
        if any(len(text) > names.LONGEST_PARAMETER for text in texts.values()):
            self._ask("text", text=names.written(dict(names.flat(values))), file="parameters.json")

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Write numbers, of one epoch or of the whole run, with ``@`` as ``_at_``.

        A number that is not finite becomes the tag ``not_finite.<name>``, since stores turn it into another number.
        """
        numbers = {names.name(key): float(value) for key, value in values.items()}
        finite = {key: value for key, value in numbers.items() if math.isfinite(value)}
        when = "" if step is None else f" at step {step}"
        tags = {names.name(f"not_finite.{key}"): f"{numbers[key]}{when}" for key in numbers.keys() - finite.keys()}
        self._ask("metrics", values=finite, tags=tags, step=step or 0, time=_now())

    def artefact(self, path: Path) -> None:
        """Keep a file, or a folder under its name; wait until that is done, or put off because there is no answer."""
        self._ask("artefact", wait=self.patience, path=str(Path(path).absolute()))

    def picture(self, history: Sequence[Mapping[str, float]], *, best: tuple[int, str] | None = None) -> None:
        """Draw the loss curve of a fit and keep it as ``loss_curve.png``; of no epochs there is none."""
        if history:
            epochs = [{key: float(value) for key, value in epoch.items()} for epoch in history]
            self._ask("loss_curve", history=epochs, best=best)

    def child(
        self,
        run_name: str,
        *,
        parameters: Mapping[str, Any],
        history: Sequence[Mapping[str, float]] = (),
        metrics: Mapping[str, float],
    ) -> None:
        """Write a run of its own within this one, at once and ended: what was chosen, of each epoch, and at the end."""
        chosen = {names.name(key): names.shortened(names.written(value)) for key, value in names.flat(parameters)}
        epochs = [*({**epoch} for epoch in history), {}]
        epochs[-1] |= metrics
        numbers = [
            {names.name(key): float(value) for key, value in epoch.items() if math.isfinite(value)} for epoch in epochs
        ]
        self._ask("child", run_name=run_name, parameters=chosen, epochs=numbers, time=_now())

    def _ask(self, do: str, *, wait: float = 0.0, **request: Any) -> bool:
        if self._process is not None:
            return self._process.ask(do, wait=wait, **request)
        if not self.failures:
            self.failures.append(f"{do} was called outside of the run; use the tracker in a with statement")
        return True

    def _finish(self, status: str) -> None:
        if self._process is None:
            return
        try:
            if not self._ask("finish", wait=self.patience, status=status, time=_now()):
                self.failures.append(
                    f"gave up {self.patience:g} s after the end: {redacted(self.uri)} has not received all reports"
                )
        finally:
            self._process.close()
            self._process = None


def _now() -> int:
    """Return the time in milliseconds since 1970, as MLflow counts."""
    return round(time.time() * 1000)
