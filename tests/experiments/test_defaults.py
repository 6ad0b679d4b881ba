"""Tests of the experiment on defaults: cells that are resumed, the loss of a default, and the data sets."""

import dataclasses
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from recsys_ae.data.splits.split import Split, split_ratings, split_users
from recsys_ae.models import spec_class
from recsys_ae.nn.model import PAPER
from recsys_ae.testing.blocks import training_data
from tests.single_thread import single_thread  # noqa: F401

HERE = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Return the program as a module that knows small data only."""
    monkeypatch.syspath_prepend(str(HERE))
    module = importlib.import_module("defaults.run")
    monkeypatch.setattr(module, "split_of", small)
    monkeypatch.setattr(module, "TRIALS", 4)
    yield module
    for name in ("defaults.run", "defaults.data_sets", "defaults", "measured"):
        sys.modules.pop(name, None)


def small(name: str, data_dir: Path | None = None, *, rated: bool = False) -> Split:
    assert data_dir is None
    data = training_data(len(name), rated=rated)
    return split_ratings(data, seed=1) if rated else split_users(data, n_valid=12, n_test=8, seed=1)


def measured(out: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text("utf-8")) for path in out.glob("*.json")}


def test_a_cell_is_measured_once(run: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["ease", "--data-sets", "sample", "ml-100k", "--out", str(tmp_path), "--budget", "20s"]
    run.main(words)
    first = capsys.readouterr()
    assert first.err.count("valid: ") == 6
    cells = measured(tmp_path)
    assert {cell["spec"]["l2"] for name, cell in cells.items() if "-paper-" in name} == {500.0}
    for name in ("sample", "ml-100k"):
        kinds = {kind: cells[f"{name}-ease-{kind}-valid"]["mean"] for kind in run.KINDS}
        assert kinds["tuned"] >= kinds["default"]
        assert f"| {name} | ease | {kinds['tuned']:.4f} ± " in first.out
    run.main(words)
    second = capsys.readouterr()
    assert "valid: " not in second.err
    assert second.out == first.out


def test_test_users_are_looked_at_when_asked_for(
    run: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["popularity-less", "item_knn", "--data-sets", "sample", "--out", str(tmp_path), "--budget", "20s"]
    with pytest.raises(SystemExit):
        run.main(words)
    assert "there is no model 'popularity-less'" in capsys.readouterr().err
    run.main(words[1:])
    assert not list(tmp_path.glob("*-test.json"))
    assert "test users" not in capsys.readouterr().out
    run.main([*words[1:], "--test"])
    cells = {kind: measured(tmp_path)[f"sample-item_knn-{kind}-test"] for kind in run.KINDS}
    loss = 100 * run.loss_of(cells, "ndcg@100")[0]
    printed = capsys.readouterr().out.replace("\N{MINUS SIGN}", "-")
    assert f"test users | sample |\n|---|---|\n| item_knn | {round(loss, 1) + 0.0:.1f} ± " in printed
    tested = [cell for name, cell in measured(tmp_path).items() if name.endswith("-test")]
    assert [len(cell["values"]) for cell in tested] == [8, 8, 8]


def test_ratings_are_judged_by_their_error(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = dict.fromkeys(("default", "paper", "tuned"), spec_class("autorec")(epochs=2, latent=3))
    monkeypatch.setattr(run.Cells, "_spec", lambda self, kind, split: (quick[kind], {"trials": 1}))
    run.main(["autorec", "--data-sets", "sample", "gowalla-1500", "--out", str(tmp_path)])
    assert {name.rsplit("-", 3)[0] for name in measured(tmp_path)} == {"sample"}
    assert "| 0.0 ± 0.0 % |" in capsys.readouterr().out


@pytest.mark.parametrize(("metric", "sign"), [("ndcg@100", 1), ("rmse", -1)])
def test_the_loss_is_paired_by_user(run: ModuleType, metric: str, sign: int) -> None:
    generator = np.random.default_rng(0)
    tuned = generator.random(50) + 1
    cells = {"tuned": {"values": tuned}, "default": {"values": tuned - sign * 0.1 * tuned.mean()}}
    loss, error = run.loss_of(cells, metric)
    assert loss == pytest.approx(0.1)
    assert error == pytest.approx(0, abs=1e-12)


def test_every_model_of_the_experiment_has_the_papers_settings(run: ModuleType) -> None:
    assert all(PAPER in spec_class(name).presets for name in run.MODELS)


def test_drawn_data_sets_hold_part_of_their_source(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    data_sets = sys.modules["defaults.data_sets"]
    source = training_data()
    monkeypatch.setattr(data_sets, "_data", lambda *_, **__: source)
    monkeypatch.setattr(data_sets, "DRAWN", {"few": ("x", 30, 1.0), "thin": ("x", None, 0.5)})
    monkeypatch.setattr(data_sets, "LEAST", dataclasses.replace(data_sets.LEAST, user=2, item=2))
    for name in ("few", "thin"):
        one, other = (data_sets.split_of(name) for _ in range(2))
        assert one.fingerprint == other.fingerprint
        assert one.train.users.isin(source.users).all()
    assert len(data_sets.split_of("few").train.users) == 21
