"""Checks of a folder's path before a model is fitted."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.errors import ArtefactError
from recsys_ae.storage import artefact
from recsys_ae.storage.artefact import refuse_to_write

Disk = namedtuple("Disk", "total used free")


def test_a_good_place_is_left_as_it_was(tmp_path: Path) -> None:
    refuse_to_write(tmp_path / "a" / "b" / "model", overwrite=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 256, "ü" * 128, f"{'x' * 300}/model", f"model/{'x' * 300}"])
def test_a_name_that_is_too_long_is_refused_before_the_work(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"cannot save to .*: File name too long: .* and at most 255 are possible"):
        refuse_to_write(tmp_path / name, overwrite=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 255, "ü" * 127])
def test_the_longest_name_can_be_saved(name: str, tmp_path: Path) -> None:
    refuse_to_write(tmp_path / name, overwrite=False)
    with artefact.atomic.whole_folder(tmp_path / name):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


def deep(home: Path, n_bytes: int) -> Path:
    """Return a path of this length below a folder."""
    rest = n_bytes - len(os.fsencode(home))
    whole, last = divmod(rest, 101)
    return home.joinpath(*["x" * 100] * whole, *(["y" * (last - 1)] if last > 1 else []))


def test_a_path_is_refused_from_the_length_at_which_its_files_could_not_be_written(tmp_path: Path) -> None:
    longest = len("/.01234567-01234567.partial") + len("/state.safetensors")
    for n_bytes in (*range(4096 - longest - 130, 4200, 7), 5000):
        path = deep(tmp_path, n_bytes)
        try:
            refuse_to_write(path, overwrite=False)
        except ArtefactError as error:
            assert f"cannot save to {path}: " in str(error)  # noqa: PT017
            assert n_bytes > 4096 - longest - 130
            continue
        path.parent.mkdir(parents=True)
        with artefact.atomic.whole_folder(path) as partial:
            (partial / "state.safetensors").touch()
        shutil.rmtree(next(tmp_path.iterdir()))
        assert n_bytes < 4096


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "a\0"])
def test_a_text_that_cannot_be_a_path_is_refused(name: str, tmp_path: Path) -> None:
    for use in (
        lambda: refuse_to_write(tmp_path / name, overwrite=False),
        lambda: artefact.read(tmp_path / name, None),  # type: ignore[arg-type]
    ):
        with pytest.raises(ArtefactError, match="cannot be the name of a file or folder"):
            use()


def test_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ArtefactError, match=f"cannot save to {tmp_path / 'a'}: .* is a link that leads back to itself"):
        refuse_to_write(tmp_path / "a", overwrite=False)


@settings(max_examples=30, deadline=None)
@given(free=st.integers(0, 10**12), needed=st.integers(0, 10**12))
def test_a_model_that_the_disk_has_no_room_for_is_refused(
    free: int, needed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: Disk(10**12, 0, free))
        if free >= needed:
            refuse_to_write(home / "model", overwrite=False, needed=needed)
            return
        with pytest.raises(ArtefactError, match=f"needs at least {needed:,} bytes, and {free:,} are free"):
            refuse_to_write(home / "model", overwrite=False, needed=needed)


def test_a_full_disk_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(10**12, 10**12, 0))
    with pytest.raises(
        ArtefactError, match=r"cannot save to .*model: the model needs at least .* bytes, and 0 are free"
    ):
        refuse_to_write(tmp_path / "model", overwrite=False)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(0, 0, 0))  # a file system that does not say
    refuse_to_write(tmp_path / "model", overwrite=False)


def test_a_disk_that_takes_no_new_folder_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, *_: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(ArtefactError, match=f"^cannot save to {tmp_path / 'model'}: Read-only file system$"):
        refuse_to_write(tmp_path / "model", overwrite=False)


def test_the_file_system_says_how_long_a_name_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pathconf", lambda _, name: {"PC_NAME_MAX": 143, "PC_PATH_MAX": 4096}[name])
    refuse_to_write(tmp_path / ("x" * 143), overwrite=False)
    with pytest.raises(ArtefactError, match="144 bytes, and at most 143 are possible"):
        refuse_to_write(tmp_path / ("x" * 144), overwrite=False)
