"""Recommenders as MLflow models: saved, loaded, registered and served."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys_ae import Recommender, Run
from recsys_ae.errors import ArtefactError, DataError
from recsys_ae.models import EASE
from recsys_ae.serving.answers import Answers
from recsys_ae.serving.pyfunc import MODULE, log_model, save_model
from recsys_ae.testing.blocks import training_data
from tests.single_thread import single_thread  # noqa: F401

mlflow = pytest.importorskip("mlflow")
pytestmark = pytest.mark.filterwarnings("ignore")
"""MLflow warns of itself and of its own packages."""

DATA = training_data()
ITEMS = [int(item) for item in DATA.items]
LONG = pd.DataFrame({"user": ["a", "a", "b"], "item": [ITEMS[0], ITEMS[1], ITEMS[5]]})
WIDE = pd.DataFrame({"user": ["a", "b"], "items": [ITEMS[:2], []]})
SECONDS = 90


@pytest.fixture(scope="module")
def model() -> Recommender:
    return Recommender(EASE(l2=5.0)).fit(DATA, run=Run(device="cpu", threads=1))


@pytest.fixture(scope="module")
def saved(model: Recommender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mlflow") / "model"
    save_model(model, path)
    return path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Use an empty store of runs and models."""
    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    uri = f"sqlite:///{tmp_path}/store.db"
    mlflow.set_tracking_uri(uri)
    yield uri
    mlflow.set_tracking_uri(before)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found.reset_index(drop=True), expected, check_dtype=False)


def test_the_folder_holds_data_only(saved: Path) -> None:
    files = {path.relative_to(saved).as_posix(): path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    assert {name for name in files if name.startswith("data/")} == {
        f"data/recommender/{name}" for name in ("config.json", "items.json", "notes.json", "state.safetensors")
    }
    assert not [name for name, content in files.items() if name.endswith((".py", ".pkl")) or content[:1] == b"\x80"]
    described = (saved / "MLmodel").read_text()
    assert f"loader_module: {MODULE}" in described
    assert "code: null" in described


def test_requirements_are_pinned(saved: Path) -> None:
    lines = (saved / "requirements.txt").read_text().split()
    assert {line.split("==")[0] for line in lines} >= {"recsys-ae", "torch", "numpy", "scipy", "pandas", "safetensors"}
    assert all("==" in line and "+" not in line for line in lines)


@pytest.mark.parametrize("params", [None, {"k": 3}, {"k": 4, "exclude_seen": False, "deny": [str(ITEMS[3])]}])
def test_a_loaded_model_answers_as_the_recommender(
    saved: Path, model: Recommender, params: dict[str, Any] | None
) -> None:
    loaded = mlflow.pyfunc.load_model(str(saved))
    for frame in (LONG, WIDE, LONG.astype({"item": str}), LONG.assign(rating=[5, 4, 3])):
        assert_same(loaded.predict(frame, params=params), Answers(model).table(frame, params))
    with pytest.raises(DataError, match="expected the column user"):
        loaded.predict(pd.DataFrame({"item": [1]}))


def test_a_saved_folder_is_enough(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "mine")
    save_model(tmp_path / "mine", tmp_path / "again", metadata={"team": "search"})
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "again"))
    assert_same(loaded.predict(LONG), Answers(model).table(LONG))
    assert loaded.metadata.metadata == {"team": "search"}
    with pytest.raises(ArtefactError, match="nowhere is not the folder of a saved model"):
        save_model(tmp_path / "nowhere", tmp_path / "more")


def test_a_model_is_registered_and_found_by_its_alias(store: str, model: Recommender) -> None:
    with mlflow.start_run():
        info = log_model(model, registered_model_name="movies")
    client = mlflow.MlflowClient(tracking_uri=store)
    client.set_registered_model_alias("movies", "champion", "1")
    for uri in (info.model_uri, "models:/movies/1", "models:/movies@champion"):
        assert_same(mlflow.pyfunc.load_model(uri).predict(LONG), Answers(model).table(LONG))
    assert client.get_model_version_by_alias("movies", "champion").version in (1, "1")


class Endpoint:
    """A server of the saved model on this machine."""

    def __init__(self, path: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(path), "--env-manager", "local"]
        words = [*command, "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
        }
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                words, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    def wait(self) -> None:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise RuntimeError(f"the server does not answer: {self.log.read_text()[-2000:]}")

    def ask(self, request: dict[str, Any]) -> tuple[int, Any]:
        """Return the status and the answer."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/invocations",
            json.dumps(request).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=SECONDS) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)


@pytest.fixture(scope="module")
def endpoint(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    server = Endpoint(saved, tmp_path_factory.mktemp("serve") / "log")
    try:
        server.wait()
        yield server
    finally:
        server.close()


def test_a_server_answers_as_the_recommender(endpoint: Endpoint, model: Recommender) -> None:
    status, answer = endpoint.ask({"dataframe_split": LONG.to_dict("split"), "params": {"k": 4}})
    assert status == 200, answer
    assert_same(pd.DataFrame(answer["predictions"]), Answers(model).table(LONG, {"k": 4}))
    status, answer = endpoint.ask({"dataframe_records": WIDE.to_dict("records"), "params": {"k": 3}})
    assert status == 200, answer
    assert_same(pd.DataFrame(answer["predictions"]), Answers(model).table(WIDE, {"k": 3}))


def test_a_server_says_what_is_wrong(endpoint: Endpoint) -> None:
    status, answer = endpoint.ask({"dataframe_records": [{"user": 1}]})
    assert status == 400
    assert "expected the column user and one of item and items" in json.dumps(answer)
    status, answer = endpoint.ask({"dataframe_records": [{"user": 1, "items": [1]}], "params": {"k": 0}})
    assert status == 400
    assert "expected a whole number of at least 1" in json.dumps(answer)
