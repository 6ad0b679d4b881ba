"""MLflow tracker of a fit, whose failures neither stop nor delay the training."""

import importlib.util
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

SERVER_SECONDS = 12.0
LOCAL_SECONDS = 60.0
INTERRUPTED_SECONDS, FAILED_SECONDS = 1.0, 10.0


class MLflowTracker:
    """Context manager of one MLflow run. Its failures are collected, and neither raised nor waited for.

    MLflow runs in its own process, which receives reports without waiting. If the store does not answer, the process
    keeps the reports and tries again once a minute and at the end. All waiting for the store in a run, together, takes
    at most ``patience`` seconds; then tracking is given up with one failure. MLflow is imported while the training
    runs. That is work of this machine, not of the store, so it has a limit of its own: 20 seconds of waiting. The
    process has the caller's environment, with telemetry off and short HTTP time limits unless the caller has set them.
    The caller's environment and use of MLflow stay as they are.

    Parameters
    ----------
    experiment
        Name of the experiment. The default is the environment variable ``MLFLOW_EXPERIMENT_NAME`` or
        ``MLFLOW_EXPERIMENT_ID``, and without them ``recsys_ae``.
    run_name
        Name of the run; None lets MLflow choose it.
    run_id
        Id of an existing run to add reports to; the run keeps its status.
    goes_on
        The run of ``run_id`` was interrupted and goes on: it is running again, and ends as finished, failed or killed.
        A new run is made if the store does not have it.
    uri
        Address of the store. The default is the environment variable ``MLFLOW_TRACKING_URI``, and without it
        ``mlflow.db`` (SQLite) in the working directory. For a database, MLflow writes artefacts to ``mlruns`` in the
        working directory, and fixes that absolute path when it creates the experiment. A server chooses the address of
        artefacts, but nothing is written to a folder of this computer for it.
    contained
        Write the artefacts of a store in a file only to ``mlruns`` next to it or in the working directory, even if the
        database names another folder, as a database of somebody else may do. None is True if neither ``uri`` nor
        ``MLFLOW_TRACKING_URI`` names the store.
    patience
        Seconds that a run may wait for the store in all: for artefacts, for the id, and at the end. None is 12 for a
        server, and 60 for a store in a file, which is slow on a busy machine only.

    Attributes
    ----------
    failures
        Undelivered reports and the reasons, one line each. At the end also the number of missing reports, or a line
        that all delayed reports were delivered.

    Raises
    ------
    MissingPackageError
        If MLflow is not installed. It is raised on construction; later nothing is raised.
    """

    def __init__(
        self,
        *,
        experiment: str | None = None,
        run_name: str | None = None,
        run_id: str | None = None,
        goes_on: bool = False,
        uri: str | None = None,
        contained: bool | None = None,
        patience: float | None = None,
    ) -> None:
        if importlib.util.find_spec("mlflow") is None:
            raise MissingPackageError("tracking a run needs the package mlflow; install it or run without tracking")
        self.uri = stores.absolute(uri) if uri else stores.own_store()
        if contained is None:
            contained = not (uri or os.environ.get(stores.SETTING))
        default = SERVER_SECONDS if stores.local_path(self.uri) is None else LOCAL_SECONDS
        self.patience = default if patience is None else patience
        self.failures: list[str] = []
        self._start: dict[str, Any] = {
            "uri": self.uri,
            "folders": stores.artefact_folders(self.uri, contained=contained),
            "experiment": stores.experiment(experiment),
            "run_name": run_name and names.shortened(names.written(run_name), names.LONGEST_NAME),
            "run_id": run_id,
            "goes_on": goes_on,
        }
        self._process: MLflowProcess | None = None
        self._run: dict[str, str] = {}

    @property
    def run_id(self) -> str | None:
        """Id of the run, which is waited for; None if the store has assigned none."""
        if self._process is not None and not self._run:
            self._process.wait_for(1)
        return self.known_run_id

    @property
    def known_run_id(self) -> str | None:
        """Id of the run; None until the store has assigned one."""
        return self._run.get("run_id")

    @property
    def location(self) -> str:
        """Address of the run: its page on a server, or else the address of the store."""
        address = redacted(self.uri)
        if address.startswith(("http://", "https://")) and self.run_id is not None:
            return f"{address.rstrip('/')}/#/experiments/{self._run['experiment_id']}/runs/{self._run['run_id']}"
        return address

    def __enter__(self) -> Self:
        """Start the run, without waiting for the store."""
        try:
            self._process = MLflowProcess(self.failures, patience=self.patience, place=self.uri)
        except OSError as error:
            self.failures.append(f"the MLflow client process could not be started: {error}")
            return self
        self._run = self._process.run
        self._ask("start", **self._start, time=_now())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run as finished, failed or killed.

        Wait until everything is delivered; after an error for a moment only, and then the process goes on alone.
        """
        if self._process is None:
            return
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        status = "FINISHED" if kind is None else "KILLED" if interrupted else "FAILED"
        try:
            self._ask("finish", wait=kind is None, status=status, time=_now())
        finally:
            if kind is None:
                self._process.close()
            else:
                self._process.close(wait=INTERRUPTED_SECONDS if interrupted else FAILED_SECONDS, leave=True)
            self._process = None

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Write parameters, with nested names joined by dots.

        If a value is too long for MLflow, it is cut, and all values are also saved in the artefact ``parameters.json``.
        """
        texts = {key: names.written(value) for key, value in names.flat(values)}
        self._ask("parameters", values={key: names.shortened(text) for key, text in texts.items()})
        if any(len(text) > names.LONGEST_PARAMETER for text in texts.values()):
            self._ask("text", text=names.written(dict(names.flat(values))), file="parameters.json")

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Write metrics of an epoch (``step``) or of the run; ``@`` becomes ``_at_``.

        A number that is not finite becomes the tag ``not_finite.<name>``, because stores change it to another number.
        """
        self._ask("metrics", values={key: float(value) for key, value in values.items()}, step=step, time=_now())

    def artefact(self, path: Path) -> None:
        """Save a file or folder with the run; wait until it is delivered, or queued if the store does not answer."""
        self._ask("artefact", wait=True, path=str(Path(path).absolute()))

    def dataset(self, name: str, digest: str, source: str, profile: Mapping[str, int]) -> None:
        """Write down the data of the run: a name, a fingerprint, where they are, and counts."""
        self._ask("dataset", name=name, digest=digest, source=redacted(source), profile=dict(profile))

    def model(self, described: Mapping[str, Any], name: str, registered_name: str | None = None) -> None:
        """Log a saved model as an MLflow model, and register it under ``registered_name``; wait as for an artefact.

        Parameters
        ----------
        described
            Description by `recsys_ae.serving.pyfunc.described`.
        name
            Name of the model in the run.
        """
        self._ask("model", wait=True, described=dict(described), name=name, registered_name=registered_name)

    def picture(self, history: Sequence[Mapping[str, float]], *, best: tuple[int, str] | None = None) -> None:
        """Save the loss curve of a fit as ``loss_curve.png``; without epochs do nothing."""
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
        """Write a finished child run with its parameters, its epochs, and its final metrics."""
        chosen = {key: names.shortened(names.written(value)) for key, value in names.flat(parameters)}
        epochs = [{key: float(value) for key, value in epoch.items()} for epoch in (*history, metrics)]
        self._ask("child", run_name=run_name, parameters=chosen, epochs=epochs, time=_now())

    def _ask(self, do: str, *, wait: bool = False, **request: Any) -> None:
        if self._process is not None:
            self._process.ask(do, wait=wait, **request)
        elif not self.failures:
            self.failures.append(f"{do} was called outside of the run; use the tracker in a with statement")


def _now() -> int:
    """Return the time in milliseconds since 1970, the unit of MLflow."""
    return round(time.time() * 1000)
