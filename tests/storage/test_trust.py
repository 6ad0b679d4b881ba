"""Key and mark of the user: made once, private, never in the way of a save."""

import json
import multiprocessing
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from recsys_ae.storage import artefact, trust
from recsys_ae.storage.artefact import Artefact

CPU = torch.device("cpu")
DIGEST = "ab" * 32


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the state folder of a user who has no key yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "recsys_ae"


def saved(folder: Path) -> Path:
    artefact.write(folder, Artefact({}, pd.Index([1]), {"a": torch.zeros(1)}, {"n": 1}))
    return folder


def doubt(folder: Path) -> str | None:
    return artefact.read(folder, CPU).doubt


def test_the_key_is_private_and_made_once(state: Path, tmp_path: Path) -> None:
    assert doubt(saved(tmp_path / "first")) is None
    key = state / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    content = key.read_bytes()
    assert len(bytes.fromhex(content.decode())) == 32
    assert doubt(saved(tmp_path / "second")) is None
    assert key.read_bytes() == content
    assert [path.name for path in state.iterdir()] == ["key"]


def test_the_key_is_in_the_home_folder_unless_the_environment_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in (None, "", "relative/path"):
        if value is None:
            monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        else:
            monkeypatch.setenv("XDG_STATE_HOME", value)
        assert trust.state_folder() == tmp_path / ".local" / "state" / "recsys_ae"
    assert trust.mark(DIGEST) is not None
    assert (tmp_path / ".local" / "state" / "recsys_ae" / "key").exists()


def _marked(start: Path, home: str) -> str | None:
    while not start.exists():
        pass
    os.environ["XDG_STATE_HOME"] = home
    return trust.mark(DIGEST)


def test_processes_that_race_for_the_key_make_one(tmp_path: Path) -> None:
    for attempt in range(5):
        home, start = tmp_path / f"state{attempt}", tmp_path / f"start{attempt}"
        with multiprocessing.get_context("fork").Pool(4) as pool:
            marks = pool.starmap_async(_marked, [(start, str(home))] * 4)
            start.touch()
            assert len({*marks.get(timeout=60)}) == 1
        assert [path.name for path in (home / "recsys_ae").iterdir()] == ["key"]


def test_a_mark_is_for_one_content_and_one_key(state: Path) -> None:
    mark = trust.mark(DIGEST)
    assert trust.doubt(DIGEST, mark) is None
    for other in (None, "", "ab" * 32, mark[:-1] if mark else "", f"{mark}x", 7, [mark], {"a": mark}, "é", "\ud800"):
        assert trust.doubt(DIGEST, other) == trust.UNMARKED
    assert trust.doubt("cd" * 32, mark) == trust.UNMARKED
    (state / "key").write_text("00" * 32)
    assert trust.doubt(DIGEST, mark) == trust.UNMARKED
    (state / "key").unlink()
    assert trust.doubt(DIGEST, mark) == trust.UNMARKED
    assert not (state / "key").exists()  # only a save makes a key


KEYS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda key: key.write_bytes(b""), "is damaged"),
    "short": (lambda key: key.write_text("ab" * 31), "is damaged"),
    "long": (lambda key: key.write_text("ab" * 33), "is damaged"),
    "no hexadecimal number": (lambda key: key.write_text("xy" * 32), "is damaged"),
    "binary": (lambda key: key.write_bytes(bytes(range(256))), "is damaged"),
    "open to others": (lambda key: (key.write_text("ab" * 32), key.chmod(0o644)), "they can read it"),
    "a pipe": (lambda key: (key.unlink(), os.mkfifo(key, 0o600)), "is not a file"),
    "a folder": (lambda key: (key.unlink(), key.mkdir(mode=0o700)), "is not a file"),
    "a device": (lambda key: (key.unlink(), key.symlink_to("/dev/zero")), "is not a file"),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_that_cannot_be_used_is_refused_but_no_save_is(kind: str, state: Path, tmp_path: Path) -> None:
    saved(tmp_path / "before")
    change, said = KEYS[kind]
    change(state / "key")
    assert "mark" not in json.loads((saved(tmp_path / "after") / "config.json").read_text())
    for folder in ("before", "after"):
        sentence = doubt(tmp_path / folder)
        assert sentence is not None
        assert said in sentence
        assert str(state / "key") in sentence
        assert "\n" not in sentence


def test_without_a_place_for_a_key_a_model_is_saved_without_a_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", Path("/dev/null"), Path("/proc/nowhere")):
        monkeypatch.setenv("XDG_STATE_HOME", str(home))
        folder = saved(tmp_path / f"model{home.name}")
        assert doubt(folder) is not None
        if home.exists():
            assert f"cannot be made, because {home} is not writable" in (doubt(folder) or "")

    monkeypatch.setenv("HOME", "")
    monkeypatch.setenv("XDG_STATE_HOME", "")
    assert "set HOME or XDG_STATE_HOME" in (doubt(saved(tmp_path / "no home")) or "")

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert "set HOME or XDG_STATE_HOME" in (doubt(saved(tmp_path / "homeless")) or "")


def test_a_copied_or_moved_model_keeps_its_mark_and_a_changed_one_does_not(state: Path, tmp_path: Path) -> None:
    import shutil

    folder = saved(tmp_path / "model")
    shutil.copytree(folder, tmp_path / "copy")
    folder.rename(tmp_path / "moved")
    assert doubt(tmp_path / "copy") is doubt(tmp_path / "moved") is None
    from tests.storage.mutated import seal

    (tmp_path / "copy" / "notes.json").write_text('{"n": 2}')
    seal(tmp_path / "copy")
    assert doubt(tmp_path / "copy") == trust.UNMARKED
    assert artefact.read(tmp_path / "copy", CPU).notes == {"n": 2}


def test_a_model_of_another_user_has_no_mark_of_this_one(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = saved(tmp_path / "theirs")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert doubt(theirs) == trust.UNMARKED
    saved(tmp_path / "own")
    assert doubt(theirs) == trust.UNMARKED
    assert doubt(tmp_path / "own") is None


def test_the_checksum_does_not_depend_on_who_saves(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier versions read models with a mark: it is under the checksum, and there is no new file."""
    config = json.loads((saved(tmp_path / "model") / "config.json").read_text())
    assert len(config["mark"]) == 64
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "config.json", "items.json", "notes.json", "state.safetensors",
    }  # fmt: skip
