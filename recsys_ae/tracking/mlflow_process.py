"""Client process of MLflow: start, requests, answers and end, as the training process sees them."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from recsys_ae.tracking.mlflow_stores import redacted

# The caller's own settings take precedence. With MLflow's defaults one request can take 20 minutes: 8 attempts of 120 s
# and the pauses between them. A request that fails here is tried again later.
HTTP_LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds without an answer
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
CLOSING_SECONDS = 3.0
IMPORT_SECONDS = 20.0
"""Longest time, in all, that a fit waits until MLflow is imported, which is the work of this machine."""
NO_TELEMETRY = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

# The client process has the import path of this process.
_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from recsys_ae.tracking.mlflow_worker import main
main()
"""


class MLflowProcess:
    """MLflow client in its own process: the training neither imports MLflow nor waits for it nor shares its settings.

    The process has its own session, so that Ctrl-C in a terminal does not reach it. If the training process dies, it
    ends the run as killed and exits. If the process itself is killed, another one ends the run as killed.

    Parameters
    ----------
    failures
        List to which failures are added, one line each.
    patience
        Seconds that all waiting for the store may take together. They begin when MLflow is imported; until then the
        limit is `IMPORT_SECONDS`. When they are used up, the process is killed, and requests do nothing.
    place
        Address of the store, for the message about that.
    """

    def __init__(self, failures: list[str], *, patience: float, place: str) -> None:
        self.run: dict[str, str] = {}
        self._failures, self._place = failures, redacted(place)
        self._patience = self._left = patience
        self._import_left = IMPORT_SECONDS
        self._sent = self._answered = 0
        self._imported = self._ended = self._given_up = False
        self._first: dict[str, Any] = {}
        self._changed = threading.Condition()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        try:
            self._process = _start(self._errors)
        except OSError:
            self._errors.close()
            raise
        self._sender = threading.Thread(target=self._send, name="recsys-ae-mlflow-requests", daemon=True)
        self._listener = threading.Thread(target=self._listen, name="recsys-ae-mlflow", daemon=True)
        self._sender.start()
        self._listener.start()

    def ask(self, do: str, *, wait: bool = False, **request: Any) -> None:
        """Send a request; with ``wait`` return when it was carried out, or queued for later, or has taken too long."""
        request = {"do": do, **request}
        self._first = self._first or request
        self._sent += 1
        self._outbox.put((json.dumps(request) + "\n").encode())
        if wait:
            self.wait_for(self._sent)

    def wait_for(self, number: int) -> None:
        """Wait until a number of requests is answered; give up if there is no patience left."""
        with self._changed:
            self._import_left -= self._waited(lambda: self._imported, self._import_left)
            if self._imported:
                self._left -= self._waited(lambda: self._answered >= number, self._left)
            is_answered = self._ended or self._answered >= number
        if not is_answered:
            self._give_up()

    def close(self, *, wait: float = CLOSING_SECONDS, leave: bool = False) -> None:
        """End the process: at once if it is busy, else after it has closed its files.

        With ``leave`` a process that has not ended after ``wait`` seconds goes on alone. It ends itself after a while.
        """
        busy = self._answered < self._sent
        self._outbox.put(None)
        self._sender.join(wait if leave else 0.0)
        self._listener.join(0.0 if busy and not leave else wait)
        if self._listener.is_alive():
            self._given_up = True
            if not leave:
                self._process.kill()
                self._listener.join()
        self._errors.close()

    def _waited(self, condition: Callable[[], bool], seconds: float) -> float:
        """Wait for a condition; return the seconds that it took."""
        started = time.monotonic()
        self._changed.wait_for(lambda: self._ended or condition(), max(seconds, 0.0))
        return time.monotonic() - started

    def _give_up(self) -> None:
        """Kill the process, because the fit has waited long enough."""
        if self._given_up:
            return
        self._given_up = True
        why = "the store has not received all reports" if self._imported else "MLflow could not be imported in time"
        seconds = self._patience if self._imported else IMPORT_SECONDS
        self._fail(f"tracking was given up after {seconds:g} s of waiting for {self._place}: {why}")
        self._process.kill()

    def _send(self) -> None:
        """Write the requests; a process that does not read them holds up this thread alone."""
        with contextlib.suppress(OSError), self._process.stdin as requests:  # type: ignore[union-attr]  # it is a pipe
            while (line := self._outbox.get()) is not None:
                requests.write(line)
                requests.flush()

    def _listen(self) -> None:
        with self._process.stdout as answers:  # type: ignore[union-attr]  # it is a pipe
            for line in answers:
                self._heard(json.loads(line))
        code = self._process.wait()
        is_lost = code != 0 and not self._given_up
        if is_lost:
            words = self._last_words() if code > 0 else "no error message"  # a signal comes without words
            self._fail(f"the MLflow client process ended with exit code {code}: {words}")
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if is_lost and self.run:
            self._fail("tracking ended there, and the run is marked as killed")
            _end_run({**self._first, "run_id": self.run["run_id"], "goes_on": True})

    def _heard(self, answer: dict[str, Any]) -> None:
        with self._changed:
            self.run.update(answer.get("run", {}))
            self._imported = self._imported or "imported" in answer
            self._answered += answer.get("answered", 0)
            self._changed.notify_all()
        if "failure" in answer:
            self._fail(answer["failure"])

    def _fail(self, line: str) -> None:
        line = redacted(line)
        if line not in self._failures:  # report a failure that repeats in each epoch once
            self._failures.append(line)

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no error message"


def _end_run(start: dict[str, Any]) -> None:
    """End a run as killed, by another client process, and wait until that is done or has taken too long."""
    ending = {"do": "finish", "status": "KILLED", "time": start["time"]}
    requests = "".join(json.dumps(request) + "\n" for request in (start, ending))
    with contextlib.suppress(OSError), tempfile.TemporaryFile() as errors, _start(errors) as process:
        try:
            process.communicate(requests.encode(), timeout=IMPORT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _start(errors: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603  this interpreter and a program of this package
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, json.dumps([str(folder) for folder in sys.path])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**HTTP_LIMITS, **os.environ, **NO_TELEMETRY},
        start_new_session=True,
    )
