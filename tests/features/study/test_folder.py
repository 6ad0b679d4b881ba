"""Folder of a study: a study that was killed at any moment goes on."""

import json
from pathlib import Path

import numpy as np
import pytest

from recsys_ae.errors import ArtefactError
from recsys_ae.features.study import folder, store
from recsys_ae.features.study.store import Measured, Shelf
from recsys_ae.storage.leftovers import PARTIAL, temporary_name
from tests.features.study.small import plan
from tests.storage.killed import KILL, run_killed

GROUP = {"steps": ["latent"], "models": ["pca"], "latents": [2]}
BEGIN = (
    "from recsys_ae.features.study import folder\nfrom tests.features.study.small import plan\n"
    f"def kill(*_):\n    {KILL}"
    "{stage} = kill\n"
    f"folder.begin(Path(sys.argv[1]), plan({GROUP!r}), 'command')\n"
)


@pytest.mark.parametrize("stage", ["Path.write_bytes", "atomic.flush"])
def test_a_study_that_was_killed_while_it_began_goes_on(stage: str, tmp_path: Path) -> None:
    run_killed(BEGIN.replace("{stage}", stage), tmp_path / "out")
    assert not (tmp_path / "out" / "study.json").exists()
    assert folder.asked(tmp_path / "out") is None
    folder.refuse_foreign(tmp_path / "out")
    folder.begin(tmp_path / "out", plan(GROUP), "command")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["study.json"]
    assert folder.asked(tmp_path / "out") == "command"


def test_an_empty_folder_takes_a_study(tmp_path: Path) -> None:
    folder.refuse_foreign(tmp_path)
    folder.refuse_foreign(tmp_path / "missing")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_an_incomplete_description_is_written_anew(share: float, tmp_path: Path) -> None:
    folder.begin(tmp_path, plan(GROUP), "command")
    content = (tmp_path / "study.json").read_bytes()
    (tmp_path / "study.json").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ArtefactError, match=r"study.json is damaged: .*; run the study again, which writes the file"):
        folder.asked(tmp_path)
    folder.refuse_foreign(tmp_path)
    folder.begin(tmp_path, plan(GROUP), "command")
    assert (tmp_path / "study.json").read_bytes() == content


def test_leftovers_in_all_folders_of_a_study_are_removed_when_it_goes_on(tmp_path: Path) -> None:
    for place in ("", "fits/pca-z2-s0-0123456789ab", "figures"):
        left = temporary_name(tmp_path / place / "file", PARTIAL)
        left.mkdir(parents=True)
        (left / "file").touch()
    folder.refuse_foreign(tmp_path / "figures")
    (tmp_path / "study.json").write_text("{}")
    folder.begin(tmp_path, plan(GROUP), "command")
    assert not list(tmp_path.rglob(f"*.{PARTIAL}"))


@pytest.mark.parametrize("name", ["thesis.tex", ".partial", ".study.json", "study.partial"])
def test_a_folder_of_other_files_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    temporary_name(tmp_path / "study.json", PARTIAL).mkdir()
    with pytest.raises(ArtefactError, match="holds no study but other files"):
        folder.refuse_foreign(tmp_path)


def test_numbers_never_belong_to_arrays_of_another_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, old, new = Shelf(tmp_path), {"k": 1}, {"k": 2}
    shelf.keep("map", old, Measured({"n": 1}, {"points": np.zeros(2)}))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        shelf.keep("map", new, Measured({"n": 2}, {"points": np.ones(2)}))
    monkeypatch.undo()
    assert not shelf.has("map", old)
    assert not shelf.has("map", new)
    shelf.keep("map", new, Measured({"n": 3}))
    measured = shelf.measured("map")
    assert measured is not None
    assert (measured.numbers, dict(measured.arrays)) == ({"n": 3}, {})
    assert json.loads((tmp_path / "map.json").read_text())["of"] == new
