"""``--split given``: filters take users from the training part only, and by default none."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from recsys_ae import Recommender, read_interactions
from recsys_ae.data.filters import MinInteractions, MinRating
from recsys_ae.data.splits.split import split_given
from tests.cli.conftest import Run

FEW = ("few,film 1,5", "few,film 3,4", "few,film 7,1", "none,film 5,2")
"""Training ratings of a user with few, and of one with none that count."""
FIT = ("fit", "ease", "--data", "base.csv", "--test-data", "test.csv", "--split", "given", "--no-track")


@pytest.fixture
def parts(here: Path, ratings: Path) -> Path:
    """Write a training and a test part; the users of `FEW` are in both."""
    _, *lines = ratings.read_text(encoding="utf-8").splitlines()
    lines = [line.rpartition(",")[0] for line in lines]
    own: Sequence[tuple[str, list[str]]] = (
        ("base", [*(line for place, line in enumerate(lines) if place % 4), *FEW]),
        ("test", [*lines[::4], "few,film 4,5", "none,film 6,5", "unknown,film 4,5"]),
    )
    for name, part in own:
        (here / f"{name}.csv").write_text("\n".join(["userId,itemId,rating", *part]), encoding="utf-8")
    return here


def notes(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "notes.json").read_text(encoding="utf-8"))
    return found


def test_by_default_no_user_is_filtered_away(cli: Run, parts: Path) -> None:
    shown = cli(*FIT, "--out", "model")
    assert shown.code == 0
    assert "users with >=" not in shown.out
    assert "keep their histories" not in shown.out
    assert notes(parts / "model")["source"]["min_user_items"] == 0
    assert "split " in cli("evaluate", "model").out
    # Other splits keep their default.
    assert cli("fit", "ease", "--data", "base.csv", "--no-track", "--out", "strong").code == 0
    assert notes(parts / "strong")["source"]["min_user_items"] == 5


def test_a_filter_that_is_asked_for_leaves_test_users_their_histories(cli: Run, parts: Path) -> None:
    shown = cli(*FIT, "--min-user-items", 3, "--out", "model")
    assert shown.code == 0
    assert "1 test users keep their histories, although the filters remove them from training." in shown.out
    evaluated = json.loads(cli("evaluate", "model", "--json").out)
    base, test = (MinRating(4)(read_interactions(parts / f"{name}.csv")) for name in ("base", "test"))
    split = split_given(MinInteractions(user=3)(base), test, seed=98765, read=base)
    assert evaluated["fingerprint"] == notes(parts / "model")["fingerprint"] == split.fingerprint
    assert split.test is not None
    lengths = dict(zip(split.test.users, split.test.histories.getnnz(axis=1), strict=True))
    assert "few" not in split.train.users
    # The rating threshold still applies: no interaction of the user called none is left.
    assert (lengths["few"], lengths["none"], lengths["unknown"]) == (2, 0, 0)


def test_users_that_a_filter_takes_away_get_lists_from_their_histories(cli: Run, parts: Path) -> None:
    assert cli(*FIT, "--min-user-items", 3, "--quiet", "--out", "model").code == 0
    (parts / "users.txt").write_text("few\nnone\n")
    outcome = cli("recommend", "model", "--users", "users.txt", "--out", "of_fit.csv")
    assert "1 of 2 users get the most popular items" in outcome.err
    (parts / "few.csv").write_text("\n".join(["user,item,rating", *FEW]))
    assert cli("recommend", "model", "--histories", "few.csv", "--out", "new.csv").code == 0
    assert (parts / "of_fit.csv").read_text() == (parts / "new.csv").read_text()


def test_a_model_of_before_is_evaluated_on_its_own_split(cli: Run, parts: Path) -> None:
    assert cli(*FIT, "--min-user-items", 5, "--out", "model").code == 0
    model = Recommender.load(parts / "model")
    base, test = (MinRating(4)(read_interactions(parts / f"{name}.csv")) for name in ("base", "test"))
    before = split_given(MinInteractions(user=5)(base), test, seed=98765).fingerprint
    assert model.notes["fingerprint"] != before
    del model.notes["source"]["whole_histories"]
    model.notes["fingerprint"] = before
    model.save(parts / "before")
    assert json.loads(cli("evaluate", "before", "--json").out)["fingerprint"] == before
    assert json.loads(cli("evaluate", "model", "--json").out)["fingerprint"] != before


def test_data_split_writes_the_same(cli: Run, parts: Path) -> None:
    assert cli(*FIT, "--min-user-items", 3, "--out", "model", "--quiet").code == 0
    options = ("--test-data", "test.csv", "--split", "given", "--min-user-items", 3, "--out", "split")
    shown = cli("data", "split", "base.csv", *options)
    assert shown.code == 0
    assert "1 test users keep their histories" in shown.out
    about = json.loads((parts / "split/split.json").read_text(encoding="utf-8"))
    assert about["fingerprint"] == notes(parts / "model")["fingerprint"]
