"""Limits of tracking: what a misbehaving store, or a client process that is killed, may cost a fit."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from recsys_ae.tracking import MLflowTracker, mlflow_process, mlflow_tracker
from tests.tracking.bad_servers import KINDS, bad_server

ENTIRE_LIMIT = 20.0
QUICK = {"drips_an_answer"}


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    for setting in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(setting, raising=False)
    monkeypatch.chdir(tmp_path)


def until(true: Callable[[], bool], seconds: float = 40.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


def held_up(uri: str, patience: float | None, file: Path) -> tuple[float, list[str]]:
    """Return the seconds that a run waits after MLflow was imported, and the failures."""
    with MLflowTracker(uri=uri, patience=patience) as tracker:
        process = tracker._process
        assert process is not None
        assert until(lambda: process._imported)
        tracker.parameters({"lr": 0.1})
        waited = -time.monotonic()
        for step in range(20):
            tracker.metrics({"loss": 1.0}, step=step)
        assert tracker.run_id is None
        tracker.artefact(file)
    return waited + time.monotonic(), tracker.failures


def test_the_limits_leave_room_below_that_of_the_whole_run() -> None:
    assert mlflow_tracker.SERVER_SECONDS + mlflow_process.CLOSING_SECONDS < ENTIRE_LIMIT
    assert mlflow_process.IMPORT_SECONDS <= ENTIRE_LIMIT


@pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.nightly) for kind in KINDS]
)
def test_all_waiting_for_a_bad_server_has_one_limit(kind: str, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("weights")
    with bad_server(kind) as uri:
        seconds, failures = held_up(uri, 1.5, tmp_path / "model")
    assert seconds < 1.5 + mlflow_process.CLOSING_SECONDS
    assert failures
    assert all("\n" not in failure and uri in failure for failure in failures)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_server_costs_less_than_twenty_seconds(kind: str, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("weights")
    with bad_server(kind) as uri:
        assert held_up(uri, None, tmp_path / "model")[0] < ENTIRE_LIMIT


def test_a_client_that_does_not_read_holds_up_nothing_but_the_end() -> None:
    with MLflowTracker(uri="http://127.0.0.1:9", patience=0.5) as tracker:
        process = tracker._process
        assert process is not None
        assert until(lambda: process._imported)
        os.kill(process._process.pid, signal.SIGSTOP)
        started = time.monotonic()
        for step in range(2000):
            tracker.metrics({"loss": 1.0, "x" * 200: 1.0}, step=step)
        assert time.monotonic() - started < 2.0
    assert time.monotonic() - started < 10.0
    assert "tracking was given up after 0.5 s" in tracker.failures[-1]


def test_a_client_that_is_killed_alone_has_its_run_ended(tmp_path: Path) -> None:
    with MLflowTracker(uri=f"sqlite:///{tmp_path}/mlflow.db") as tracker:
        tracker.metrics({"loss": 1.0}, step=1)
        run_id, process = tracker.run_id, tracker._process
        assert run_id is not None
        assert process is not None
        os.kill(process._process.pid, signal.SIGKILL)
        assert until(lambda: len(tracker.failures) == 2)
        tracker.metrics({"loss": 0.5}, step=2)
    assert tracker.failures == [
        "the MLflow client process ended with exit code -9: no error message",
        "tracking ended there, and the run is marked as killed",
    ]
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        assert store.execute("SELECT run_uuid, status FROM runs").fetchall() == [(run_id, "KILLED")]
