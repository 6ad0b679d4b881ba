"""Models that cannot be saved where they should be are saved elsewhere."""

import errno
import re
import tempfile
from pathlib import Path

import pandas as pd
import pytest
import torch

from recsys_ae.errors import ArtefactError
from recsys_ae.storage import artefact, rescue
from recsys_ae.storage.artefact import Artefact

CPU = torch.device("cpu")


class Model:
    """A model with one number."""

    def __init__(self, number: object, full: tuple[Path, ...] = ()) -> None:
        self.number, self.full = number, full

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        if any(Path(path).is_relative_to(disk) for disk in self.full):
            with artefact.atomic.errors_named(f"save to {path}"):
                raise OSError(errno.ENOSPC, "No space left on device")
        artefact.write(Path(path), Artefact({}, pd.Index([1]), {}, {"n": self.number}), overwrite=overwrite)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def number(path: Path) -> int:
    return int(artefact.read(path, CPU).notes["n"])


def test_a_model_that_can_be_saved_is_saved(tmp_path: Path) -> None:
    rescue.save(Model(1), tmp_path / "model")
    rescue.save(Model(2), tmp_path / "model", overwrite=True)
    assert number(tmp_path / "model") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "temporary"]


def test_a_folder_that_appeared_meanwhile_stays_and_the_model_is_next_to_it(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis").touch()
    for n in (1, 2):
        with pytest.raises(ArtefactError) as caught:
            rescue.save(Model(n), tmp_path / "model")
        assert str(caught.value) == (
            f"{tmp_path / 'model'} exists; choose another folder, or replace it with overwrite = True; nothing is "
            f"lost: the model is saved in {tmp_path / 'model'}.rescued-{n}, and that folder can be moved and renamed"
        )
        assert number(tmp_path / f"model.rescued-{n}") == n
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["thesis"]


def test_a_model_whose_disk_is_full_is_among_the_temporary_files(tmp_path: Path, temporary: Path) -> None:
    with pytest.raises(ArtefactError, match="No space left on device; nothing is lost") as caught:
        rescue.save(Model(3, full=(tmp_path / "full",)), tmp_path / "full" / "model")
    place = re.search("is saved in (.*), and", str(caught.value))
    assert place is not None
    assert Path(place[1]).is_relative_to(temporary)
    assert number(Path(place[1])) == 3


def test_a_model_whose_name_is_too_long_gets_a_short_one(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="File name too long"):
        rescue.save(Model(4), tmp_path / ("x" * 300))
    (place,) = tmp_path.glob("x*")
    assert number(place) == 4


def test_what_cannot_be_saved_anywhere_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    for model, reason in ((Model(5, full=(tmp_path,)), "No space left"), (Model({1, 2}), "must be JSON")):
        with pytest.raises(ArtefactError, match=reason) as caught:
            rescue.save(model, tmp_path / "model")
        assert "nothing is lost" not in str(caught.value)
        assert list(temporary.iterdir()) == []
        assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


def test_the_folder_of_the_work_has_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis").touch()
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(ArtefactError, match="nothing is lost"):
        rescue.save(Model(6), Path())
    assert number(tmp_path / "work.rescued-1") == 6
