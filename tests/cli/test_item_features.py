"""Item features on the command line: a fit with features, and recommendations of cold items."""

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import FAST, ITEMS, USERS, Run

NEW = ("new a", "new b", "new c")


@pytest.fixture
def vectors(here: Path) -> Path:
    """Return a table of features of most items, and of three cold items."""
    known = list(ITEMS)[2:]
    table = pd.DataFrame({"item": [*known, *NEW]})
    table["one"] = [place % 3 for place in range(len(table))]
    table["two"] = [place % 5 for place in range(len(table))]
    path = here / "vectors.csv"
    table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("model", ["ease", "mult-dae", "cease", "content-knn"])
def test_new_items_are_recommended(cli: Run, here: Path, ratings: Path, vectors: Path, model: str) -> None:
    short = ("--epochs", "2") if model == "mult-dae" else ()
    fitted = cli("fit", model, "--data", ratings, *FAST, *short, "--item-features", vectors, "--out", "m")
    assert fitted.code == 0, fitted.err
    assert f"--item-features {vectors}" in fitted.out
    outcome = cli("recommend", "m", "--out", "top.csv", "--k", 3, "--cold-items", vectors, "--only-cold")
    assert outcome.code == 0, outcome.err
    assert "Note: 3 of 25 items are cold; the model knows the others" in outcome.err
    top = pd.read_csv(here / "top.csv")
    assert set(top["item"]) == set(NEW)
    assert len(top) == 3 * len(USERS)
    mixed = cli("recommend", "m", "--out", "mixed.csv", "--k", 40, "--cold-items", vectors)
    assert mixed.code == 0
    assert set(NEW) < set(pd.read_csv(here / "mixed.csv")["item"].astype(str))


def test_what_cannot_be_is_said_in_one_line(cli: Run, here: Path, ratings: Path, model: Path, vectors: Path) -> None:
    def refused(*words: object) -> str:
        outcome = cli(*words)
        assert outcome.code != 0
        assert not (here / "x").exists()
        assert not (here / "x.csv").exists()
        return outcome.err

    base = ("fit", "ease", "--data", ratings, *FAST, "--out", "x")
    assert "there is no such file" in refused(*base, "--item-features", "nowhere.csv")
    other = here / "other.csv"
    pd.DataFrame({"item": ["p", "q"], "one": [1, 2]}).to_csv(other, index=False)
    assert "none of the " in refused(*base, "--item-features", other)
    infinite = here / "infinite.csv"
    pd.DataFrame({"item": ITEMS, "one": float("inf")}).to_csv(infinite, index=False)
    assert "a value is infinite" in refused(*base, "--item-features", infinite)
    recommend = ("recommend", model, "--out", "x.csv")
    assert "was fitted without item features" in refused(*recommend, "--cold-items", vectors)
    assert "needs the features of cold items; give --cold-items" in refused(*recommend, "--only-cold")
    with_vectors = ("fit", "ease", "--data", ratings, *FAST, "--item-features", vectors, "--quiet", "--out", "m")
    assert cli(*with_vectors).code == 0
    known = here / "known.csv"
    pd.read_csv(vectors).iloc[:-3].to_csv(known, index=False)
    assert "so none is cold" in refused("recommend", "m", "--out", "x.csv", "--cold-items", known)
    narrow = here / "narrow.csv"
    pd.read_csv(vectors)[["item", "one"]].to_csv(narrow, index=False)
    assert "1 of 2 columns are missing, the first is 'two'" in refused(
        "recommend", "m", "--out", "x.csv", "--cold-items", narrow
    )


def test_a_dry_run_counts_the_features(cli: Run, ratings: Path, vectors: Path) -> None:
    outcome = cli("fit", "ease", "--data", ratings, *FAST, "--item-features", vectors, "--dry-run")
    assert outcome.code == 0
    assert "item features" in outcome.out
