"""``recsys-ae predict``: ratings of pairs of user and item."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_ae import Recommender, read_interactions
from recsys_ae_cli.commands import predict
from tests.cli.conftest import AWKWARD, Run


def write(path: Path, columns: Sequence[str], lines: Sequence[Sequence[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *lines])
    return path


def rows(text: str) -> list[tuple[str, str, float]]:
    found = list(csv.DictReader(text.splitlines()))
    return [(row["user"], row["item"], float(row["rating"])) for row in found]


PAIRS = [("u3", "film 3"), ("🧍", AWKWARD[0]), ("u3", AWKWARD[1]), ("user, one", "film 9"), ("u3", "film 3")]


def expected(model: Recommender, ratings: Path, pairs: Sequence[tuple[str, str]]) -> list[float]:
    data = read_interactions(ratings).onto(model.items)
    users = data.users.get_indexer(pd.Index([user for user, _ in pairs]))
    items = model.items.get_indexer(pd.Index([item for _, item in pairs]))
    found: list[float] = model.predict(data.matrix, (users, items), users=data.users).tolist()
    return found


def test_ratings_come_in_the_order_of_the_pairs_and_as_the_library_predicts_them(
    cli: Run, here: Path, ratings: Path, rated_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "CHUNK", 2)
    write(here / "pairs.csv", ("item", "user"), [(item, user) for user, item in PAIRS])
    outcome = cli("predict", rated_model, "--pairs", "pairs.csv", "--out", "-")
    assert (outcome.code, outcome.err) == (0, "5 ratings\n")
    found = rows(outcome.out)
    assert [(user, item) for user, item, _ in found] == PAIRS
    known = expected(Recommender.load(rated_model), ratings, PAIRS)
    assert [rating for *_, rating in found] == pytest.approx(known, rel=1e-5)
    assert all(1 <= rating <= 5 for rating in known)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_files_of_every_form_hold_the_same(cli: Run, here: Path, rated_model: Path, ending: str) -> None:
    write(here / "pairs.csv", ("user", "item"), PAIRS)
    outcome = cli("predict", rated_model, "--pairs", "pairs.csv", "--out", f"ratings.{ending}")
    assert outcome.error == f"5 ratings in ratings.{ending}"
    reading = {
        "csv": pd.read_csv,
        "parquet": pd.read_parquet,
        "jsonl": lambda path: pd.DataFrame(map(json.loads, path.read_text(encoding="utf-8").splitlines())),
    }
    table = reading[ending](here / f"ratings.{ending}")
    assert list(table.columns) == ["user", "item", "rating"]
    assert list(zip(table["user"], table["item"], strict=True)) == PAIRS


def test_pairs_that_name_nothing_known_are_left_out_and_counted(cli: Run, here: Path, rated_model: Path) -> None:
    pairs = [("u3", "film 3"), ("nobody", "film 3"), ("u3", "no film"), ("nobody", "no film"), ("u4", "film 3")]
    write(here / "pairs.csv", ("user", "item"), pairs)
    outcome = cli("predict", rated_model, "--pairs", "pairs.csv", "--out", "-")
    assert outcome.code == 0
    assert [(user, item) for user, item, _ in rows(outcome.out)] == [pairs[0], pairs[4]]
    assert outcome.err.splitlines() == [
        "pairs.csv: skipped 2 pairs with unknown users",
        "pairs.csv: skipped 2 pairs with unknown items",
        "2 ratings",
    ]
    write(here / "none.csv", ("user", "item"), pairs[1:2])
    nothing = cli("predict", rated_model, "--pairs", "none.csv", "--out", "-")
    assert (nothing.code, nothing.out) == (0, "user,item,rating\n")


def test_new_users_have_their_ratings_in_a_file(cli: Run, here: Path, ratings: Path, rated_model: Path) -> None:
    history = [("new", "film 2", 5), ("new", "film 4", 4), ("new", "film 1", 1)]
    write(here / "new.csv", ("user", "item", "rating"), history)
    write(here / "pairs.csv", ("user", "item"), [("new", "film 6"), ("u3", "film 3")])
    found = rows(cli("predict", rated_model, "--pairs", "pairs.csv", "--histories", "new.csv", "--out", "-").out)
    model = Recommender.load(rated_model)
    matrix = np.zeros((1, len(model.items)), np.float32)
    for _, item, rating in history:
        matrix[0, model.items.get_loc(item)] = rating
    from scipy.sparse import csr_matrix

    alone = model.predict(csr_matrix(matrix), ([0], [model.items.get_loc("film 6")]))  # type: ignore[arg-type]
    assert found[0][2] == pytest.approx(float(alone[0]), rel=1e-5)
    assert found[1][2] == pytest.approx(expected(model, ratings, [("u3", "film 3")])[0], rel=1e-5)


def test_the_data_of_the_fit_are_not_needed_where_all_users_are_in_the_file(
    cli: Run, here: Path, rated_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys_ae_cli.lists.user_rows.known", lambda *_: pytest.fail("reads the data of the fit"))
    write(here / "new.csv", ("user", "item", "rating"), [("u3", "film 2", 5), ("new", "film 2", 1)])
    write(here / "pairs.csv", ("user", "item"), [("new", "film 6"), ("u3", "film 6")])
    assert cli("predict", rated_model, "--pairs", "pairs.csv", "--histories", "new.csv", "--out", "-").code == 0


def test_a_model_that_ranks_is_refused(cli: Run, here: Path, model: Path) -> None:
    outcome = cli("predict", model, "--pairs", "missing.csv", "--out", "-")
    assert (outcome.code, outcome.error) == (1, "Error: ease ranks items, but its scores are not ratings; use autorec")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("u3,film 3\n", "the first line may hold column names or data"),
        ("item\nfilm 3\n", "no column was recognised as the user; set --user-column"),
        ("", "is empty"),
        ("user,item\nu3,\n", "item in row 1 is missing"),
    ],
)
def test_pairs_that_cannot_be_read_end_in_one_line(
    cli: Run, here: Path, rated_model: Path, content: str, said: str
) -> None:
    (here / "pairs.csv").write_text(content)
    outcome = cli("predict", rated_model, "--pairs", "pairs.csv", "--out", "top.csv")
    assert outcome.code == 1
    assert said in outcome.error
    assert not (here / "top.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--out", "-"), 2, "--pairs"),
        (("--pairs", "pairs.csv"), 2, "--out"),
        (("--pairs", "missing.csv", "--out", "-"), 1, "missing.csv"),
        (("--pairs", "missing.csv", "--out", "ratings.txt"), 2, "the name must end in .csv"),
    ],
)
def test_mistakes_end_in_one_line(
    cli: Run, rated_model: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    outcome = cli("predict", rated_model, *arguments)
    assert outcome.code == code
    assert said in outcome.error
