"""Every user asked for gets a list or is named: users who are unknown, filtered away, or without a known item."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsys_ae_cli.lists.user_rows import Audience
from recsys_ae_cli.main import main
from tests.cli.conftest import FAST, Outcome, Run

KNOWN = [f"u{number}" for number in range(6)]
EMPTIED = ["few", "low", "rare, too"]
UNKNOWN = ["new", "a,b", "U1", "u1 2"]
FOREIGN = ["foreign", "abroad"]
"""Users of a file of histories who have no item that the model knows."""


@pytest.fixture(scope="module")
def fitted(ratings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model whose filters remove some users."""
    folder = tmp_path_factory.mktemp("emptied")
    lines = [("few", "film 2", 5), ("few", "film 4", 5), ("low", "film 3", 1), ("rare, too", "film 1", 4)]
    with (folder / "mine.csv").open("w", encoding="utf-8", newline="") as file:
        file.write(ratings.read_text(encoding="utf-8"))
        csv.writer(file).writerows([(*line, 7) for line in lines])
    arguments = ["fit", "ease", "--data", str(folder / "mine.csv"), *FAST, "--quiet", "--out", str(folder / "model")]
    assert main(arguments) == 0
    return folder / "model"


def read(outcome: Outcome) -> list[str]:
    """Return the users who have a list, in order."""
    assert outcome.code == 0, outcome.err
    return list(dict.fromkeys(row["user"] for row in csv.DictReader(outcome.out.splitlines())))


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    listed=st.lists(st.sampled_from([*KNOWN, *EMPTIED, *UNKNOWN, *FOREIGN]), min_size=1, max_size=8),
    policy=st.sampled_from(["popular", "skip", "error"]),
    with_histories=st.booleans(),
)
def test_everybody_asked_for_is_in_the_output_or_named(
    cli: Run, here: Path, fitted: Path, listed: list[str], policy: str, *, with_histories: bool
) -> None:
    (here / "users.txt").write_text("\n".join(listed), encoding="utf-8")
    (here / "new.csv").write_text("user,item\nforeign,xx\nabroad,yy\n")
    more = ["--histories", "new.csv"] if with_histories else []
    outcome = cli("recommend", fitted, "--users", "users.txt", "--unknown-users", policy, "--k", 2, "--out", "-", *more)
    nameless = [user for user in dict.fromkeys(listed) if user not in KNOWN]
    assert "Traceback" not in outcome.err
    if policy == "error" and nameless:
        assert outcome.code == 1
        assert "--unknown-users" in outcome.err
        assert any(user in outcome.err for user in nameless)
        return
    expected = [user for user in dict.fromkeys(listed) if policy != "skip" or user in KNOWN]
    assert read(outcome) == expected
    assert all(user in outcome.err for user in nameless)
    in_data = [*KNOWN, *EMPTIED, *(FOREIGN if with_histories else [])]
    for group in ([u for u in nameless if u in in_data], [u for u in nameless if u not in in_data]):
        n_all = len(dict.fromkeys(listed))
        assert not group or f"{len(group)} of {n_all} users " in outcome.err


def test_one_unknown_user_is_a_warning_and_gets_the_most_popular_items(cli: Run, here: Path, fitted: Path) -> None:
    (here / "users.txt").write_text("u3\n 0042\nu4\n")
    outcome = cli("recommend", fitted, "--users", "users.txt", "--k", 3, "--out", "-")
    assert read(outcome) == ["u3", " 0042", "u4"]
    assert "Warning: users.txt: 1 of 3 users get the most popular items, because they are in no data" in outcome.err
    assert outcome.err.splitlines()[-1] == "9 recommendations for 3 users"
    (here / "new.csv").write_text("user,item\nanybody,film 99\n")
    popular = cli("recommend", fitted, "--histories", "new.csv", "--k", 3, "--out", "-")
    lists = [[row["item"] for row in csv.DictReader(text.splitlines())] for text in (outcome.out, popular.out)]
    assert lists[0][3:6] == lists[1]


def test_a_list_of_users_who_do_not_look_like_those_of_the_data_is_explained(
    cli: Run, here: Path, sample_model: Path
) -> None:
    (here / "users.txt").write_text("user-1\nuser-2\n7\n")
    outcome = cli("recommend", sample_model, "--users", "users.txt", "--k", 1, "--out", "-")
    assert read(outcome) == ["user-1", "user-2", "7"]
    assert "does not know 2 of 3 listed users, such as 'user-1'; the data set has ids such as" in outcome.err


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_unknown_users_fit_into_every_format(cli: Run, here: Path, sample_model: Path, ending: str) -> None:
    (here / "users.txt").write_text("7\nnew\n12\n")
    assert cli("recommend", sample_model, "--users", "users.txt", "--k", 2, "--out", f"top.{ending}").code == 0
    if ending == "parquet":
        users = pd.read_parquet(here / f"top.{ending}")["user"]
    else:
        table = pd.read_csv if ending == "csv" else lambda path: pd.read_json(path, lines=True)
        users = table(here / f"top.{ending}")["user"]
    assert list(dict.fromkeys(map(str, users))) == ["7", "new", "12"]


def test_short_lists_are_reported(cli: Run, here: Path, fitted: Path) -> None:
    (here / "users.txt").write_text("u3\nu4\n")
    (here / "allow.csv").write_text("user,item\nu3,film 3\nu4,film 3\nu4,film 5\nu4,film 6\n")
    chosen = ("--users", "users.txt", "--allow", "allow.csv", "--include-seen")
    outcome = cli("recommend", fitted, *chosen, "--k", 2, "--out", "-")
    assert read(outcome) == ["u3", "u4"]
    assert "1 lists have fewer than 2 items, because no other is left: u3" in outcome.err
    assert "lists have fewer" not in cli("recommend", fitted, *chosen, "--k", 1, "--out", "-").err


@pytest.mark.parametrize("content", ["", "\n \n", "user\n"])
def test_an_empty_list_of_users_is_one_line(cli: Run, here: Path, fitted: Path, content: str) -> None:
    (here / "users.txt").write_text(content)
    outcome = cli("recommend", fitted, "--users", "users.txt", "--out", "-")
    assert outcome.code == 1
    assert outcome.error.startswith("Error: users.txt: ")


def test_users_are_picked_once_and_in_order() -> None:
    matrix = csr_matrix(np.diag(np.arange(1, 4, dtype=np.float32)))
    audience = Audience(pd.Index([7, 8, 9]), matrix, matrix, np.ones(3, dtype=bool))
    picked = audience.pick(["x", "9", "007", "y", "9.0", "x ", "7"])
    assert picked.users.tolist() == ["x", 9, 7, "y"]
    assert picked.in_data.tolist() == [False, True, True, False]
    assert picked.histories.toarray().tolist() == [[0, 0, 0], [0, 0, 3], [1, 0, 0], [0, 0, 0]]
