"""Tests of the registry of data sets: a new file in the folder is a new data set."""

import subprocess
import sys
from pathlib import Path

import pytest

from recsys_ae.data import catalog, named
from recsys_ae.data.dataset_info import CatalogEntry
from recsys_ae.errors import ConfigError, DataError

FILE = '''
"""Likes of a small club."""

from recsys_ae.data.dataset_info import CatalogEntry, Dataset, Info
from recsys_ae.data.readers.read import read_interactions

INFO = Info("club", "Likes of a small club", 6, 3, 3, 0, "none", "https://example.org/club", ())


def find(folder):
    place = folder / "club.csv"
    return place if place.is_file() else None


def read(place, options):
    return Dataset("club", read_interactions(place, duplicates=options.duplicates))


DATASETS = (CatalogEntry(INFO, read, find, "club.csv"),)
'''


@pytest.fixture
def club(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a file that describes a data set into a folder of the registry; return the folder for its data."""
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets/some_club.py").write_text(FILE, encoding="utf-8")
    (tmp_path / "sets/_shared.py").write_text("raise AssertionError", encoding="utf-8")
    monkeypatch.setattr(catalog, "__path__", [*catalog.__path__, str(tmp_path / "sets")])
    monkeypatch.delitem(sys.modules, "recsys_ae.data.catalog.some_club", raising=False)
    return tmp_path


def test_the_folder_holds_data_sets_only() -> None:
    (folder,) = catalog.__path__
    for path in Path(folder).glob("[!_]*.py"):
        module = __import__(f"recsys_ae.data.catalog.{path.stem}", fromlist=["DATASETS"])
        assert all(isinstance(entry, CatalogEntry) for entry in module.DATASETS), path


def test_a_new_file_is_a_new_data_set(club: Path) -> None:
    assert named.names()[-1] == "club"
    assert named.find("club", club) is None
    with pytest.raises(
        DataError, match=r"club is not in .*; expected club\.csv; download it from https://example\.org/club"
    ):
        named.load("club", data_dir=club)
    (club / "club.csv").write_text("user,item\n1,1\n1,2\n2,2\n2,3\n3,1\n3,3\n")
    assert named.load("club", data_dir=club).interactions.counts == (6, 3, 3)
    with pytest.raises(ConfigError, match="club has no published folds to choose from"):
        named.load("club", data_dir=club, fold="u1")
    with pytest.raises(ConfigError, match="no data set 'clup'; did you mean 'club'"):
        named.info("clup")


def test_listing_loads_no_pytorch() -> None:
    code = "import sys; from recsys_ae.data import catalog; catalog.names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
