"""Tests of the comparison on MNIST: resumed runs, test images read only when asked for, and a valid plan."""

import importlib
import json
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from recsys_ae.features import models as autoencoders
from recsys_ae.spec.hyper import build

HERE = Path(__file__).parents[2] / "experiments/zoo_mnist"
PLAN = """
train = 40
valid = 20
sizes = [2, 3]
more = ["deep-4"]
[shared]
epochs = 2
[models.pca]
[models.deep]
hidden = [5]
[models.recurrent]
hidden = 4
scale = "none"
"""
Command = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Return the program as a module."""
    monkeypatch.syspath_prepend(str(HERE))
    yield importlib.import_module("run")
    for name in ("run", "measured"):
        sys.modules.pop(name, None)


@pytest.fixture
def command(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs the program on random images and returns its output."""
    rng = np.random.default_rng(0)
    (tmp_path / "mnist").mkdir()
    for part, n in (("train", 70), ("t10k", 30)):
        pixels = rng.integers(0, 256, (n, 6, 5), np.uint8)
        head = b"\0\0\x08\x03" + b"".join(int(side).to_bytes(4, "big") for side in pixels.shape)
        (tmp_path / "mnist" / f"{part}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
    (tmp_path / "plan.toml").write_text(PLAN)

    def output_of(*words: str) -> str:
        paths = ["--plan", str(tmp_path / "plan.toml"), "--data-dir", str(tmp_path), "--out", str(tmp_path / "out")]
        monkeypatch.setattr(sys, "argv", ["run.py", *paths, *words])
        run.main()
        return capsys.readouterr().out

    return output_of


def test_a_run_is_not_repeated_until_its_settings_change(command: Command, tmp_path: Path) -> None:
    first = command()
    for name in ("pca-2", "deep-2", "recurrent-2", "pca-3", "deep-3", "recurrent-3", "deep-4"):
        assert f"{name}: validation" in first
    assert "…" not in command()
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.replace("hidden = [5]", "hidden = [6]"))
    again = command()
    assert [line for line in again.splitlines() if line.endswith("…")] == ["deep-2 …", "deep-3 …", "deep-4 …"]


def test_test_images_are_read_only_when_needed_and_each_model_is_measured_once(
    command: Command, tmp_path: Path, run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[str] = []
    plain = run.read_named_images
    monkeypatch.setattr(
        run, "read_named_images", lambda name, folder, part="train": parts.append(part) or plain(name, folder, part)
    )
    assert "| – |" in command("--valid-only")
    assert parts == ["train"]
    table = command()
    assert parts == ["train", "train", "test"]
    path = tmp_path / "out" / "deep-2.json"
    measured = json.loads(path.read_text())
    assert f"| 2 | deep | {measured['validation']:.4f} | {measured['test']:.4f} |" in table
    path.write_text(json.dumps({**measured, "test": 0.5}))
    assert f"| 2 | deep | {measured['validation']:.4f} | 0.5000 |" in command("deep-2", "pca-2")


def test_an_unknown_run_is_refused_before_anything_is_read(command: Command) -> None:
    with pytest.raises(SystemExit, match="there is no run deep-9; there are: pca-2, deep-2"):
        command("deep-9")


def test_the_plan_compares_every_model_at_the_sizes_of_the_published_numbers(run: ModuleType) -> None:
    toml = tomllib.loads((HERE / "models.toml").read_text())
    assert set(toml["models"]) == set(autoencoders.names())
    assert toml["sizes"] == [10, 32, 64]
    plan = run.Plan.of(HERE / "models.toml")
    for name, settings in plan.runs.items():
        model, size = name.rsplit("-", 1)
        assert build(autoencoders.spec_class(model), settings).latent == int(size)
    assert plan.train + plan.valid <= 60_000
