"""MLflow stores of an evaluation: the user's own store, never one that only the model names."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from recsys_ae import Recommender
from recsys_ae.tracking import mlflow_process, mlflow_tracker
from tests.cli.conftest import FAST, Outcome, Run

RUN = "f" * 32


class Server:
    """A server on this machine that remembers every request and the token that came with it."""

    def __init__(self) -> None:
        requests = self.requests = []  # type: list[tuple[str, str | None]]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._refuse()

            def do_POST(self) -> None:
                self._refuse()

            def _refuse(self) -> None:
                requests.append((self.path, self.headers["Authorization"]))
                body = b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}'
                self.send_response(404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture(autouse=True)
def _busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait long for MLflow and its stores, which are slow when other programs use the cores."""
    monkeypatch.setattr(mlflow_process, "IMPORT_SECONDS", 300.0)
    monkeypatch.setattr(mlflow_tracker, "LOCAL_SECONDS", 300.0)
    monkeypatch.setattr(mlflow_tracker, "SERVER_SECONDS", 100.0)
    for name, value in {"TIMEOUT": "30", "MAX_RETRIES": "3"}.items():
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", value)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "the-users-token")
    server = Server()
    threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def evaluate(cli: Run, here: Path, model: Path) -> Run:
    """Evaluate a model with another address of its run."""

    def run(address: object, *args: object) -> Outcome:
        told = Recommender.load(model)
        told.notes["mlflow"] = address
        told.save(here / "model", overwrite=True)
        outcome = cli("evaluate", "model", "--metrics", "ndcg@10", *args)
        assert outcome.code == 0, outcome.err
        assert "ndcg@10" in outcome.out
        return outcome

    return run


@pytest.fixture
def fitted(cli: Run, here: Path, ratings: Path) -> Path:
    """Fit a model whose run is in the default store of this folder."""
    options = [value for value in FAST if value != "--no-track"]
    assert cli("fit", "popularity", "--data", ratings, *options, "--quiet", "--out", "fitted").err == ""
    return here / "fitted"


def values(store: Path) -> list[str]:
    with closing(sqlite3.connect(store)) as rows:
        return [name for (name,) in rows.execute("SELECT key FROM metrics") if name.startswith("test/")]


def test_the_server_that_a_model_names_gets_nothing(evaluate: Run, server: Server, here: Path) -> None:
    outcome = evaluate({"run_id": RUN, "uri": server.uri})
    assert server.requests == []
    assert outcome.error.startswith("Warning: ")
    assert server.uri in outcome.error
    assert "--tracking-uri" in outcome.error
    assert not (here / "mlflow.db").exists()


