"""Tests of the reliability experiment: kills at random moments lose nothing, and the experiment finds what is lost."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
PROGRAM = EXPERIMENTS / "reliability" / "run.py"
QUICK = ("fit mult-vae", "fit ease --overwrite", "pretrain vanilla", "data split", "data fetch")
CARELESS = """
import sys
sys.path.insert(0, {experiments!r})
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from reliability import trials

def careless():
    # Write tables in place, and leave a file.
    from recsys_ae.storage import atomic

    @contextmanager
    def in_place(path, **_):
        Path("left").touch()
        path.write_text("begun")
        path.unlink()
        yield path

    atomic.whole_file = in_place

genuine = trials.all_commands
broken = lambda *arguments: [replace(command, prepare=careless) for command in genuine(*arguments)]
world = trials.World(Path({work!r}), ["recommend --out"])
trials.all_commands = broken
world.commands = {{command.name: replace(command, prepare=careless) for command in world.commands.values()}}
faults = [trials.Trial(world, 0, number, real=False).run()["faults"] for number in range(8)]
print(*sum(faults, []), sep="\\n")
"""


@pytest.fixture
def reliability(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    yield importlib.import_module("reliability.tables")
    for name in [name for name in sys.modules if name.split(".")[0] in ("reliability", "measured")]:
        sys.modules.pop(name)


@pytest.mark.parametrize("kills", [20, pytest.param(500, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])])
def test_no_kill_loses_anything(kills: int, tmp_path: Path) -> None:
    commands = ["--commands", *QUICK] if kills < 100 else []
    words = ["--kills", str(kills), "--seed", "3", "--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, PROGRAM, *words, *commands], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    records = [json.loads(line) for line in (tmp_path / "kills-3.jsonl").read_text().splitlines()]
    assert [record["number"] for record in records] == [*range(kills)]
    assert {record["signal"] for record in records} == {"SIGKILL", "SIGTERM", "SIGINT"}
    assert any(record["went_on"] for record in records)
    assert f"{kills} trials, {kills // 11} of them with the installed command" in ended.stdout


def test_the_experiment_finds_what_is_lost(tmp_path: Path) -> None:
    script = CARELESS.format(experiments=str(EXPERIMENTS), work=str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "typed again, left over: work/left" in ended.stdout
    assert "after the kill, " in ended.stdout or "typed again, different: work/top.csv" in ended.stdout


def test_the_table_counts_kills_and_faults(reliability: ModuleType) -> None:
    usual = {"command": "fit", "real": False, "code": -9, "state": "old", "went_on": "", "answered": 0.1, "faults": []}
    stopped = {**usual, "signal": "SIGTERM", "code": 143, "went_on": "Going on", "answered": 0.3}
    lost = {**usual, "command": "blend", "signal": "SIGKILL", "faults": ["after the kill, different: work/blend"]}
    records = [{**usual, "signal": "SIGKILL"}, stopped, lost]
    rows = reliability.kills_table(records).splitlines()
    assert rows[2] == "| blend | 1 | 1 | 0 | 0 | 1 | 0 | 0 | 1 | 0 | 0 | 0 | – | – |"
    assert rows[3] == "| fit | 2 | 1 | 1 | 0 | 2 | 0 | 1 | 0 | 0 | 0 | 0 | 0.30 | 0.30 |"
    assert rows[4].startswith("| **all** | 3 | 2 | 1 | 0 | 3 ")
    assert reliability.summary(records).endswith("1 trials with a fault")
