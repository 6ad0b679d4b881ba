"""Program of the MLflow client process: requests on stdin and answers on stdout, as lines of JSON."""

import contextlib
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from recsys_ae.errors import ConfigError
from recsys_ae.tracking.mlflow_run import StoredRun

Request: TypeAlias = dict[str, Any]
Say: TypeAlias = Callable[[dict[str, Any]], None]

LONGEST_LINE = 1000
"""Length of a failure. Errors of MLflow have up to 700 characters and end with the way out."""
MOST_MEMORY = 8 * 2**30
"""Largest data segment of the process in bytes: a server that never ends an answer cannot fill the memory."""
ORPHAN_SECONDS = 30.0
"""Longest life after the training process has ended, or has left this process alone."""
RETRY_SECONDS = 60.0
"""Pause after a store did not answer; it is skipped at the end of the run."""


class Delivery:
    """Queue of requests: carries them out in order, and keeps them while the store does not answer."""

    _UPLOADS = ("artefact", "text", "loss_curve", "model")

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
            importlib.import_module("mlflow.tracking")
            self._say({"imported": True})
            self._run = StoredRun(**request)
            self._say({"run": {"run_id": self._run.id, "experiment_id": self._run.experiment_id}})
        else:
            getattr(self._run, do)(**request)

    def _failed(self, request: Request, error: Exception) -> None:
        do = request["do"]
        subject = {"start": "the run", "artefact": f"artefact {Path(request.get('path', '')).name}"}.get(do, do)
        if (
            isinstance(error, ConfigError) and do != "start"
        ):  # the same line for all artefacts, so that it is reported once
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
    """Return an error as one line; the middle of a very long one is cut out, because its end says what to do."""
    text = " ".join(str(error).split()) or type(error).__name__
    half = LONGEST_LINE // 2
    return text if len(text) <= LONGEST_LINE else f"{text[: half - 1]}…{text[-half:]}"


def main() -> None:
    """Carry out requests until stdin closes; if that is before the end of the run, the training was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of MLflow goes to stderr, not among the answers
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    # Read ahead, so that the training never waits for room in the pipe.
    serving = threading.Thread(target=_serve, args=(requests, answers), daemon=True)
    serving.start()
    for line in sys.stdin.buffer:
        requests.put(json.loads(line))
    requests.put({"do": "finish", "status": "KILLED", "time": round(time.time() * 1000)})
    serving.join(ORPHAN_SECONDS)
    if serving.is_alive():
        os._exit(1)


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415
    except ImportError:  # Windows has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = MOST_MEMORY if most == resource.RLIM_INFINITY else min(MOST_MEMORY, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


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
