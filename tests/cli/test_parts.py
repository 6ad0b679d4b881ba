"""Data in parts from the command line: folders, patterns, standard input and conditions, with all commands."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import FAST, Run
from tests.single_thread import single_thread  # noqa: F401


@pytest.fixture
def parts(here: Path, ratings: Path) -> Path:
    """Return a folder of parts with the rows of the ratings, in folders that name a season."""
    frame = pd.read_csv(ratings, dtype={"itemId": str})
    for number in range(6):
        folder = here / "events" / f"season={('dry', 'wet')[number % 2]}"
        folder.mkdir(parents=True, exist_ok=True)
        frame.iloc[number::6].to_parquet(folder / f"part-{number}.parquet", index=False)
    (here / "events" / "_SUCCESS").touch()
    return here / "events"


@pytest.mark.parametrize("place", ["events", "events/*/part-*.parquet", "file"])
def test_a_folder_is_like_a_file(cli: Run, here: Path, ratings: Path, parts: Path, place: str) -> None:
    data = parts.as_uri() if place == "file" else place
    words = ["fit", "ease", "--l2", "5", *FAST, "--quiet"]
    assert cli(*words, "--data", ratings, "--out", "one").code == 0
    fitted = cli(*words, "--data", data, "--out", "many")
    assert fitted.code == 0, fitted.err
    assert "read 6 parts" in fitted.err
    one, many = (json.loads(cli("evaluate", name, "--json").out) for name in ("one", "many"))
    # The order of the rows differs, and with it that of equal times, but not the interactions.
    assert many["users"] == one["users"]
    assert many["metrics"]["ndcg@100"]["mean"] == pytest.approx(one["metrics"]["ndcg@100"]["mean"], abs=0.05)
    assert cli("recommend", "many", "--histories", data, "--out", "top.csv").code == 0


def test_a_condition_is_kept_with_the_model(cli: Run, here: Path, parts: Path) -> None:
    fitted = cli("fit", "ease", "--data", parts, "--where", "season = dry and rating >= 2", *FAST, "--out", "m")
    assert fitted.code == 0, fitted.err
    assert "read 3 parts" in fitted.err
    assert "rows fulfil the condition season = dry and rating >= 2" in fitted.err
    again = cli("evaluate", "m")
    assert again.code == 0
    assert json.loads((here / "m" / "notes.json").read_text())["source"]["where"] == "season = dry and rating >= 2"
    assert cli("refit", "m", "--quiet", "--no-track").code == 0


def test_standard_input_is_read(program: Run, here: Path, ratings: Path) -> None:
    with ratings.open("rb") as file:
        fitted = program("fit", "ease", "--data", "-", *FAST, "--quiet", "--out", "m", stdin=file)
    assert fitted.code == 0, fitted.err
    nothing = program("evaluate", "m", stdin=-3)
    assert nothing.code == 1
    assert "there is nothing on standard input" in nothing.error
    found = program("evaluate", "m", "--data", ratings)
    assert found.code == 0, found.err
    with ratings.open("rb") as file:
        lists = program("recommend", "m", "--histories", "-", "--k", "3", "--out", "top.csv", stdin=file)
    assert lists.code == 0, lists.err
    assert len((here / "top.csv").read_text("utf-8")) > 1000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "events", "--where", "season"), "--where season: expected a condition such as"),
        (("--data", "events", "--where", "age > 3"), "there is no column age; the columns are: userId"),
        (("--data", "events", "--where", "rating > x"), "--where 'rating > x': rating holds numbers"),
        (("--data", "events", "--where", "season = hot"), "none of the 6 parts fulfils the condition season = hot"),
        (("--data", "events/*.csv"), "no file matches the pattern"),
        (("--data", "sample", "--where", "rating > 3"), "--where applies to files; sample is a named data set"),
    ],
)
def test_what_is_wrong_is_one_line(cli: Run, parts: Path, words: tuple[str, ...], said: str) -> None:
    outcome = cli("fit", "ease", *words, *FAST, "--out", "m")
    assert outcome.code in (1, 2)
    assert said in outcome.error


def test_a_damaged_part_is_named(cli: Run, here: Path, parts: Path) -> None:
    broken = parts / "season=dry" / "part-2.parquet"
    broken.write_bytes(broken.read_bytes()[:-20])
    outcome = cli("fit", "ease", "--data", parts, *FAST, "--out", "m")
    assert outcome.code == 1
    assert "season=dry/part-2.parquet: the file is not a complete Parquet file" in outcome.error
    shutil.rmtree(parts)
    assert "there is no such file" in cli("fit", "ease", "--data", parts, *FAST, "--out", "m").error
