"""New files in the folders of data sets and of splits, on the command line."""

import json
from pathlib import Path

import pytest

from recsys_ae import Recommender
from tests.cli.conftest import FAST, Run
from tests.data.catalog.test_catalog import club
from tests.data.splits.test_kinds import third

__all__ = ["club", "third"]
FIT = ("fit", "ease", "--data", "club", "--split", "every-third", *FAST, "--quiet", "--out", "model")


@pytest.fixture
def members(club: Path) -> Path:
    lines = [f"{user},{item}" for user in range(30) for item in range(user % 3, 12, 1 + user % 2)]
    (club / "club.csv").write_text("\n".join(["user,item", *lines]))
    return club


@pytest.mark.usefixtures("third")
def test_a_model_learns_from_new_data_in_a_new_split(cli: Run, here: Path, members: Path) -> None:
    assert cli(*FIT, "--every", 2, "--data-dir", members).code == 0
    notes = json.loads((here / "model/notes.json").read_text(encoding="utf-8"))
    assert [notes["source"][name] for name in ("data", "split", "every")] == ["club", "every-third", 2]
    evaluated = cli("evaluate", "model", "--json")
    assert json.loads(evaluated.out)["fingerprint"] == notes["fingerprint"]
    assert Recommender.load(here / "model").recipe.split().fingerprint == notes["fingerprint"]
    assert "club" in cli("data", "list").out


@pytest.mark.usefixtures("third")
def test_options_of_the_new_split_are_its_own(cli: Run, members: Path) -> None:
    assert "--every INTEGER" in cli("fit", "ease", "--help").out
    outcome = cli("fit", "ease", "--every", 2, "--no-track")
    assert (outcome.code, outcome.error) == (
        2,
        "Error: --every needs --split every-third, not strong (see recsys-ae fit ease --help)",
    )


def test_a_model_fitted_in_python_is_evaluated_by_the_command_line(cli: Run, here: Path, ratings: Path) -> None:
    from recsys_ae.data.recipe import DataRecipe
    from recsys_ae.models import EASE

    split = DataRecipe(data=str(ratings), min_user_items=3).split()
    Recommender(EASE(l2=5)).fit(split.train, valid=split.valid).save(here / "model")
    assert json.loads(cli("evaluate", "model", "--json").out)["fingerprint"] == split.fingerprint
    Recommender(EASE()).fit(split.train.take(split.train.matrix.data > 0)).save(here / "memory")
    outcome = cli("evaluate", "memory")
    assert outcome.code == 1
    assert "has no data recipe" in outcome.error
