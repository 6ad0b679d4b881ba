"""Tests of the registry of splits: a new file in the folder is a new split."""

import sys
from pathlib import Path

import pytest

from recsys_ae.data.recipe import DataRecipe
from recsys_ae.data.splits import kinds
from recsys_ae.errors import ConfigError

FILE = '''
"""Every third interaction of a user."""

import numpy as np

from recsys_ae.data.splits.assign import TEST, TRAIN, split_by


def split(data, *, every: int = 3, split_seed: int = 0):
    place = np.arange(data.nnz) - data.matrix.indptr[:-1].repeat(np.diff(data.matrix.indptr))
    return split_by(data, np.where(place % every == every - 1, TEST, TRAIN), "every third", valid=False)
'''


@pytest.fixture
def third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a file that defines a split into a folder of the registry."""
    (tmp_path / "every_third.py").write_text(FILE, encoding="utf-8")
    (tmp_path / "_shared.py").write_text("raise AssertionError", encoding="utf-8")
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "recsys_ae.data.splits.kinds.every_third", raising=False)


def test_every_file_of_the_folder_is_a_split() -> None:
    (folder,) = kinds.__path__
    files = {path.stem for path in Path(folder).glob("*.py") if not path.stem.startswith("_")}
    assert {name.replace("-", "_") for name in kinds.names()} == files
    assert kinds.names()[0] == "strong"


@pytest.mark.parametrize("name", kinds.names())
def test_every_split_says_what_is_held_out(name: str) -> None:
    assert len(kinds.kind(name).summary) > 10


def test_what_a_split_takes_is_known_without_importing_it() -> None:
    assert kinds.that_take("valid_share") == ("weak", "time", "ratings", "given")
    assert kinds.that_take("test_users") == ("strong",)
    assert [name for name in kinds.names() if kinds.kind(name).parts] == ["given"]
    assert [name for name in kinds.names() if kinds.kind(name).rated] == ["ratings"]


def test_a_file_without_a_function_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.py").touch()
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
    with pytest.raises(ConfigError, match="the file of the split 'empty' defines no function split"):
        kinds.kind("empty")


@pytest.mark.usefixtures("third")
def test_a_new_file_is_a_new_split() -> None:
    assert kinds.names()[-1] == "every-third"
    assert kinds.kind("every-third").summary == "every third interaction of a user"
    thirds, halves = (DataRecipe(split_kind="every-third", split_settings=settings) for settings in ({}, {"every": 2}))
    assert thirds.split().test.targets.nnz < halves.split().test.targets.nnz
    assert DataRecipe.from_json(halves.as_json()) == halves
    assert halves.as_json()["every"] == 2
    assert DataRecipe.from_options({"split": "every-third", "every": 2, "k": 3}) == halves
