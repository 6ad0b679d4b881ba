"""``recsys-ae similar``: the most similar items."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import AWKWARD, FAST, Run


def test_items_of_the_same_taste_are_alike(cli: Run, model: Path) -> None:
    outcome = cli("similar", model, "film 2", "--k", 3)
    found = [int(number) for number in re.findall(r"^ +\d+ +film (\d+)", outcome.out, re.MULTILINE)]
    assert found
    assert all(number % 2 == 0 for number in found)


def test_titles_stand_next_to_the_ids(cli: Run, sample_model: Path) -> None:
    outcome = cli("similar", sample_model, 1, 2, "--k", 2)
    assert re.match(r"Similar to 1 .*\(\d{4}\):\nrank +item +title +cosine\n", outcome.out)
    assert len(re.findall(r"^ +\d+ +\d+ +.*\(\d{4}\) +-?\d\.\d{4}$", outcome.out, re.MULTILINE)) == 4


@pytest.mark.parametrize("item", AWKWARD)
def test_awkward_ids_are_understood(cli: Run, model: Path, item: str) -> None:
    assert f"Similar to {item}:" in cli("similar", model, item).out


def test_an_unknown_id_suggests_those_like_it(cli: Run, model: Path, sample_model: Path) -> None:
    outcome = cli("similar", model, "film 2", "FILM 1")
    assert outcome.code == 1
    assert "film 1, film 10" in outcome.error
    title = cli("similar", sample_model, 1, "--k", 1).out.splitlines()[0].split(" ", 3)[3]
    assert f"1 {title[:-1]}" in cli("similar", sample_model, title[:-8].lower()).error


def test_mistakes_end_in_one_line(cli: Run, here: Path, ratings: Path, model: Path) -> None:
    assert cli("similar", model).code == 2
    assert cli("similar", model, "film 2", "--k", 0).code == 2
    assert cli("fit", "popularity", "--data", ratings, *FAST, "--out", "popular").code == 0
    outcome = cli("similar", "popular", "film 2")
    assert outcome.code == 1
    assert "popularity cannot compare items" in outcome.error
