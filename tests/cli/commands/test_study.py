"""``recsys-ae study``: a report on features from a file."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Run

QUICK = ("--models", "pca,deep", "--latents", 2, "--no-track", "--device", "cpu", "--threads", 1)
PLAN = """
title = "Flowers"
summary = 2
[settings]
epochs = 2
layers = 1
[[fits]]
steps = ["latent", "structure", "retrieval", "summary"]
models = ["pca", "deep"]
latents = [2, 3]
"""


@pytest.fixture
def flowers(here: Path) -> Path:
    rng = np.random.default_rng(0)
    kind = np.arange(90) % 3
    frame = pd.DataFrame(rng.normal(size=(90, 4)) + kind[:, None] * 2, columns=["a", "b", "c", "d"])
    frame.insert(0, "id", range(90))
    frame["kind"] = np.array(["iris", "rose", "tulip"])[kind]
    frame.to_csv(here / "flowers.csv", index=False)
    (here / "plan.toml").write_text(PLAN)
    return here / "flowers.csv"


def test_a_report_on_a_table_with_labels(cli: Run, here: Path, flowers: Path) -> None:
    outcome = cli("study", "plan.toml", "--data", flowers, "--labels", "kind", *QUICK, "--out", "out")
    assert outcome.code == 0, outcome.err
    assert "65 rows of 4 columns for training, 7 for validation, 18 for testing; 3 labels" in outcome.out
    assert "[2/2] deep z=2 seed 0 rmse" in outcome.out
    report = json.loads((here / "out/report.json").read_text())
    assert {one["model"] for one in report["fits"]} == {"pca", "deep"}
    assert report["fits"][0]["measures"]["found"]["precision@10"] > 1 / 3
    assert report["facts"]["command"].startswith("recsys-ae study plan.toml --data")
    assert (here / "out/report.html").read_text().startswith("<!DOCTYPE html>")
    assert (here / "out/figures/latent.svg").exists()


def test_the_same_command_goes_on(cli: Run, here: Path, flowers: Path) -> None:
    command = ("study", "plan.toml", "--data", flowers, "--labels", "kind", *QUICK, "--out", "out")
    assert cli(*command, "--models", "pca").code == 0
    outcome = cli(*command)
    assert "[2/2] deep" in outcome.out
    assert "pca z=2" not in outcome.out
    assert "deep z=2" not in cli(*command).out


def test_without_labels_what_needs_them_is_left_out_and_said(cli: Run, here: Path, flowers: Path) -> None:
    outcome = cli("study", "plan.toml", "--data", f"{flowers}:a,b,c", *QUICK, "--out", "out")
    assert outcome.code == 0
    assert "no labels" in outcome.out
    assert "Note: no labels: " in outcome.err
    fits = json.loads((here / "out/report.json").read_text())["fits"]
    assert all("found" not in one["measures"] and "structure" in one["measures"] for one in fits)


def test_a_dry_run_lists_the_fits_and_writes_nothing(cli: Run, here: Path) -> None:
    outcome = cli("study", "--preset", "quick", "--models", "deep", "--dry-run")
    assert outcome.code == 0
    assert "deep" in outcome.out
    assert "fits. Dry run" in outcome.out
    assert not list(here.iterdir())


def test_a_report_is_written_on_what_is_there(cli: Run, here: Path, flowers: Path) -> None:
    command = ("study", "plan.toml", "--data", flowers, "--labels", "kind", *QUICK, "--out", "out")
    assert cli(*command, "--models", "pca").code == 0
    assert cli(*command, "--report-only").code == 0
    report = (here / "out/report.html").read_text()
    assert "1 of 2 fits are done" in report
    assert "--report-only" not in report


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--preset", "quick", "plan.toml"), 2, "not both"),
        (("--data", "none.csv"), 1, "there is no such file"),
        (("--data", "flowers.csv", "--labels", "sort"), 1, "there is no column 'sort'"),
        (("--data", "flowers.csv:a,b", "--labels", "kind", "--unlike", "flowers.csv:a"), 1, "has rows of 1 columns"),
        (("--models", "depp"), 1, "did you mean 'deep'"),
        (("--steps", "9"), 1, "there is no step '9'"),
        (("--steps", "augmentation", "plan.toml"), 1, "no fit of the plan is for augmentation"),
        (("--latents", "0"), 1, "out of bounds"),
        (("--out", "."), 1, "holds no study"),
        (("--out", "flowers.csv"), 1, "is not a folder"),
        (("--device", "tpu"), 1, "--device tpu is not supported"),
        (("--report-only",), 2, "there is no study in studies/sample"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    cli: Run, here: Path, flowers: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    before = sorted(here.rglob("*"))
    outcome = cli("study", *options, "--no-track")
    assert outcome.code == code
    assert said in outcome.error
    assert sorted(here.rglob("*")) == before


def test_each_fit_is_a_run_in_the_run_of_the_study(cli: Run, here: Path, flowers: Path) -> None:
    import warnings

    options = [one for one in QUICK if one != "--no-track"]
    assert cli("study", "plan.toml", "--data", flowers, "--labels", "kind", *options, "--out", "out").code == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=f"sqlite:///{here}/mlflow.db")
        runs = client.search_runs([client.get_experiment_by_name("recsys_ae").experiment_id])
    (study,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == study.info.run_id]
    assert sorted(run.data.params["model"] for run in children) == ["deep", "pca"]
    (deep,) = [run for run in children if run.data.params["model"] == "deep"]
    assert deep.data.params["spec.latent"] == "2"
    assert deep.info.status == "FINISHED"
    assert [point.step for point in client.get_metric_history(deep.info.run_id, "loss")] == [1, 2]
    kept = json.loads((here / "out/report.json").read_text())["fits"]
    (numbers,) = [one["measures"] for one in kept if one["model"] == "deep"]
    # The training loss is called error, and a store of files cannot hold a folder of that name, too.
    assert deep.data.metrics["error_test_rmse"] == pytest.approx(numbers["error"]["test_rmse"])
    assert study.data.params["study"] == "Flowers"


def test_a_report_alone_says_what_is_left_out(cli: Run, here: Path, flowers: Path) -> None:
    words = ("study", "plan.toml", "--data", f"{flowers}:a,b,c,d", *QUICK, "--latents", "2,5", "--out", "out")
    assert "z = 5: the code must not be larger" in cli(*words).err
    before = json.loads((here / "out/report.json").read_text())["left_out"]
    assert any("z = 5" in remark for remark in before)
    assert "z = 5: the code must not be larger" in cli(*words, "--report-only").err
    assert json.loads((here / "out/report.json").read_text())["left_out"] == before
