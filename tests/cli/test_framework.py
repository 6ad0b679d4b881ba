"""An interruption says what is true, and the same command removes what is left, however late the signal came."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from recsys_ae.data import catalog, download
from recsys_ae.data.dataset_info import Remote
from recsys_ae.storage import atomic, leftovers
from tests.cli.conftest import FAST, Run


@pytest.fixture
def models(cli: Run, ratings: Path, here: Path) -> list[Path]:
    for name, l2 in (("a", 10), ("b", 1000)):
        assert cli("fit", "ease", "--data", ratings, *FAST, "--quiet", "--l2", l2, "--out", name).code == 0
    return [here / "a", here / "b"]


@pytest.mark.parametrize("late", ["flush", "remove"])
@pytest.mark.parametrize(
    ("words", "out", "truth"),
    [
        (["fit", "popularity", "--data", "{ratings}", *FAST, "--quiet"], "new", "the model is saved in new"),
        (["blend", "{a}", "{b}"], "new", "the model is saved in new"),
        (["recommend", "{a}"], "new.csv", "new.csv was saved"),
        (["data", "split", "{ratings}"], "new", "the split is saved in new"),
    ],
)
def test_an_interruption_after_the_result_has_its_name(
    cli: Run, models: list[Path], ratings: Path, late: str, words: list[str], out: str, truth: str
) -> None:
    """The disk is flushed and temporary files are removed after the rename that finishes a result."""
    here = models[0].parent
    places = {"ratings": ratings, "a": models[0], "b": models[1]}
    command = [*(word.format(**places) for word in words), "--out", out]
    genuine = {"flush": atomic.flush, "remove": leftovers.remove}

    def interrupted(path: Path) -> None:
        if (here / out).exists():
            raise KeyboardInterrupt
        genuine[late](path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic if late == "flush" else leftovers, late, interrupted)
        outcome = cli(*command)
    assert (outcome.code, outcome.err.splitlines()[-1]) == (130, f"Interrupted: {truth}")
    again = cli(*command)
    assert again.code == 1
    assert again.error.startswith(f"Error: {out} exists")
    assert sorted(path.name for path in here.iterdir()) == ["a", "b", out]


def test_an_interruption_before_that_leaves_the_former_result(cli: Run, models: list[Path], here: Path) -> None:
    command = ["recommend", models[0], "--out", "top.csv", "--overwrite"]
    assert cli(*command).code == 0
    former = (here / "top.csv").read_bytes()

    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic, "flush", interrupted)
        assert cli(*command).error == "Interrupted: nothing was saved"
    assert (here / "top.csv").read_bytes() == former


def test_an_interruption_after_a_download_says_where_it_is(
    cli: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"archive"
    files = (Remote("http://127.0.0.1/a.zip", "ml-1m.zip", f"md5:{hashlib.md5(content).hexdigest()}"),)
    monkeypatch.setattr(download, "info", lambda name: replace(catalog.info(name), files=files))
    monkeypatch.setattr(download, "transfer", lambda _url, file, _most, **_: file.write(content))

    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(leftovers, "remove", interrupted)
        outcome = cli("data", "fetch", "ml-1m", "--data-dir", here)
    assert outcome.code == 130
    assert outcome.err.splitlines()[-1] == f"Interrupted: ml-1m is saved in {here / 'ml-1m.zip'}"
    assert (here / "ml-1m.zip").read_bytes() == content
