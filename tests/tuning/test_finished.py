"""Searches on the disk that have ended."""

import shutil
from pathlib import Path

import pytest

from recsys_ae.errors import ArtefactError
from recsys_ae.tuning import Tuned, tune
from recsys_ae.tuning.finished import is_search, read
from tests.single_thread import single_thread  # noqa: F401
from tests.tuning.small import CPU, split_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search") / "tuning"


@pytest.fixture(scope="module")
def tuned(folder: Path) -> Tuned:
    return tune(split_of(), models=["popularity", "ease", "als"], trials=5, run=CPU, out=folder)


def test_the_models_of_a_search_are_found(tuned: Tuned, folder: Path) -> None:
    search = read(folder)
    assert is_search(folder)
    assert not is_search(folder / "trials")
    assert [trial.as_dict() for trial in search.trials] == [trial.as_dict() for trial in tuned.trials]
    assert search.metric == tuned.metric
    winner = f"{tuned.best.title} (winner)"
    assert list(search.candidates) == [winner]
    assert search.baseline is not None
    assert search.baseline.startswith("als")
    assert all((path / "config.json").is_file() for path in search.models.values())
    assert tuned.test is not None
    assert {standing.name for standing in tuned.test.leaderboard.standings} <= set(search.models)


def test_saved_models_of_the_command_come_first(tuned: Tuned, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    for name in ("best", "blend"):
        tuned.model.save(copy / name)
    search = read(copy)
    winner, blend = search.candidates
    assert (search.models[winner], search.models[blend]) == (copy / "best", copy / "blend")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "there is no trial None"),
        ('{"metric": 3, "best": {"number": 1}}', "is damaged"),
        ('{"metric": "ndcg@100", "best": [1]}', "there is no trial None"),
        ("[" * 100_000, "is damaged"),
    ],
)
def test_a_damaged_result_names_the_way_out(tuned: Tuned, folder: Path, tmp_path: Path, text: str, said: str) -> None:
    assert tuned.folder == folder
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "leaderboard.json").write_text(text)
    with pytest.raises(ArtefactError, match=said) as caught:
        read(copy)
    assert "repeat the command of the search" in str(caught.value)
