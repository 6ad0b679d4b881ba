"""Models that were fitted, and cannot be saved where they should be."""

import re
from pathlib import Path

import pytest

from recsys_ae import Recommender
from recsys_ae.storage import artefact
from tests.cli.conftest import Run

FIT = ("fit", "ease", "--data", "sample", "--no-track", "--device", "cpu", "--quiet")


def appears(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another program make a folder after the checks before the fit."""
    genuine = artefact.refuse_to_write

    def check(path: Path, *, overwrite: bool) -> None:
        genuine(path, overwrite=overwrite)
        folder.mkdir()
        (folder / "theirs").touch()

    monkeypatch.setattr(artefact, "refuse_to_write", check)


def test_a_folder_that_appears_during_the_fit_stays_and_the_model_is_saved_next_to_it(
    cli: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    appears(here / "model", monkeypatch)
    outcome = cli(*FIT, "--out", "model")
    assert outcome.code == 1
    (line,) = outcome.err.strip().splitlines()
    assert re.search("model exists; .*--overwrite; nothing is lost: the model is saved in model.rescued-1", line)
    assert [path.name for path in (here / "model").iterdir()] == ["theirs"]
    assert Recommender.load(here / "model.rescued-1").spec.name() == "ease"


def test_a_blend_is_rescued_too(cli: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        assert cli(*FIT, "--out", name).code == 0
    appears(here / "mix", monkeypatch)
    outcome = cli("blend", "a", "b", "--out", "mix", "--device", "cpu")
    assert outcome.code == 1
    assert "the model is saved in mix.rescued-1" in outcome.err
    assert Recommender.load(here / "mix.rescued-1").spec.name() == "blend"
