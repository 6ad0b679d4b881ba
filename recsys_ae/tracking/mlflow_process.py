"""Client process of MLflow: start, requests, answers and end, as the training process sees them."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any

from recsys_ae.tracking.mlflow_stores import redacted

# The caller's own settings take precedence. With MLflow's defaults one request can take 20 minutes: 8 attempts of 120 s
# and the pauses between them. A request that fails here is tried again later.
HTTP_LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds without an answer
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
CLOSING_SECONDS = 10.0
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
    ends the run as killed and exits.

    Parameters
    ----------
    failures
        List to which failures are added, one line each.
    """

    def __init__(self, failures: list[str]) -> None:
        self.run: dict[str, str] = {}
        self._failures = failures
        self._sent = self._answered = 0
        self._ended = self._given_up = False
        self._changed = threading.Condition()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        try:
            self._process = _start(self._errors)
        except OSError:
            self._errors.close()
            raise
        self._listener = threading.Thread(target=self._listen, name="recsys-ae-mlflow", daemon=True)
        self._listener.start()

    def ask(self, do: str, *, wait: float = 0.0, **request: Any) -> bool:
        """Send a request; return True if it was carried out or queued for later within ``wait`` seconds."""
        line = json.dumps({"do": do, **request}) + "\n"
        try:
            self._stdin.write(line.encode())
            self._stdin.flush()
        except OSError:  # the process has ended; the listener reports why
            return True
        self._sent += 1
        number = self._sent
        with self._changed:
            return self._changed.wait_for(lambda: self._ended or self._answered >= number, wait)

    def close(self) -> None:
        """End the process: at once if it is busy, else after it has closed its files."""
        busy = self._answered < self._sent
        with contextlib.suppress(OSError):  # it ended before it read everything
            self._stdin.close()
        self._listener.join(0.0 if busy else CLOSING_SECONDS)
        if self._listener.is_alive():
            self._given_up = True
            self._process.kill()
            self._listener.join()
        self._errors.close()

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    def _listen(self) -> None:
        with self._process.stdout as answers:  # type: ignore[union-attr]  # it is a pipe
            for line in answers:
                self._heard(json.loads(line))
        code = self._process.wait()
        if code and not self._given_up:
            self._fail(f"the MLflow client process ended with exit code {code}: {self._last_words()}")
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _heard(self, answer: dict[str, Any]) -> None:
        with self._changed:
            self.run.update(answer.get("run", {}))
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


def _start(errors: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603  this interpreter and a program of this package
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, json.dumps([str(folder) for folder in sys.path])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**HTTP_LIMITS, **os.environ, **NO_TELEMETRY},
        start_new_session=True,
    )
