"""Program of the MLflow client process: requests on stdin and answers on stdout, as lines of JSON."""

import contextlib
import json
import os
import queue
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from recsys_ae.errors import ConfigError
from recsys_ae.tracking.loss_curve import loss_curve
from recsys_ae.tracking.mlflow_names import shortened
from recsys_ae.tracking.mlflow_stores import check_artefacts

Request: TypeAlias = dict[str, Any]
Say: TypeAlias = Callable[[dict[str, Any]], None]

MOST_AT_ONCE = 1000
"""Maximum number of metrics in one request."""
RETRY_SECONDS = 60.0
"""Pause after a store did not answer; it is skipped at the end of the run."""


class StoredRun:
    """Run in an MLflow store, new or existing.

    Artefacts are written only inside ``folders`` (see `check_artefacts`).
    """

    def __init__(
        self,
        *,
        uri: str,
        folders: list[str] | None,
        experiment: str,
        run_name: str | None,
        run_id: str | None,
        time: int,
    ) -> None:
        import mlflow  # noqa: PLC0415
        from mlflow import MlflowClient  # noqa: PLC0415

        mlflow.set_tracking_uri(uri)  # address for servers that store the artefacts themselves
        self.client: Any = MlflowClient(tracking_uri=uri)
        self.resumed = run_id is not None
        if run_id is None:
            run = self.client.create_run(self._experiment(experiment), start_time=time, run_name=run_name)
        else:
            run = self.client.get_run(run_id)
        self.id: str = run.info.run_id
        self.experiment_id: str = run.info.experiment_id
        self._place, self._folders = run.info.artifact_uri, folders
        self.children: dict[tuple[str, int], str] = {}

    def _experiment(self, name: str) -> str:
        experiment = self.client.get_experiment_by_name(name)
        return str(experiment.experiment_id if experiment else self.client.create_experiment(name))

    def parameters(self, values: Mapping[str, str]) -> None:
        """Write parameters."""
        from mlflow.entities import Param  # noqa: PLC0415

        self.client.log_batch(self.id, params=[Param(name, value) for name, value in values.items()])

    def metrics(self, values: Mapping[str, float], tags: Mapping[str, str], step: int, time: int) -> None:
        """Write the metrics of an epoch; a repeated request changes nothing, because it has the same time."""
        from mlflow.entities import Metric, RunTag  # noqa: PLC0415

        numbers = [Metric(name, value, time, step) for name, value in values.items()]
        self.client.log_batch(self.id, metrics=numbers, tags=[RunTag(name, text) for name, text in tags.items()])

    def child(
        self, run_name: str, parameters: Mapping[str, str], epochs: Sequence[Mapping[str, float]], time: int
    ) -> None:
        """Write a finished child run; the last of ``epochs`` also holds its final metrics."""
        from mlflow.entities import Metric, Param  # noqa: PLC0415

        key = (run_name, time)
        if key not in self.children:  # a repeated request creates no second run
            tags = {"mlflow.parentRunId": self.id}
            run = self.client.create_run(self.experiment_id, start_time=time, run_name=run_name, tags=tags)
            self.children[key] = run.info.run_id
        child = self.children[key]
        numbers = [
            Metric(name, value, time, step) for step, epoch in enumerate(epochs, 1) for name, value in epoch.items()
        ]
        self.client.log_batch(child, params=[Param(name, text) for name, text in parameters.items()])
        for start in range(0, len(numbers), MOST_AT_ONCE):
            self.client.log_batch(child, metrics=numbers[start : start + MOST_AT_ONCE])
        self.client.set_terminated(child, "FINISHED", time)

    def artefact(self, path: str) -> None:
        """Save a file, or a folder under its name."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository  # noqa: PLC0415

        if not Path(path).exists():
            raise FileNotFoundError(f"{path} does not exist")
        # The client would ask the store for the address again, and might get another one.
        check_artefacts(self._place, self._folders, Path(path).name)
        repository: Any = get_artifact_repository(self._place)
        if Path(path).is_dir():
            repository.log_artifacts(path, Path(path).name)
        else:
            repository.log_artifact(path)

    def text(self, text: str, file: str) -> None:
        """Save a text as a file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file
            path.write_text(text, encoding="utf-8")
            self.artefact(str(path))

    def loss_curve(self, history: Sequence[Mapping[str, float]], best: tuple[int, str] | None) -> None:
        """Draw the loss curve and save it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "loss_curve.png"
            loss_curve(history, path, best=best)
            self.artefact(str(path))

    def finish(self, status: str, time: int) -> None:
        """End a new run; an existing run keeps its status."""
        if not self.resumed:
            self.client.set_terminated(self.id, status, time)


class Delivery:
    """Queue of requests: carries them out in order, and keeps them while the store does not answer."""

    _UPLOADS = ("artefact", "text", "loss_curve")

    def __init__(self, say: Say) -> None:
        self._say = say
        self._run: StoredRun | None = None
        self._place = ""
        self._waiting: deque[Request] = deque()
        self._uploads: list[Request] = []
        self._rest_until = -1.0
        self._put_off = self._refused = False

    def take(self, request: Request) -> None:
        """Carry out a request, now or later."""
        self._place = request.get("uri", self._place)
        self._waiting.append(request)
        if request["do"] == "finish":
            self._finish()
        elif time.monotonic() >= self._rest_until:
            self._deliver()

    def _finish(self) -> None:
        self._waiting.extend(self._uploads)
        self._uploads = []
        self._deliver()
        missing = len(self._waiting) + len(self._uploads)
        if missing:
            self._say({"failure": f"{missing} reports of the run were not delivered to {self._place}"})
        elif self._put_off and not self._refused:
            self._say({"failure": f"resolved: all delayed reports were delivered to {self._place}"})

    def _deliver(self) -> None:
        self._rest_until = -1.0
        while self._waiting and not self._refused:
            request = self._waiting.popleft()
            try:
                self._carry_out(**request)
            except Exception as error:  # no failure here may stop the training
                self._failed(request, error)
                if time.monotonic() < self._rest_until:
                    return
        if self._refused:
            self._waiting.clear()

    def _carry_out(self, do: str, **request: Any) -> None:
        if do == "start":
            self._run = StoredRun(**request)
            self._say({"run": {"run_id": self._run.id, "experiment_id": self._run.experiment_id}})
        else:
            getattr(self._run, do)(**request)

    def _failed(self, request: Request, error: Exception) -> None:
        do = request["do"]
        subject = {"start": "the run", "artefact": f"artefact {Path(request.get('path', '')).name}"}.get(do, do)
        if isinstance(error, ConfigError):  # the same line for all artefacts, so that it is reported once
            subject = "artefacts"
        if not passing(error):
            self._say({"failure": f"{subject} not written to {self._place}: {one_line(error)}"})
            self._refused = do == "start"
            return
        self._put_off = True
        self._say({"failure": f"{subject} not delivered to {self._place}: {one_line(root(error))}"})
        if do in self._UPLOADS:  # files may have another server than numbers, so numbers do not wait for them
            self._uploads.append(request)
        else:
            self._waiting.appendleft(request)
            self._rest_until = time.monotonic() + RETRY_SECONDS


def passing(error: Exception) -> bool:
    """Return True if the same request may succeed later, because the store did not answer or had an internal error."""
    response = getattr(error, "response", None)
    if response is not None:
        status = int(response.status_code)
    elif hasattr(error, "get_http_status_code"):
        status = int(error.get_http_status_code())
    elif type(error).__module__.startswith("sqlalchemy"):
        return True
    else:
        lasting = FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError
        return isinstance(error, OSError) and not isinstance(error, lasting)
    return status >= 500 or status in (408, 429)


def root(error: BaseException) -> BaseException:
    """Return the error at the start of a chain of causes."""
    while (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        error = cause
    return error


def one_line(error: BaseException) -> str:
    """Return an error as one line of text."""
    return shortened(" ".join(str(error).split()) or type(error).__name__, 300)


def main() -> None:
    """Carry out requests until stdin closes; if that is before the end of the run, the training was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of MLflow goes to stderr, not among the answers
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    # Read ahead, so that the training never waits for room in the pipe.
    threading.Thread(target=_serve, args=(requests, answers)).start()
    for line in sys.stdin.buffer:
        requests.put(json.loads(line))
    requests.put({"do": "finish", "status": "KILLED", "time": round(time.time() * 1000)})


def _serve(requests: "queue.SimpleQueue[Request]", answers: TextIO) -> None:
    def say(answer: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the training may have ended; the store still gets the requests
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

    delivery = Delivery(say)
    is_finished = False
    while not is_finished:
        request = requests.get()
        is_finished = request["do"] == "finish"
        delivery.take(request)
        say({"answered": 1})
