"""Atomic writes of files and folders."""

import errno
import time
from pathlib import Path
from typing import Any

import pytest

from recsys_ae.errors import ArtefactError
from recsys_ae.storage import atomic, locks
from recsys_ae.storage.atomic import errors_named, whole_file, whole_folder, write_bytes, write_text


class Sudden(BaseException):
    """Exception like that of Ctrl-C."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as partial:
        partial.write_text("half")
        assert names(tmp_path) == [partial.parent.name]
        assert partial.name == "a"  # with its ending, for libraries that write what the ending says
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "half"


def half_written(failure: BaseException, path: Path, inside: Path) -> None:
    with (whole_folder if path.is_dir() else whole_file)(path) as partial:
        (partial / inside).write_text("after")
        raise failure


@pytest.mark.parametrize("failure", [Sudden(), OSError(errno.ENOSPC, "No space left on device")], ids=repr)
def test_what_was_there_survives_a_failure(tmp_path: Path, failure: BaseException) -> None:
    write_text(tmp_path / "file", "before")
    with whole_folder(tmp_path / "folder") as partial:
        write_text(partial / "inside", "before")
    for name, inside in (("file", ""), ("folder", "inside")):
        with pytest.raises(type(failure)):
            half_written(failure, tmp_path / name, Path(inside))
    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "inside").read_text() == "before"


def test_a_folder_takes_the_place_of_a_former_one_with_all_that_was_in_it(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with whole_folder(tmp_path / "folder") as partial:
            (partial / "deep").mkdir()
            write_bytes(partial / "deep" / name, b"1")
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder" / "deep") == ["new"]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as first, whole_file(tmp_path / "a") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a").read_text() == "first"


def test_the_disk_is_waited_for_only_if_that_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(atomic, "flush", flushed.append)
    with whole_file(tmp_path / "cache", durable=False) as partial:
        partial.touch()
    assert flushed == []
    with whole_file(tmp_path / "model") as partial:
        partial.touch()
    assert flushed == [partial, tmp_path]


def test_an_error_of_the_system_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "a"
    with pytest.raises(ArtefactError, match=f"^cannot write {path}: No such file or directory$"):
        write_text(path, "text")
    with pytest.raises(ArtefactError, match=r"^cannot save to there: Is a directory$"), errors_named("save to there"):
        raise IsADirectoryError(errno.EISDIR, "Is a directory")


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_file_or_folder_that_appears_meanwhile_stays_if_it_is_not_to_be_replaced(tmp_path: Path) -> None:
    def write_while_another_does(write: Any, path: Path) -> None:
        with write(path, overwrite=False) as partial:
            (partial / "mine" if partial.is_dir() else partial).touch()
            write_text(path, "theirs") if write is whole_file else write_text(made(path) / "theirs", "theirs")

    with pytest.raises(FileExistsError):
        write_while_another_does(whole_file, tmp_path / "file")
    with pytest.raises(OSError, match="not empty"):
        write_while_another_does(whole_folder, tmp_path / "folder")
    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "theirs"
    assert names(tmp_path / "folder") == ["theirs"]


def test_an_empty_folder_is_always_replaced(tmp_path: Path) -> None:
    for overwrite in (False, True):
        (tmp_path / str(overwrite)).mkdir()
        with whole_folder(tmp_path / str(overwrite), overwrite=overwrite) as partial:
            (partial / "new").touch()
        assert names(tmp_path / str(overwrite)) == ["new"]


@pytest.mark.parametrize("in_one_step", [True, False])
def test_what_must_not_be_replaced_is_looked_at_last(
    tmp_path: Path, in_one_step: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_one_step:
        monkeypatch.setattr(atomic, "exchange", lambda *_: False)
    (tmp_path / "folder").mkdir()

    def refuse() -> None:
        if any((tmp_path / "folder").iterdir()):
            raise ArtefactError("there is something")

    with whole_folder(tmp_path / "folder", check=refuse):
        pass
    with pytest.raises(ArtefactError, match="there is something"), whole_folder(tmp_path / "folder", check=refuse):
        (tmp_path / "folder" / "theirs").touch()
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["theirs"]


def test_a_folder_inside_an_unfinished_one_is_written_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    with whole_folder(tmp_path / "outer") as outer, whole_folder(outer / "inner") as inner:
        write_text(inner / "file", "text")
    assert (tmp_path / "outer" / "inner" / "file").read_text() == "text"
    assert time.monotonic() - started < locks.PATIENCE / 2


def test_a_folder_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "folder") as partial:
        (partial / "deep").mkdir()
    atomic.remove_folder(tmp_path / "folder")
    atomic.remove_folder(tmp_path / "folder")
    assert names(tmp_path) == []
    atomic.put_back(tmp_path / "folder")
    assert names(tmp_path) == []
