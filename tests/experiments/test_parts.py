"""The measurements of data in parts, on small data."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Return the program."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    monkeypatch.syspath_prepend(str(EXPERIMENTS / "speed"))
    yield importlib.import_module("parts")
    for name in ("parts", "measured"):
        sys.modules.pop(name, None)


@pytest.mark.slow
def test_reading_is_measured_in_turn(program: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program.main(["read", "--rows", "4000", "--parts", "3", "--rounds", "1", "--out", str(tmp_path)])
    rows = json.loads((tmp_path / "read.json").read_text())["rows"]
    assert [row["place"] for row in rows] == ["one.parquet", "parquet", "one.csv", "csv"]
    assert all(row["seconds"] > 0 and row["MiB"] > 50 for row in rows)
    assert len(list((tmp_path / "csv").iterdir())) == 3
    assert "'place': 'csv'" in capsys.readouterr().out


@pytest.mark.slow
def test_lists_are_measured(program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "N_ITEMS", 300)
    words = ["--users", "150", "--fit-users", "100", "--models", "ease", "--k", "5", "--out", str(tmp_path)]
    program.main(["lists", *words])
    rows = json.loads((tmp_path / "lists.json").read_text())["rows"]
    assert [(row["users"], row["lists"]) for row in rows] == [(100, "at once"), (100, "parts"), (150, "parts")]
    assert all(row["MiB"] > row["model MiB"] for row in rows)


def test_a_command_that_fails_ends_the_measurement(program: ModuleType) -> None:
    with pytest.raises(SystemExit, match="ended with 3"):
        program.measured([sys.executable, "-c", "raise SystemExit(3)"])
