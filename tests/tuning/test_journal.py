"""Folder of a search: what it keeps, whose it is, and damage."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_ae.errors import ArtefactError, ConfigError, RecsysError
from recsys_ae.tuning import tune
from recsys_ae.tuning.journal import MODEL, PROPOSAL, SEARCH, TRIAL, VALUES, Journal
from tests.single_thread import single_thread  # noqa: F401
from tests.tuning.small import CPU, proposal_of, searched, split_of, trial_of

IDENTITY = {"data": "abc", "models": ["ease"], "seed": 0}
HOLDER = """
import sys, time
from pathlib import Path
from recsys_ae.tuning.journal import Journal
with Journal(Path(sys.argv[1])).opened({"data": "abc", "models": ["ease"], "seed": 0}):
    print("open", flush=True)
    time.sleep(60)
"""


def test_trials_are_kept_by_number(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "folder")
    trials = [trial_of(number, settings={"l2": 1.5}) for number in (2, 10_001, 1)]
    with journal.opened(IDENTITY):
        for trial in trials:
            journal.begin(trial.proposal, 1.0)
            journal.end(trial)
        journal.begin(proposal_of("als", 3, iterations=2), 7.5)
        assert journal.trials() == sorted(trials, key=lambda trial: trial.number)
        assert journal.unfinished() == [(proposal_of("als", 3, iterations=2), 7.5)]
        assert journal.spent() == 7.5
    with journal.opened(IDENTITY):
        assert len(journal.trials()) == 3


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("seed", 1, "seed: 0, not 1"), ("models", ["als"], 'models: ["ease"], not ["als"]'), ("data", "x" * 99, "data: ")],
)
def test_another_search_is_refused_with_the_difference(tmp_path: Path, name: str, value: Any, said: str) -> None:
    with Journal(tmp_path).opened(IDENTITY):
        pass
    with (
        pytest.raises(ConfigError, match="holds a search with another setting of") as caught,
        Journal(tmp_path).opened({**IDENTITY, name: value}),
    ):
        pass
    assert said in str(caught.value)
    assert "set out to a new folder" in str(caught.value)


def test_foreign_folders_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder, said in [(tmp_path, "holds no search but other files"), (tmp_path / "file", "is not a folder")]:
        with pytest.raises(ArtefactError, match=said), Journal(folder).opened(IDENTITY):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_search_that_was_killed_at_its_beginning_begins(tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    with Journal(tmp_path).opened(IDENTITY):
        assert (tmp_path / SEARCH).is_file()


def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        try:
            with (
                pytest.raises(ArtefactError, match=r"another process searches in .* now; wait for its end, or set out"),
                Journal(tmp_path).opened(IDENTITY),
            ):
                pass
        finally:
            holder.kill()
    with Journal(tmp_path).opened(IDENTITY):
        pass


# Damage


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, bytes]:
    """Return the files of a search of two trials."""
    folder = tmp_path_factory.mktemp("search")
    searched(folder, 2, models=("popularity", "ease"))
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path, complete: dict[Path, bytes]) -> Path:
    for path, content in complete.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return tmp_path


def archive(**arrays: Any) -> Callable[[bytes], bytes]:
    def write(_: bytes) -> bytes:
        file = io.BytesIO()
        np.savez(file, **arrays)
        return file.getvalue()

    return write


def changed(**values: Any) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps({**json.loads(content), **values}).encode()


def without(name: str) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps(
        {key: value for key, value in json.loads(content).items() if key != name}
    ).encode()


def array_file(_: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


SECOND = f"trials/0002/{TRIAL}"
DAMAGE: list[tuple[str, Callable[[bytes], bytes]]] = [
    *((name, lambda content: content[: len(content) // 2]) for name in (SEARCH, SECOND, f"trials/0002/{VALUES}")),
    *((name, lambda _: b"") for name in (SEARCH, SECOND, f"trials/0002/{VALUES}")),
    *((name, lambda _: b"[1, 2]") for name in (SEARCH, SECOND)),
    *((name, lambda _: b"\xff\xfe\x00") for name in (SEARCH, SECOND)),
    (SECOND, lambda _: b"[" * 100_000),
    (SECOND, changed(value="high")),
    (SECOND, changed(number=7)),
    (SECOND, changed(settings=[1])),
    (SECOND, changed(settings={"l3": 1})),
    (SECOND, changed(settings={"l2": "x"})),
    (SECOND, changed(model="gone")),
    (SECOND, changed(model="als")),
    (SECOND, changed(status="won")),
    (SECOND, changed(more=1)),
    (SECOND, without("number")),
    (SECOND, lambda content: content.replace(b'"elapsed": ', b'"elapsed": NaN, "x": ')),
    (f"trials/0002/{VALUES}", archive(best=np.array([{}], dtype=object))),
    (f"trials/0002/{VALUES}", archive(best_0=np.array([{}], dtype=object))),
    (f"trials/0002/{VALUES}", archive(best_0=np.array(["a"]))),
    (f"trials/0002/{VALUES}", archive(best_0=np.zeros((2, 2)))),
    (f"trials/0002/{VALUES}", archive(best_0=np.zeros(3))),
    (f"trials/0002/{VALUES}", archive()),
    (f"trials/0002/{VALUES}", array_file),
    (f"trials/0002/{VALUES}", lambda _: b"\x80\x04N."),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGE)
def test_damage_is_one_clear_line(folder: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    with pytest.raises(RecsysError) as caught:
        searched(folder, 3, models=("popularity", "ease"))
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", [VALUES, f"{MODEL}/config.json", f"{MODEL}/state.safetensors"])
def test_a_missing_file_is_one_clear_line(folder: Path, name: str) -> None:
    path = folder / "trials/0002" / name
    path.unlink()
    with pytest.raises(ArtefactError) as caught:
        searched(folder, 2, models=("popularity", "ease"))
    assert str(path.parent) in str(caught.value)


def test_a_missing_model_without_epochs_is_fitted_again(folder: Path) -> None:
    path = folder / "trials/0002" / MODEL
    whole = (path / "state.safetensors").read_bytes()
    path.rename(folder.parent / "moved")
    searched(folder, 2, models=("popularity", "ease"))
    assert (path / "state.safetensors").read_bytes() == whole


def test_the_way_out_repeats_the_trial(folder: Path) -> None:
    import shutil

    before = searched(folder, 2, models=("popularity", "ease"))
    (folder / SECOND).write_bytes(b"{")
    with pytest.raises(ArtefactError, match=f"remove {folder}/trials/0002 to repeat the trial"):
        searched(folder, 2, models=("popularity", "ease"))
    shutil.rmtree(folder / "trials/0002")
    assert searched(folder, 2, models=("popularity", "ease")) == before


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"{", lambda _: b"", changed(model="als"), changed(number="x"), without("number"), changed(x=1)],
)
def test_a_damaged_proposal_of_a_running_trial_is_one_clear_line(
    folder: Path, damage: Callable[[bytes], bytes]
) -> None:
    (folder / SECOND).unlink()
    path = folder / "trials/0002" / PROPOSAL
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ArtefactError, match=r"remove .*0002 to repeat the trial"):
        tune(split_of(), models=("popularity", "ease"), trials=2, run=CPU, out=folder)


def test_an_empty_folder_of_a_trial_is_used(folder: Path) -> None:
    before = searched(folder, 2, models=("popularity", "ease"))
    for path in (folder / "trials/0002").rglob("*"):
        if path.is_file():
            path.unlink()
    assert searched(folder, 2, models=("popularity", "ease")) == before