def test_another_store_of_the_users_own_changes_nothing(
    evaluate: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for own in ("http://127.0.0.1:9", f"{server.uri}/other", "sqlite:///own.db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", own)
        assert own.removeprefix("sqlite:///") in evaluate({"run_id": RUN, "uri": server.uri}).error
    assert server.requests == []


@pytest.mark.parametrize("how", ["option", "setting"])
def test_the_server_that_the_user_names_too_gets_the_report(
    evaluate: Run, server: Server, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    option = ["--tracking-uri", f"{server.uri}/"] if how == "option" else []
    if how == "setting":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{server.uri}/")
    outcome = evaluate({"run_id": RUN, "uri": server.uri}, *option)
    assert "no such run" in outcome.error
    assert {token for _, token in server.requests} == {"Bearer the-users-token"}
    assert RUN in server.requests[0][0]


def test_the_option_allows_no_other_address(evaluate: Run, server: Server) -> None:
    outcome = evaluate({"run_id": RUN, "uri": server.uri}, "--tracking-uri", "http://127.0.0.1:9")
    assert server.uri in outcome.error
    assert server.requests == []


@pytest.mark.parametrize("uri", ["sqlite:///{}/taken.db", "file://{}/taken", "{}/taken"])
def test_a_file_that_a_model_names_is_not_opened(evaluate: Run, here: Path, uri: str) -> None:
    before = b"SQLite? not at all"
    (here / "taken.db").write_bytes(before)
    (here / "taken").mkdir()
    outcome = evaluate({"run_id": RUN, "uri": uri.format(here)})
    assert "taken" in outcome.error
    assert (here / "taken.db").read_bytes() == before
    assert list((here / "taken").iterdir()) == []


@pytest.mark.parametrize(
    "address",
    [
        {"run_id": "../../etc"},
        {"run_id": ""},
        {"run_id": 7},
        {"run_id": f"{RUN}\n"},
        {"uri": "sqlite:///mlflow.db"},
        {"run_id": RUN, "uri": ["http://127.0.0.1"]},
        "sqlite:///mlflow.db",
        [1],
    ],
)
def test_what_is_no_address_is_a_warning(evaluate: Run, here: Path, address: object) -> None:
    assert "the report was not added to MLflow" in evaluate(address).error
    assert not (here / "mlflow.db").exists()


@pytest.mark.parametrize("how", ["asked", "store named", "fit was tracked"])
def test_a_fit_without_a_run_is_one_line_if_a_run_was_expected(cli: Run, here: Path, model: Path, how: str) -> None:
    untracked = Recommender.load(model)
    untracked.notes["options"] = {"track": how == "fit was tracked"}
    untracked.save(here / "model", overwrite=True)
    words = {"asked": ["--track"], "store named": ["--tracking-uri", "sqlite:///mlflow.db"], "fit was tracked": []}[how]
    assert "the fit of this model has no run there" in cli("evaluate", "model", *words).error
    assert cli("evaluate", "model", "--no-track").err == ""
    assert not (here / "mlflow.db").exists()


def test_a_run_without_an_address_makes_no_store(evaluate: Run, here: Path) -> None:
    assert "does not exist" in evaluate({"run_id": RUN}).error
    assert not (here / "mlflow.db").exists()


def test_an_address_cannot_write_to_the_terminal_or_show_a_password(evaluate: Run) -> None:
    outcome = evaluate({"run_id": RUN, "uri": "http://user:secret@\x1b[2Jhost\nWarning: all is well"})
    assert "\x1b" not in outcome.error
    assert "secret" not in outcome.error


def test_elsewhere_the_store_of_the_fit_is_used_when_it_is_named(
    cli: Run, fitted: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert str(here / "mlflow.db") in cli("evaluate", fitted).error
    assert values(here / "mlflow.db") == []
    assert cli("evaluate", fitted, "--tracking-uri", f"sqlite:///{here}/mlflow.db").err == ""
    assert values(here / "mlflow.db") != []
    assert len(list((here / "mlruns").rglob("test_report.json"))) == 1


@pytest.mark.parametrize("place", ["file://{}/secret", "{}/mlruns/../secret", "s3://bucket/secret", "linked"])
def test_a_store_that_came_with_the_model_does_not_say_where_files_are_written(
    cli: Run, fitted: Path, here: Path, place: str
) -> None:
    (here / "secret").mkdir()
    with closing(sqlite3.connect(here / "mlflow.db")) as store, store:
        if place == "linked":
            ((folder,),) = store.execute("SELECT artifact_uri FROM runs").fetchall()
            (Path(folder) / "test_report.json").symlink_to(here / "secret" / "report.json")
        else:
            store.execute("UPDATE runs SET artifact_uri = ?", (place.format(here),))
    outcome = cli("evaluate", fitted)
    assert "artefacts not written" in outcome.error
    assert list((here / "secret").iterdir()) == []
    assert values(here / "mlflow.db") != []


def test_a_store_of_files_gets_means_standard_errors_and_the_report(
    cli: Run, ratings: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./store")
    options = [value for value in FAST if value != "--no-track"]
    assert cli("fit", "popularity", "--data", ratings, *options, "--quiet", "--out", "fitted").err == ""
    assert cli("evaluate", "fitted", "--metrics", "ndcg@10").err == ""
    metrics = {path.name for path in (here / "store").rglob("metrics/test/*")}
    assert metrics == {"ndcg_at_10", "ndcg_at_10_standard_error"}
    assert len(list((here / "store").rglob("test_report.json"))) == 1
