"""MLflow tracking: reports reach the store, and failures of the store do not reach the training."""

import contextlib
import json
import math
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_ae.errors import DataError, MissingPackageError
from recsys_ae.tracking import MLflowTracker, NoTracker, loss_curve, mlflow_names

EPOCHS = [
    {"loss": 9.0, "kl": 1.0, "beta": 0.1, "seconds": 0.4, "valid/ndcg@100": 0.2, "valid/recall@20": 0.3},
    {"loss": 7.0, "kl": 2.0, "beta": 0.2, "seconds": 0.4, "valid/ndcg@100": 0.4, "valid/recall@20": 0.2},
    {"loss": 6.0, "kl": 2.5, "beta": 0.2, "seconds": 0.4, "valid/ndcg@100": 0.3, "valid/recall@20": 0.1},
]
LONG = "x" * 7000
BRIEFLY = 25.0
"""Maximum seconds of a run with a broken store; importing MLflow on a busy machine takes most of them."""


@pytest.fixture(autouse=True)
def _quiet_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove proxies and stores from the environment, and run each test in its own folder."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    for setting in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(setting, raising=False)
    monkeypatch.chdir(tmp_path)


def _client(uri: str) -> Any:
    """Return a client in this process, without the deprecation warnings of MLflow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=uri)


def _metric(client: Any, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in client.get_metric_history(run_id, name)]


# --- a store that works ---------------------------------------------------------------------------------------------


@dataclass
class Tracked:
    """Run in the default store, after the training and after a report was added."""

    folder: Path
    tracker: MLflowTracker
    client: Any
    trained: Any
    reported: Any

    @property
    def artefacts(self) -> Path:
        return Path(self.reported.info.artifact_uri.removeprefix("file://"))


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    folder = tmp_path_factory.mktemp("tracked")
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with MLflowTracker(run_name="first") as tracker:
            tracker.parameters(
                {"lr": 0.001, "hidden": [600, 200], "run": {"seed": 7, "data": {"name": "toy"}}, "id": LONG}
            )
            for step, epoch in enumerate(EPOCHS, start=1):
                tracker.metrics(epoch, step=step)
            tracker.metrics({"loss": math.inf, "kl": 3.0}, step=4)
            tracker.artefact(model)
            tracker.picture(EPOCHS, best=(2, "ndcg@100"))
        client = _client(tracker.uri)
        trained = client.get_run(tracker.run_id)
        with MLflowTracker(run_id=tracker.run_id) as again:
            again.metrics({"test/ndcg@100": 0.41})
        assert again.failures == []
        return Tracked(folder, tracker, client, trained, client.get_run(tracker.run_id))


def test_a_working_store_has_no_failures_and_a_finished_run(tracked: Tracked) -> None:
    assert tracked.tracker.failures == []
    assert (tracked.trained.info.status, tracked.trained.info.run_name) == ("FINISHED", "first")


def test_the_default_store_is_a_database_in_the_working_directory(tracked: Tracked) -> None:
    assert (tracked.folder / "mlflow.db").is_file()
    assert tracked.tracker.location == f"sqlite:///{tracked.folder}/mlflow.db"
    assert tracked.artefacts.is_relative_to(tracked.folder / "mlruns")


def test_nested_parameters_are_joined_by_dots(tracked: Tracked) -> None:
    parameters = {name: value for name, value in tracked.trained.data.params.items() if name != "id"}
    assert parameters == {"lr": "0.001", "hidden": "[600, 200]", "run.seed": "7", "run.data.name": "toy"}


def test_a_parameter_too_long_for_mlflow_is_cut_there_and_saved_in_full(tracked: Tracked) -> None:
    cut = tracked.trained.data.params["id"]
    assert (len(cut), cut[-2:]) == (6000, "x…")
    in_full = json.loads((tracked.artefacts / "parameters.json").read_text())
    assert in_full["id"] == LONG
    assert in_full["run.seed"] == 7


def test_every_epoch_is_in_the_history_of_each_metric(tracked: Tracked) -> None:
    assert _metric(tracked.client, tracked.tracker.run_id, "valid/ndcg_at_100") == [(1, 0.2), (2, 0.4), (3, 0.3)]
    assert _metric(tracked.client, tracked.tracker.run_id, "kl") == [(1, 1.0), (2, 2.0), (3, 2.5), (4, 3.0)]


def test_a_number_that_is_not_finite_becomes_a_tag(tracked: Tracked) -> None:
    assert _metric(tracked.client, tracked.tracker.run_id, "loss") == [(1, 9.0), (2, 7.0), (3, 6.0)]
    assert tracked.trained.data.tags["not_finite.loss"] == "inf at step 4"


def test_a_folder_is_saved_under_its_name_next_to_the_loss_curve(tracked: Tracked) -> None:
    assert (tracked.artefacts / "model" / "config.json").read_text() == "{}"
    assert (tracked.artefacts / "loss_curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_report_is_added_to_a_run_that_has_ended_and_leaves_its_end_alone(tracked: Tracked) -> None:
    assert "test/ndcg_at_100" not in tracked.trained.data.metrics
    assert tracked.reported.data.metrics["test/ndcg_at_100"] == 0.41
    assert tracked.reported.info.end_time == tracked.trained.info.end_time


def test_the_environment_names_the_store_and_mlflow_puts_the_artefacts_into_the_working_directory(
    tracked: Tracked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(tracked.folder / "mlflow.db", elsewhere / "runs.db")  # quicker than making one
    uri = f"sqlite:///{elsewhere}/runs.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    (tmp_path / "notes.txt").write_text("hello")
    with MLflowTracker(experiment="other") as tracker:
        tracker.artefact(Path("notes.txt"))
        tracker.artefact(Path("nowhere.txt"))
    assert tracker.failures == [f"artefact nowhere.txt not written to {uri}: {tmp_path}/nowhere.txt does not exist"]
    run = _client(uri).get_run(tracker.run_id)
    assert run.info.status == "FINISHED"
    assert (tmp_path / "mlruns" / run.info.experiment_id / run.info.run_id / "artifacts" / "notes.txt").exists()
    assert not (tmp_path / "mlflow.db").exists()


# --- a server that answers, for a while -----------------------------------------------------------------------------


@dataclass
class Server:
    """Tracking server that records its requests, and can be stopped and started again."""

    port: int = 0
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    http: ThreadingHTTPServer | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.http = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        if self.http is not None:
            self.http.shutdown()
            self.http.server_close()
            self.http = None

    def steps(self, metric: str) -> list[int]:
        batches = [body for call, body in self.told if call == "runs/log-batch"]
        return [
            int(point.get("step", 0)) for body in batches for point in body.get("metrics", []) if point["key"] == metric
        ]

    @property
    def statuses(self) -> list[str]:
        return [body["status"] for call, body in self.told if call == "runs/update"]

    def answer(self, call: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        info = {
            "run_id": "r1",
            "run_uuid": "r1",
            "experiment_id": "1",
            "status": "RUNNING",
            "artifact_uri": "file:///x",
        }
        run = {"run": {"info": info, "data": {}}}
        if call == "runs/get" and "run_id=r1" not in body["query"]:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Run 'r2' not found"}
        return 200, {
            "experiments/get-by-name": {"experiment": {"experiment_id": "1", "name": "recsys_ae"}},
            "runs/create": run,
            "runs/get": run,
            "runs/update": {"run_info": info},
        }.get(call, {})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({"query": self.path})

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _answer(self, body: dict[str, Any]) -> None:
                call = self.path.partition("/mlflow/")[2].partition("?")[0]
                server.told.append((call, body))
                status, answer = server.answer(call, body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                """Print nothing."""

        return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.stop()


def _until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


def test_one_request_carries_all_numbers_of_an_epoch_and_leaves_no_trace_in_this_process(server: Server) -> None:
    random.seed(1)
    before = (dict(os.environ), random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    with MLflowTracker(uri=server.uri) as tracker:
        assert tracker.location == f"{server.uri}/#/experiments/1/runs/r1"
        tracker.metrics(EPOCHS[0], step=1)
        assert dict(os.environ) == before[0]
    assert [call for call, _ in server.told].count("runs/log-batch") == 1
    assert tracker.failures == []
    assert before == (dict(os.environ), random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002


def test_a_server_that_comes_back_before_the_end_gets_everything(server: Server) -> None:
    with MLflowTracker(uri=server.uri) as tracker:
        tracker.metrics(EPOCHS[0], step=1)
        assert _until(lambda: server.steps("loss") == [1])
        server.stop()
        tracker.metrics(EPOCHS[1], step=2)
        assert _until(lambda: bool(tracker.failures))
        tracker.metrics(EPOCHS[2], step=3)
        server.start()
    assert server.steps("loss") == [1, 2, 3]
    assert server.statuses == ["FINISHED"]
    assert tracker.failures[0].startswith(f"metrics not delivered to {server.uri}: ")
    assert tracker.failures[1:] == [f"resolved: all delayed reports were delivered to {server.uri}"]


def test_a_server_that_stays_away_costs_one_line_and_the_number_of_missing_reports(server: Server) -> None:
    with MLflowTracker(uri=server.uri) as tracker:
        assert tracker.run_id == "r1"
        server.stop()
        started = time.monotonic()
        for step in range(100):
            tracker.metrics(EPOCHS[0], step=step)
        reporting = time.monotonic() - started
    assert reporting < 2.0
    first, last = tracker.failures
    assert first.startswith(f"metrics not delivered to {server.uri}: ")
    assert first.endswith("Connection refused")
    assert last == f"101 reports of the run were not delivered to {server.uri}"


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (ValueError, "FAILED")])
def test_the_run_says_how_the_training_ended(server: Server, error: type[BaseException], status: str) -> None:
    with pytest.raises(error), MLflowTracker(uri=server.uri):
        raise error
    # After an error the process goes on alone, and ends the run.
    assert _until(lambda: server.statuses == [status])


def test_a_training_that_is_killed_ends_its_run_as_killed_and_never_loaded_mlflow(server: Server) -> None:
    program = (
        "import os, sys; from recsys_ae.tracking import MLflowTracker as T; tracker = T(uri=sys.argv[1]).__enter__()\n"
        "tracker.metrics({'loss': 1.0}, step=1); tracker.picture([{'loss': 1.0}])\n"
        "heavy = sorted({'mlflow', 'matplotlib', 'torch', 'pandas'} & set(sys.modules))\n"
        "print(heavy, tracker.run_id, flush=True); os.kill(os.getpid(), 9)"
    )
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, server.uri], check=False, capture_output=True, text=True
    )
    assert (process.returncode, process.stdout, process.stderr) == (-9, "[] r1\n", "")
    assert _until(lambda: server.statuses == ["KILLED"])
    assert server.steps("loss") == [1]


def test_a_run_that_is_not_in_the_store_is_one_failure_and_no_new_run(server: Server) -> None:
    with MLflowTracker(uri=server.uri, run_id="r2") as tracker:
        tracker.metrics({"test/ndcg@100": 0.4})
        assert tracker.run_id is None
    assert len(tracker.failures) == 1
    assert "Run 'r2' not found" in tracker.failures[0]
    assert "runs/create" not in [call for call, _ in server.told]


# --- a server that never was ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _listening(reply: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen on a port and call ``reply`` with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):  # closed: the test is over
                while True:
                    connection = listener.accept()[0]
                    threading.Thread(target=_reply, args=(reply, connection), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _reply(reply: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        reply(connection)


def _answer_500(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@contextlib.contextmanager
def _nobody() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://somebody:secret@127.0.0.1:{port}"


def _hang_up(connection: socket.socket) -> None:
    connection.recv(65_536)  # closed before that, the end would be a reset at one time and none at another
    connection.close()


@pytest.mark.parametrize(
    ("store", "reason"),
    [
        (_nobody, "Connection refused"),
        (lambda: _listening(_hang_up), "onnection"),
        (lambda: _listening(_answer_500), "500"),
        (lambda: _listening(lambda connection: time.sleep(30)), "timed out"),
    ],
    ids=["nobody", "closes", "answers 500", "is silent"],
)
def test_a_broken_server_holds_nothing_up_and_raises_nothing(
    store: Callable[[], contextlib.AbstractContextManager[str]], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")  # the user's own limit goes before that of the tracker
    with store() as uri:
        started = time.monotonic()
        with MLflowTracker(uri=uri) as tracker:
            tracker.parameters({"lr": 0.001})
            for step, epoch in enumerate(EPOCHS, start=1):
                tracker.metrics(epoch, step=step)
            tracker.picture(EPOCHS)
            assert tracker.run_id is None
        assert time.monotonic() - started < BRIEFLY
    first, last = tracker.failures
    assert first.startswith("the run not delivered to http://127.0.0.1:")
    assert reason in first
    assert last.startswith("7 reports of the run were not delivered to http://127.0.0.1:")
    assert "\n" not in first
    assert "secret" not in first + last + tracker.location


def test_mlflow_is_started_without_telemetry_and_with_time_limits_unless_the_user_has_set_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: dict[str, str] = {}

    def refuse(*args: Any, env: dict[str, str], **kwargs: Any) -> None:
        started.update(env)
        raise OSError("no memory is left")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with MLflowTracker() as tracker:
        tracker.metrics({"loss": 1.0}, step=1)
    assert tracker.failures == ["the MLflow client process could not be started: no memory is left"]
    assert (started["MLFLOW_DISABLE_TELEMETRY"], started["DO_NOT_TRACK"]) == ("true", "true")
    assert (started["MLFLOW_HTTP_REQUEST_TIMEOUT"], started["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) == ("77", "1")


def test_a_process_that_dies_is_a_failure_and_no_error() -> None:
    with _nobody() as uri, MLflowTracker(uri=uri) as tracker:
        assert tracker.run_id is None
        assert tracker._process is not None
        tracker._process._process.kill()
        assert _until(lambda: len(tracker.failures) == 2)
        tracker.metrics({"loss": 1.0}, step=1)
        tracker.artefact(Path("model"))
    assert tracker.failures[1:] == ["the MLflow client process ended with exit code -9: no error message"]


def test_what_takes_longer_than_the_callers_patience_is_given_up() -> None:
    with _listening(lambda connection: time.sleep(30)) as uri, MLflowTracker(uri=uri, patience=0.2) as tracker:
        tracker.metrics({"loss": 1.0}, step=1)
    assert tracker.failures == [
        f"tracking was given up after 0.2 s of waiting for {uri}: the store has not received all reports"
    ]


def test_reports_outside_the_run_are_named_and_not_raised() -> None:
    tracker = MLflowTracker(uri="http://127.0.0.1:9")
    tracker.metrics({"loss": 1.0}, step=1)
    assert tracker.failures == ["metrics was called outside of the run; use the tracker in a with statement"]


def test_without_mlflow_the_tracker_says_so_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingPackageError, match="needs the package mlflow"):
        MLflowTracker()


# --- names and values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "valid"),
    [
        ("valid/ndcg@100", "valid/ndcg_at_100"),
        ("loss", "loss"),
        ("a:b?c", "a_b_c"),
        ("/a//../b/", "a/b"),
        ("..", "_"),
        ("n" * 300, "n" * 250),
    ],
)
def test_names_are_made_valid(given: str, valid: str) -> None:
    assert mlflow_names.name(given) == valid


def test_mlflow_takes_the_names_that_are_made() -> None:
    from mlflow.utils.validation import MAX_ENTITY_KEY_LENGTH, MAX_PARAM_VAL_LENGTH, _validate_metric_name

    for given in ("valid/ndcg@100", "a:b?c", "/a//../b/", "..", "", ".hidden/x", "grüße 5%"):
        _validate_metric_name(mlflow_names.name(given))
    assert mlflow_names.LONGEST_NAME <= MAX_ENTITY_KEY_LENGTH
    assert mlflow_names.LONGEST_PARAMETER <= MAX_PARAM_VAL_LENGTH


def test_no_tracker_takes_everything_and_keeps_nothing(tmp_path: Path) -> None:
    tracker = NoTracker()
    tracker.parameters({"lr": 1})
    tracker.metrics({"loss": 1.0}, step=1)
    tracker.artefact(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


# --- the picture ----------------------------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that draws a loss curve and returns its matplotlib figure."""
    from matplotlib.figure import Figure

    save = Figure.savefig

    def draw(history: list[dict[str, float]], **options: Any) -> Any:
        figures = []

        def keep(figure: Any, *args: Any, **kwargs: Any) -> None:
            figures.append(figure)
            save(figure, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(Figure, "savefig", keep)
            loss_curve(history, Path("curve.png"), **options)
        return figures[0]

    return draw


def _lines(axis: Any) -> dict[str, list[float]]:
    return {line.get_label(): list(line.get_ydata()) for line in axis.get_lines() if line.get_label()[0] != "_"}


def test_losses_and_validation_metrics_have_a_panel_each(drawn: Callable[..., Any]) -> None:
    above, below = drawn(EPOCHS).axes
    assert _lines(above) == {"loss": [9.0, 7.0, 6.0], "kl": [1.0, 2.0, 2.5]}
    assert _lines(below) == {"ndcg@100": [0.2, 0.4, 0.3], "recall@20": [0.3, 0.2, 0.1]}
    assert Path("curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("best", "title"),
    [
        ((2, "ndcg@100"), "best epoch 2 of 3: ndcg@100 = 0.4000"),
        ((1, "recall@20"), "best epoch 1 of 3: recall@20 = 0.3000"),
        (None, ""),
    ],
)
def test_the_best_epoch_is_marked(drawn: Callable[..., Any], best: tuple[int, str] | None, title: str) -> None:
    assert drawn(EPOCHS, best=best).axes[0].get_title(loc="left") == title


def test_without_validation_there_is_one_panel_and_what_is_not_finite_is_left_out(drawn: Callable[..., Any]) -> None:
    (only,) = drawn([{"loss": 2.0}, {"loss": math.inf}, {"loss": 1.0}]).axes
    values = _lines(only)["loss"]
    assert (values[0], math.isnan(values[1]), values[2]) == (2.0, True, 1.0)
    assert only.get_title(loc="left") == ""


def test_drawing_leaves_pyplot_alone() -> None:
    program = "import sys; from pathlib import Path; from recsys_ae.tracking import loss_curve\n"
    program += "loss_curve([{'loss': 1.0}], Path('x.png')); print('matplotlib.pyplot' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert process.stdout == "False\n"


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(DataError, match="no epoch with a loss"):
        loss_curve([{"seconds": 1.0}], Path("x.png"))


def test_without_matplotlib_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match="needs the package matplotlib"):
        loss_curve(EPOCHS, Path("x.png"))
