"""``--register NAME``: the saved model is an MLflow model in the registry, or the command fails."""

import importlib.util
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys_ae import Recommender
from recsys_ae.serving.answers import Answers
from recsys_ae.tracking import mlflow_process, mlflow_tracker
from tests.cli.conftest import ITEMS, Run

mlflow = pytest.importorskip("mlflow")
pytestmark = pytest.mark.filterwarnings("ignore")
"""MLflow warns of itself and of its own packages."""
FIT = ("--min-user-items", "3", "--quiet")


@pytest.fixture(autouse=True)
def _busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait long for MLflow and its stores, which are slow when other programs use the cores."""
    monkeypatch.setattr(mlflow_process, "IMPORT_SECONDS", 300.0)
    monkeypatch.setattr(mlflow_tracker, "LOCAL_SECONDS", 300.0)


@pytest.mark.slow
def test_fit_refit_and_tune_register_versions_that_answer(cli: Run, here: Path, ratings: Path) -> None:
    search = ("--models", "ease", "--trials", "1", "--budget", "30s", "--out", "search")
    for words in (
        ("fit", "ease", "--data", ratings, *FIT, "--out", "one"),
        ("refit", "one", "--quiet", "--out", "two"),
        ("tune", "--data", ratings, *FIT, *search),
    ):
        outcome = cli(*words, "--register", "shop")
        assert outcome.code == 0, outcome.err
    frame = pd.DataFrame({"user": ["a", "a", "b"], "item": [ITEMS[4], ITEMS[5], ITEMS[6]]})
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{here}/mlflow.db")
    try:
        for version, folder in enumerate(("one", "two", "search/best"), start=1):
            found = mlflow.pyfunc.load_model(f"models:/shop/{version}").predict(frame)
            expected = Answers.of(Recommender.load(here / folder)).table(frame)
            pd.testing.assert_frame_equal(found.reset_index(drop=True), expected, check_dtype=False)
    finally:
        mlflow.set_tracking_uri(before)


@pytest.mark.parametrize("command", [("fit", "ease"), ("tune",)])
def test_without_mlflow_nothing_is_fitted(
    cli: Run, here: Path, ratings: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec

    def missing(name: str, *args: Any) -> Any:
        return None if name == "mlflow" else find(name, *args)

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    outcome = cli(*command, "--data", ratings, *FIT, "--out", "one", "--register", "shop")
    assert (outcome.code, outcome.error) == (1, "Error: --register needs the package mlflow: pip install mlflow")
    assert not (here / "one").exists()


def test_a_store_that_fails_is_an_error_and_the_model_is_saved(
    cli: Run, here: Path, ratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "store.db").write_text("not a database", encoding="utf-8")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/store.db")
    outcome = cli("fit", "ease", "--data", ratings, *FIT, "--out", "one", "--register", "shop")
    assert outcome.code == 1
    assert outcome.error.startswith("Error: the model is saved, but --register shop failed: ")
    assert Recommender.load(here / "one").spec.name() == "ease"
