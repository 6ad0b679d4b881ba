"""Leftovers of killed processes: they are removed, and nothing else is."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_ae.storage import leftovers, locks
from recsys_ae.storage.atomic import whole_file, whole_folder, write_text
from recsys_ae.storage.leftovers import FORMER, LONG_AGO, PARTIAL, formers, is_temporary, sweep, temporary_name
from tests.storage.killed import KILL, WAIT, run_killed, waiting

FOLDER = "with atomic.whole_folder(Path(sys.argv[1])) as partial:\n    (partial / 'half').touch()\n    "
FILE = "with atomic.whole_file(Path(sys.argv[1])) as partial:\n    partial.write_text('half')\n    "
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=80).filter(
    lambda name: name not in (".", "..")
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def aged(path: Path, seconds: float) -> Path:
    for entry in (*path.rglob("*"), path):
        os.utime(entry, (time.time() - seconds, time.time() - seconds))
    return path


def of_another_machine(path: Path, kind: str = PARTIAL) -> Path:
    name = temporary_name(path, kind).name
    return path.with_name(name.replace(f".{leftovers._boot()}-", ".0badc0de-"))


@pytest.mark.parametrize("script", [FOLDER, FILE], ids=["folder", "file"])
def test_the_next_write_removes_what_a_killed_one_left(script: str, tmp_path: Path) -> None:
    run_killed(script + KILL, tmp_path / "result")
    assert len(names(tmp_path)) == 1
    write_text(tmp_path / "another", "text")
    assert names(tmp_path) == ["another"]


@pytest.mark.parametrize("script", [FOLDER, FILE], ids=["folder", "file"])
def test_what_a_living_process_writes_is_left_alone(script: str, tmp_path: Path) -> None:
    with waiting(script + WAIT.replace("\n", "\n    "), tmp_path / "result"):
        living = aged(tmp_path / names(tmp_path)[0], 30 * LONG_AGO)
        with whole_folder(tmp_path / "result"):
            sweep(tmp_path)
        assert names(tmp_path) == [living.name, "result"]
    sweep(tmp_path)
    assert names(tmp_path) == ["result"]


def test_this_process_does_not_remove_its_own(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "a") as first, whole_file(tmp_path / "b") as second:
        sweep(tmp_path)
        second.touch()
        assert first.is_dir()
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("made", [of_another_machine, lambda path: path.with_name(f".{path.name}.0badc0de.partial")])
def test_what_may_belong_to_another_machine_is_removed_after_a_day(made: "type", tmp_path: Path) -> None:
    leftover = made(tmp_path / "model")
    leftover.mkdir()
    (leftover / "state").touch()
    sweep(tmp_path)
    assert leftover.exists()
    aged(leftover, LONG_AGO + 60)
    os.utime(leftover / "state")  # somebody writes to it
    sweep(tmp_path)
    assert leftover.exists()
    aged(leftover, LONG_AGO + 60)
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_without_locks_everything_stays_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "take", lambda _: None)
    with whole_folder(tmp_path / "a") as partial:
        write_text(tmp_path / "b", "text")
        assert partial.is_dir()
        aged(partial, LONG_AGO + 60)
        sweep(tmp_path)
        assert not partial.exists()
        partial.mkdir()
    assert names(tmp_path) == ["a", "b"]


def test_a_sweep_between_the_making_and_the_locking_of_a_folder_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, calls = Path.mkdir, []

    def made(self: Path, *arguments: int) -> None:
        genuine(self, *arguments)
        calls.append(self)
        if len(calls) < 3:
            sweep(tmp_path)

    monkeypatch.setattr(Path, "mkdir", made)
    with whole_folder(tmp_path / "a") as partial:
        (partial / "file").touch()
    assert len(calls) == 3
    assert names(tmp_path) == ["a"]


def test_leftovers_of_earlier_downloads_are_removed_after_a_day(tmp_path: Path) -> None:
    for name in (".download-a1b2c3d_", ".download-notes", "download-a1b2c3d_"):
        (tmp_path / name).mkdir()
        aged(tmp_path / name, LONG_AGO + 60)
    sweep(tmp_path)
    assert names(tmp_path) == [".download-notes", "download-a1b2c3d_"]


def test_a_link_with_such_a_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").touch()
    temporary_name(tmp_path / "model", PARTIAL).symlink_to(tmp_path / "mine")
    sweep(tmp_path)
    assert (tmp_path / "mine" / "thesis").exists()


def test_a_former_folder_is_removed_only_if_there_is_a_new_one(tmp_path: Path) -> None:
    for name in ("model", "x" * 250):
        temporary_name(tmp_path / name, FORMER).mkdir()
        sweep(tmp_path)
        assert len(formers(tmp_path / name)) == 1
        (tmp_path / name).mkdir()
        sweep(tmp_path)
        assert formers(tmp_path / name) == []
        assert names(tmp_path) == [name]
        (tmp_path / name).rmdir()


@given(name=NAMES)
def test_a_name_of_the_user_is_not_a_temporary_one(name: str) -> None:
    assert not is_temporary(name)
    assert not is_temporary(f".{name}.partial")
    assert is_temporary(temporary_name(Path("folder") / name, PARTIAL).name)


@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=255))
def test_temporary_names_are_short_enough_for_every_file_system(name: str) -> None:
    for kind in (PARTIAL, FORMER):
        temporary = f".{leftovers.short(name)}.01234567-01234567.{kind}"
        assert len(os.fsencode(temporary)) <= 143
        assert is_temporary(temporary)


def test_long_names_with_one_beginning_are_told_apart() -> None:
    long = [f"{'x' * 200}{n}" for n in range(100)]
    assert len({leftovers.short(name) for name in long}) == 100
    assert leftovers.short("x" * 100) == "x" * 100
