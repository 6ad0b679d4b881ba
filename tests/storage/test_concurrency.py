"""Several processes that write, read and remove one saved model at the same time."""

from pathlib import Path

import pytest

from tests.storage.contention import compete, write

STEPS = pytest.mark.parametrize("in_one_step", [True, False], ids=["exchange", "two steps"])
ROUNDS = pytest.mark.parametrize("rounds", [20, pytest.param(300, marks=pytest.mark.nightly)])


@STEPS
@ROUNDS
def test_readers_always_find_a_model_and_overwriting_never_fails(
    in_one_step: bool, rounds: int, tmp_path: Path
) -> None:
    write(tmp_path / "model", 0, overwrite=False)
    outcomes = compete(tmp_path, {"overwrite": 2, "write": 1, "read": 2}, rounds, in_one_step=in_one_step)
    assert set(outcomes["read"]) == {"done"}
    assert set(outcomes["overwrite"]) == {"done"}
    exists = f"ArtefactError: {tmp_path / 'model'} exists; choose another folder, or replace it with overwrite = True"
    assert set(outcomes["write"]) == {exists}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@STEPS
@ROUNDS
def test_with_removals_everything_that_fails_says_so_in_one_line(
    in_one_step: bool, rounds: int, tmp_path: Path
) -> None:
    tasks = {"overwrite": 1, "write": 2, "read": 1, "remove": 1}
    outcomes = compete(tmp_path, tasks, rounds, in_one_step=in_one_step)
    model = tmp_path / "model"
    missing = f"ArtefactError: {model} is not a saved model: it has no config.json; give the folder of a saved model"
    exists = f"ArtefactError: {model} exists; choose another folder, or replace it with overwrite = True"
    assert set(outcomes["read"]) <= {"done", missing}
    assert set(outcomes["overwrite"]) == set(outcomes["remove"]) == {"done"}
    assert set(outcomes["write"]) <= {"done", exists}
    assert {path.name for path in tmp_path.iterdir()} <= {"model"}
