"""MLflow stores in a folder: names, relative addresses, experiments, and failures with their way out."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from recsys_ae.tracking import MLflowTracker

METRICS = {"loss": 1.0, "loss/kl": 2.0, "test/recall@20": 0.4, "test/recall@20/low": 0.3, "Loss": float("nan")}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    for setting in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(setting, raising=False)
    return tmp_path


def client(uri: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=uri)


def test_a_relative_store_of_files_gets_everything(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:./store")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    (here / "notes.txt").write_text("hello")
    with MLflowTracker(run_name="fit/1: \udcff" + "x" * 9000) as tracker:
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        tracker.parameters({f"option{number}": number for number in range(250)} | {"a/b": 1, "a": 2})
        tracker.metrics(METRICS, step=1)
        tracker.artefact(here / "notes.txt")
        tracker.child("child", parameters={"a": 1}, history=[{"loss": 1.0}], metrics={"loss/kl": float("inf")})
    assert tracker.failures == []
    assert tracker.uri == f"file://{here}/store"
    store = client(tracker.uri)
    run = store.get_run(tracker.run_id)
    assert store.get_experiment(run.info.experiment_id).name == "mine"
    assert run.data.metrics == {"loss": 1.0, "loss_kl": 2.0, "test/recall_at_20": 0.4, "test_recall_at_20_low": 0.3}
    assert run.data.tags["not_finite.Loss_2"] == "nan at step 1"
    assert len(run.data.params) == 252
    assert len(list((here / "store").rglob("artifacts/notes.txt"))) == 1
    (child,) = store.search_runs([run.info.experiment_id], "tags.`mlflow.runName` = 'child'")
    assert (child.data.metrics, child.data.tags["not_finite.loss_kl"]) == ({"loss": 1.0}, "inf at step 2")
    with MLflowTracker(run_id=tracker.run_id, uri=tracker.uri) as again:
        again.metrics({"test/recall@20": 0.5, "loss/kl": 3.0})
    assert again.failures == []
    assert store.get_run(tracker.run_id).data.metrics["test/recall_at_20"] == 0.4  # of the last step
    assert store.get_metric_history(tracker.run_id, "test/recall_at_20")[-1].value == 0.5


def test_an_experiment_is_chosen_by_its_id_or_the_failure_says_what_is_wrong(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = client(str(here / "store"))
    mine = store.create_experiment("mine")
    gone = store.create_experiment("gone")
    store.delete_experiment(gone)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", mine)
    with MLflowTracker(uri="store") as tracker:
        pass
    assert tracker.failures == []
    assert store.get_run(tracker.run_id).info.experiment_id == mine
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "gone")
    for other, reason in ((mine, f"the experiment gone has the id {gone}, not {mine}; unset"), ("", "restore it with")):
        monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", other)
        with MLflowTracker(uri="store") as refused:
            refused.metrics({"loss": 1.0})
        (failure,) = refused.failures
        assert failure.startswith(f"the run not written to {here}/store: ")
        assert reason in failure


def test_the_way_out_of_a_store_that_mlflow_refuses_is_not_cut_off(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    with MLflowTracker(uri="store") as tracker:
        tracker.metrics({"loss": 1.0})
    (failure,) = tracker.failures
    assert "MLFLOW_ALLOW_FILE_STORE=true" in failure
    assert "\n" not in failure
