"""Tests of the experiment on searches: its options, searches that are resumed, and the table."""

import importlib
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from recsys_ae_cli.commands import tune
from tests.cli.conftest import PROGRAM

HERE = Path(__file__).parents[2] / "experiments"
RUNS = """
[first]
data = "sample"
models = "popularity,ease,als"
trials = 4
threads = 1
blend = true

[second]
like = "first"
split-seed = 3
blend = false
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.syspath_prepend(str(HERE / "tuning"))
    yield importlib.import_module("tuning.run")
    for name in ("tuning.run", "tuning", "measured"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", tomllib.loads((HERE / "tuning" / "runs.toml").read_text("utf-8")))
def test_every_search_has_options_of_the_command(run: ModuleType, name: str) -> None:
    runs = tomllib.loads((HERE / "tuning" / "runs.toml").read_text("utf-8"))
    known = {word for param in tune.command.params for word in (*param.opts, *param.secondary_opts)}
    words = run.command(run.options(runs, name), Path("out"), "data")
    assert words[:2] == ["recsys-ae", "tune"]
    assert {word for word in words if word.startswith("--")} <= known


def test_a_search_is_like_another_but_for_its_own_options(run: ModuleType) -> None:
    runs = tomllib.loads(RUNS)
    assert run.options(runs, "second") == {**run.options(runs, "first"), "split-seed": 3, "blend": False}
    runs["second"]["models"] = "none"
    assert "models" not in run.options(runs, "second")
    words = run.command(run.options(runs, "second"), Path("x"), None)
    assert "--blend" not in words
    assert words[words.index("--split-seed") + 1] == "3"


def test_searches_are_carried_out_once_and_their_table_is_printed(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs.toml").write_text(RUNS)
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setenv("PATH", str(PROGRAM.parent), prepend=":")
    run.main(["first", "--out", str(tmp_path / "out")])
    once = capsys.readouterr()
    assert "[4/4]" in once.err
    saved: dict[str, Any] = json.loads((tmp_path / "out" / "first.json").read_text("utf-8"))
    best = saved["result"]["best"]
    (row,) = [line for line in once.out.splitlines() if line.startswith("| first |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[3] == best["model"]
    assert cells[4] == f"{best['value']:.4f} ± {best['standard_error']:.4f}"
    assert cells[8].startswith("0.")
    run.main(["first", "--out", str(tmp_path / "out")])
    again = capsys.readouterr()
    assert again.err == ""
    assert again.out == once.out


def test_an_unknown_search_is_one_line(run: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(["third", "--out", str(tmp_path)])
    assert ended.value.code == 2
    assert "there is no search 'third'; available: ml1m" in capsys.readouterr().err
