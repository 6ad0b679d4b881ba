"""Reads of folders that are replaced meanwhile, and overwrites that were killed in the middle."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from recsys_ae.errors import ArtefactError
from recsys_ae.storage import artefact, atomic, checks, leftovers, locks, reading
from recsys_ae.storage.artefact import Artefact
from recsys_ae.storage.reading import read_folder, restore
from tests.storage.killed import BETWEEN_THE_STEPS, KILL, WAIT, run_killed, waiting

CPU = torch.device("cpu")
OVERWRITE = (
    BETWEEN_THE_STEPS + "with atomic.whole_folder(Path(sys.argv[1])) as partial:\n    (partial / 'new').touch()\n"
)


def save(path: Path, value: int) -> None:
    artefact.write(path, Artefact({}, pd.Index([value]), {"a": torch.full((9,), value)}, {"n": value}), overwrite=True)


def saved(path: Path) -> int:
    stored = artefact.read(path, CPU)
    values = {int(stored.items[0]), int(stored.notes["n"]), *map(int, stored.state["a"])}
    assert len(values) == 1
    return values.pop()


def killed_between_the_steps(path: Path) -> None:
    run_killed(OVERWRITE.format(then=KILL.strip().replace("\n", "; ")), path)
    assert not path.exists()
    assert len(leftovers.formers(path)) == 1


def load(path: Path) -> None:
    assert saved(path) == 1


def overwrite(path: Path) -> None:
    save(path, 2)
    assert saved(path) == 2


def write_without_overwriting(path: Path) -> None:
    with pytest.raises(ArtefactError, match="exists; choose another folder"):
        artefact.write(path, Artefact({}, pd.Index([2]), {}, {}))
    assert saved(path) == 1


def look_before_a_fit(path: Path) -> None:
    with pytest.raises(ArtefactError, match="exists; choose another folder"):
        artefact.refuse_to_write(path, overwrite=False)
    assert saved(path) == 1


@pytest.mark.parametrize("then", [load, overwrite, write_without_overwriting, look_before_a_fit])
@pytest.mark.parametrize("name", ["model", "x" * 255])
def test_an_overwrite_that_was_killed_between_its_steps_is_undone(
    then: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    save(tmp_path / name, 1)
    killed_between_the_steps(tmp_path / name)
    then(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_link_to_a_killed_overwrite_is_followed(tmp_path: Path) -> None:
    save(tmp_path / "model", 1)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "latest").symlink_to(tmp_path / "model")
    killed_between_the_steps(tmp_path / "model")
    assert saved(tmp_path / "links" / "latest") == 1


def test_a_reader_waits_for_the_second_step_of_a_living_writer(tmp_path: Path) -> None:
    save(tmp_path / "model", 1)
    script = OVERWRITE.format(then="print('now', flush=True); time.sleep(0.5)")
    with waiting(script, tmp_path / "model") as writer:
        assert read_folder(tmp_path / "model", lambda: [path.name for path in (tmp_path / "model").iterdir()]) == [
            "new"
        ]
        assert writer.wait() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_writer_that_was_stopped_does_not_stop_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.2)
    monkeypatch.setattr(reading, "_WAIT", 0.2)
    save(tmp_path / "model", 1)
    with waiting(OVERWRITE.format(then=WAIT.strip().replace("\n", "; ")), tmp_path / "model"):
        assert saved(tmp_path / "model") == 1


def test_the_former_folder_of_another_machine_is_put_back_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_WAIT", 0.2)
    save(tmp_path / "model", 1)
    (tmp_path / "model").rename(tmp_path / ".model.0badc0de-01234567.former")
    started = time.monotonic()
    assert saved(tmp_path / "model") == 1
    assert time.monotonic() - started >= 0.2


def test_the_latest_of_several_former_folders_is_put_back(tmp_path: Path) -> None:
    for value in (1, 2):
        save(tmp_path / "model", value)
        (tmp_path / "model").rename(leftovers.temporary_name(tmp_path / "model", leftovers.FORMER))
        time.sleep(0.02)
    restore(tmp_path / "model")
    assert saved(tmp_path / "model") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_without_locks_a_reader_gives_a_writer_time_for_its_second_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "take", lambda _: None)
    save(tmp_path / "model", 1)
    former = leftovers.temporary_name(tmp_path / "model", leftovers.FORMER)
    (tmp_path / "model").rename(former)
    save(tmp_path / "new", 2)
    writer = threading.Timer(0.3, lambda: (tmp_path / "new").rename(tmp_path / "model"))
    writer.start()
    assert saved(tmp_path / "model") == 2
    writer.join()


@pytest.mark.parametrize("use", [load, overwrite])
def test_the_former_model_of_a_process_that_was_killed_after_the_exchange_is_removed(
    use: Callable[[Path], None], tmp_path: Path
) -> None:
    save(tmp_path / "model", 0)
    save(tmp_path / "new", 1)
    script = (
        "def kill(*_):\n    " + KILL + "leftovers.remove = kill\n"
        "with atomic.whole_folder(Path(sys.argv[1])) as partial:\n"
        "    for file in Path(sys.argv[2]).iterdir():\n        file.rename(partial / file.name)\n"
    )
    run_killed(script, tmp_path / "model", tmp_path / "new")
    (tmp_path / "new").rmdir()
    assert len(list(tmp_path.iterdir())) == 2
    use(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("in_one_step", [True, False])
@pytest.mark.parametrize("name", ["config.json", "items.json", "notes.json", "state.safetensors"])
def test_a_folder_that_is_replaced_before_any_of_its_files_is_read_is_not_mixed(
    name: str, in_one_step: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_one_step:
        monkeypatch.setattr(atomic, "exchange", lambda *_: False)
    save(tmp_path / "model", 1)
    replaced: list[str] = []

    def then_read(genuine: Callable[..., object]) -> Callable[..., object]:
        def read(path: Path, *more: object) -> object:
            if path.name == name and path.parent == tmp_path / "model" and len(replaced) < 5 and not writing:
                replaced.append(name)
                writing.append(name)
                save(tmp_path / "model", 1 + len(replaced))
                writing.clear()
            return genuine(path, *more)

        return read

    writing: list[str] = []
    monkeypatch.setattr(checks, "opened", then_read(checks.opened))
    monkeypatch.setattr(artefact, "load_tensors", then_read(artefact.load_tensors))
    assert saved(tmp_path / "model") == 6
    assert len(replaced) == 5


@pytest.mark.parametrize("at_first", [True, False], ids=["replaced", "made"])
def test_what_is_read_is_held_also_if_it_appears_just_before(
    at_first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is not held may be deleted, and its number given to the next one, which would then be mixed in."""
    if at_first:
        save(tmp_path / "model", 1)
    descriptors: list[int] = []

    def opened(path: Path) -> int | None:
        descriptor = locks.opened(path)
        if not replaced:
            replaced.append(path)
            save(tmp_path / "model", 2)
        descriptors.append(-1 if descriptor is None else descriptor)
        return descriptor

    def read() -> int:
        held = [os.fstat(descriptor).st_ino for descriptor in descriptors[-1:] if descriptor >= 0]
        reads.append(held == [(tmp_path / "model").stat().st_ino])
        return saved_now(tmp_path / "model")

    replaced, reads = list[Path](), list[bool]()
    monkeypatch.setattr(reading, "opened", opened)
    assert read_folder(tmp_path / "model", read) == 2
    assert reads[-1]


def test_a_folder_that_is_replaced_all_the_time_is_read_while_the_writers_wait(tmp_path: Path) -> None:
    save(tmp_path / "model", 0)
    tries: list[int] = []

    def read() -> int:
        tries.append(1)
        writer = threading.Thread(target=save, args=(tmp_path / "model", len(tries)))
        writer.start()
        writer.join(timeout=0.5)
        return saved_now(tmp_path / "model")

    assert read_folder(tmp_path / "model", read) < len(tries)
    assert len(tries) == reading._FREE_TRIES + 1


def saved_now(path: Path) -> int:
    return int(artefact._read(path, CPU, "recommender", None).items[0])


def test_damage_is_reported_at_once(tmp_path: Path) -> None:
    save(tmp_path / "model", 1)
    (tmp_path / "model" / "notes.json").write_text("{}")
    tries: list[int] = []

    def read() -> int:
        tries.append(1)
        return saved_now(tmp_path / "model")

    with pytest.raises(ArtefactError, match=r"is damaged: notes.json does not match its checksum"):
        read_folder(tmp_path / "model", read)
    with pytest.raises(ArtefactError, match="is not a saved model"):
        artefact.read(tmp_path / "nothing", CPU)
    assert tries == [1]
