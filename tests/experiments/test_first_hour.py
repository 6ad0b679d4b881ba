"""The script for the first hour of a GPU: a rehearsal on the CPU, its options, and parts that fail."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "experiments/speed"
PARTS = ["tests", "mult-vae", "ease", "lists", "million", "quality"]
STUB = """#!/usr/bin/env bash
# Stands for Python: the part ease fails, lists takes too long, and notes are written down.
case "$2" in
note) shift 2; echo "$*" >> "$0.notes" ;;
ease) echo "the reason" >&2; echo >&2; exit 3 ;;
lists) sleep 60 ;;
check) echo machine ;;
esac
"""


def script(*words: str, cwd: Path, file: Path = FOLDER / "first_hour.sh", **env: str) -> Any:
    command = ["bash", str(file), *words]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, check=False, timeout=280, env={**os.environ, **env}
    )


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    path = tmp_path / "python"
    path.write_text(STUB, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_rehearsal_measures_every_part(tmp_path: Path) -> None:
    finished = script("--tiny", "--out", "results", "--python", sys.executable, cwd=tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    lines = (tmp_path / "results/results.jsonl").read_text(encoding="utf-8").splitlines()
    results = [json.loads(line) for line in lines]
    assert list(dict.fromkeys(result["part"] for result in results)) == PARTS
    assert [r["part"] for r in results if r.get("outcome", "").startswith("done in")] == PARTS
    of_part = {part: [r for r in results if r["part"] == part and "name" in r] for part in PARTS}
    assert {part: len(measured) for part, measured in of_part.items()} == {
        "tests": 0, "mult-vae": 6, "ease": 3, "lists": 2, "million": 2, "quality": 4,
    }  # fmt: skip
    assert all(result["operations"] > 50 and result["seconds_per_epoch"] > 0 for result in of_part["mult-vae"])
    assert all(result["equal_within_one_standard_error"] for result in of_part["quality"])
    assert finished.stdout.count("| quality |") == 5
    assert "passed" in (tmp_path / "results/tests.log").read_text(encoding="utf-8")


def test_a_part_that_fails_or_takes_too_long_is_reported_and_the_next_one_runs(tmp_path: Path, stub: Path) -> None:
    copied = FOLDER.parents[1] / "experiments/speed/first_hour.sh"
    text = copied.read_text(encoding="utf-8").replace("measured lists 60", "measured lists 5")
    (tmp_path / "speed").mkdir()
    (tmp_path / "speed/short.sh").write_text(text, encoding="utf-8")
    finished = script("--out", "o", "--python", str(stub), cwd=tmp_path, file=tmp_path / "speed/short.sh")
    assert finished.returncode == 1
    notes = [line.split(" --out")[0] for line in (tmp_path / "python.notes").read_text(encoding="utf-8").splitlines()]
    assert [note.split()[0] for note in notes] == PARTS
    assert notes[2] == "ease failed with code 3: the reason"
    assert notes[3] == "lists failed: more than 5 s"
    assert all(notes[i].split(" ", 1)[1].startswith("done in") for i in (0, 1, 4, 5))


def test_without_time_parts_are_left_out(tmp_path: Path, stub: Path) -> None:
    text = (FOLDER / "first_hour.sh").read_text(encoding="utf-8").replace("LIMIT=720", "LIMIT=4")
    (tmp_path / "short.sh").write_text(text, encoding="utf-8")
    assert script("--out", "o", "--python", str(stub), cwd=tmp_path, file=tmp_path / "short.sh").returncode == 1
    notes = (tmp_path / "python.notes").read_text(encoding="utf-8").splitlines()
    assert [note.split(" --out")[0] for note in notes] == [f"{part} left out: no time left" for part in PARTS]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fast"], "there is no option '--fast'; expected --tiny, --out DIR, --python FILE or --help"),
        (["tiny"], "there is no option 'tiny'"),
        (["--out"], "--out needs a value"),
        (["--python"], "--python needs a value"),
        (["--python", "no-such-python"], "--python: there is no such program"),
        (["--out", "/dev/null/folder"], "--out: cannot make the folder /dev/null/folder"),
    ],
)
def test_a_wrong_option_is_one_line(words: list[str], said: str, tmp_path: Path) -> None:
    refused = script(*words, cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"first_hour.sh: {said}")


def test_help_names_the_options(tmp_path: Path) -> None:
    shown = script("--help", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert all(option in shown.stdout for option in ("--tiny", "--out DIR", "--python FILE", "RECSYS_AE_DATA"))


def test_a_machine_without_a_gpu_is_refused(tmp_path: Path) -> None:
    refused = script("--out", "o", "--python", sys.executable, cwd=tmp_path, CUDA_VISIBLE_DEVICES="")
    assert refused.returncode == 2
    assert "sees no CUDA device; rehearse on the CPU with --tiny" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_quick_data_have_their_shape_and_are_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    import quick_data

    data = quick_data.draw(2_000, 500, 60_000)
    assert data.shape == (2_000, 500)
    assert data.nnz == pytest.approx(60_000, rel=0.3)
    assert data.has_canonical_format
    assert np.diff(data.indptr).min() >= 1
    assert (data.data == 1).all()
    popularity = np.sort(np.bincount(data.indices, minlength=500))[::-1]
    assert popularity[:50].sum() > 0.25 * data.nnz
    assert (quick_data.draw(2_000, 500, 60_000) != data).nnz == 0
    assert (quick_data.draw(2_000, 500, 60_000, seed=1) != data).nnz > 0
    sys.modules.pop("quick_data")
