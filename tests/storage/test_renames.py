"""Renames in one step, and the ways of systems that do not have them."""

import errno
import os
from pathlib import Path

import pytest

from recsys_ae.storage import atomic, renames
from recsys_ae.storage.atomic import whole_folder
from recsys_ae.storage.renames import exchange, rename_to_unused


def refused(code: int) -> "type":
    def call(*_: object) -> int:
        renames.ctypes.set_errno(code)
        return -1

    return call  # type: ignore[return-value]


def two_folders(home: Path) -> tuple[Path, Path]:
    for name in ("old", "new"):
        (home / name).mkdir()
        (home / name / name).touch()
    return home / "old", home / "new"


@pytest.mark.skipif(renames._renameat2() is None, reason="the system cannot exchange two paths in one step")
def test_two_folders_are_exchanged(tmp_path: Path) -> None:
    old, new = two_folders(tmp_path)
    assert exchange(old, new)
    assert [path.name for path in (*old.iterdir(), *new.iterdir())] == ["new", "old"]
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "nowhere", new)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, None])
def test_a_system_without_the_call_replaces_folders_in_two_steps(
    code: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renames, "_renameat2", lambda: None if code is None else refused(code))
    old, new = two_folders(tmp_path)
    assert not exchange(old, new)
    with whole_folder(old) as partial:
        (partial / "newest").touch()
    assert [path.name for path in old.iterdir()] == ["newest"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_an_error_of_the_call_itself_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renames, "_renameat2", lambda: refused(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        exchange(*two_folders(tmp_path))


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("call", [True, False])
def test_a_file_is_never_replaced(links: bool, call: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not call:
        monkeypatch.setattr(renames, "_renameat2", lambda: None)
    if not links:
        monkeypatch.setattr(os, "link", refuse_to_link)
    for name in ("source", "target"):
        (tmp_path / name).write_text(name)
    with pytest.raises(FileExistsError):
        rename_to_unused(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_text() == "target"
    rename_to_unused(tmp_path / "source", tmp_path / "free")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["free", "target"]
    assert (tmp_path / "free").read_text() == "source"


def refuse_to_link(*_: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_folder_that_another_process_puts_there_meanwhile_is_replaced(
    in_one_step: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, target, appeared = Path.rename, tmp_path / "folder", []

    def rename(self: Path, to: Path) -> Path:
        if not appeared:
            appeared.append(target)
            target.mkdir()
            (target / "theirs").touch()
        return genuine(self, to)

    monkeypatch.setattr(Path, "rename", rename)
    if not in_one_step:
        monkeypatch.setattr(atomic, "exchange", lambda *_: False)
    with whole_folder(target) as partial:
        (partial / "mine").touch()
    assert appeared
    assert [path.name for path in target.iterdir()] == ["mine"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
