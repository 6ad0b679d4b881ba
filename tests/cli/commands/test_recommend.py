"""``recsys-ae recommend``: top-N lists for known and unknown users."""

import csv
import json
import resource
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_ae import Recommender, read_interactions
from recsys_ae_cli.lists import lists as lists_room
from tests.cli.conftest import AWKWARD, FAST, ITEMS, USERS, Run


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def write(path: Path, columns: Sequence[str], lines: Sequence[Sequence[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *lines])
    return path


def test_all_known_users_get_what_they_have_not_had(cli: Run, model: Path, ratings: Path) -> None:
    found = rows(cli("recommend", model, "--out", "-", "--k", 4).out)
    data = read_interactions(ratings)
    had = {(data.users[u], data.items[i]) for u, i in zip(*data.matrix.nonzero(), strict=True)}
    assert {row["user"] for row in found} == set(USERS)
    assert not had & {(row["user"], row["item"]) for row in found}
    assert len(found) == 4 * len(USERS)
    assert [row["rank"] for row in found[:4]] == ["1", "2", "3", "4"]


def test_including_the_seen_recommends_what_is_liked(cli: Run, model: Path) -> None:
    without = rows(cli("recommend", model, "--out", "-", "--k", 24).out)
    with_seen = rows(cli("recommend", model, "--out", "-", "--k", 24, "--include-seen").out)
    assert len(with_seen) == len(ITEMS) * len(USERS) > len(without)


def test_the_three_formats_hold_the_same(cli: Run, here: Path, model: Path) -> None:
    for ending in ("csv", "jsonl", "parquet"):
        outcome = cli("recommend", model, "--out", f"top.{ending}", "--k", 3)
        assert (outcome.code, outcome.out) == (0, "")
        assert outcome.error == f"{3 * len(USERS)} recommendations for {len(USERS)} users in top.{ending}"
    table = pd.read_parquet(here / "top.parquet")
    lines = [json.loads(line) for line in (here / "top.jsonl").read_text(encoding="utf-8").splitlines()]
    text = pd.read_csv(here / "top.csv")
    assert list(table.columns) == list(text.columns) == list(lines[0]) == ["user", "rank", "item", "score"]
    for other in (text, pd.DataFrame(lines)):
        assert (other[["user", "rank", "item"]] == table[["user", "rank", "item"]]).all(axis=None)
        np.testing.assert_allclose(other["score"], table["score"], rtol=1e-5)
    assert sorted(path.name for path in here.iterdir()) == ["top.csv", "top.jsonl", "top.parquet"]


def test_lists_written_in_pieces_equal_those_written_at_once(
    cli: Run, here: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for chunk, name in ((10_000, "once"), (7, "pieces")):
        monkeypatch.setattr(lists_room, "CHUNK", chunk)
        for ending in ("csv", "jsonl", "parquet"):
            assert cli("recommend", model, "--out", f"{name}.{ending}").code == 0
    assert (here / "once.csv").read_bytes() == (here / "pieces.csv").read_bytes()
    assert (here / "once.jsonl").read_bytes() == (here / "pieces.jsonl").read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(here / "once.parquet"), pd.read_parquet(here / "pieces.parquet"))


def test_new_users_are_served_from_a_file(cli: Run, here: Path, model: Path) -> None:
    lines = [
        ("new", "film 2", 5),
        ("new", "film 4", 5),
        ("new", "film 1", 1),
        ("new", "film 99", 5),
        ("other", "film 3", 4),
    ]
    write(here / "new.csv", ("user", "item", "rating"), lines)
    outcome = cli("recommend", model, "--histories", "new.csv", "--out", "-", "--k", 5)
    assert outcome.code == 0
    assert "Skipped 1 of 4 interactions" in outcome.err
    found = rows(outcome.out)
    assert {row["user"] for row in found} == {"new", "other"}
    # An item rated 1 was not liked, so it is not an input of the model; but it is not recommended either.
    seen = cli("recommend", model, "--histories", "new.csv", "--out", "-", "--k", 24)
    listed = {row["item"] for row in rows(seen.out) if row["user"] == "new"}
    assert listed == set(ITEMS) - {"film 1", "film 2", "film 4"}
    taste = [row["item"] for row in found if row["user"] == "new"]
    assert all(ITEMS.index(item) % 2 == 0 for item in taste)


def test_low_ratings_are_no_input_of_the_model(cli: Run, here: Path, model: Path) -> None:
    liked = [("new", "film 2", 5), ("new", "film 4", 5)]
    write(here / "liked.csv", ("user", "item", "rating"), liked)
    write(here / "all.csv", ("user", "item", "rating"), [*liked, ("new", "film 1", 1), ("new", "film 6", 2)])
    scores = {}
    for name in ("liked", "all"):
        outcome = cli("recommend", model, "--histories", f"{name}.csv", "--out", "-", "--k", 24, "--include-seen")
        scores[name] = {row["item"]: float(row["score"]) for row in rows(outcome.out)}
    assert scores["all"] == scores["liked"]
    assert set(scores["all"]) == set(ITEMS)


def test_users_without_a_high_rating_get_the_most_popular(cli: Run, here: Path, model: Path) -> None:
    write(
        here / "new.csv",
        ("user", "item", "rating"),
        [("low", "film 2", 1), ("low", "film 3", 2), ("other", "film 4", 3)],
    )
    outcome = cli("recommend", model, "--histories", "new.csv", "--out", "-", "--k", 24)
    assert outcome.code == 0
    assert "2 of 2 users get the most popular items" in outcome.err
    lists = pd.DataFrame(rows(outcome.out)).groupby("user")["item"].apply(list)
    assert set(lists["low"]) == set(ITEMS) - {"film 2", "film 3"}
    assert set(lists["other"]) == set(ITEMS) - {"film 4"}
    both = set(ITEMS) - {"film 2", "film 3", "film 4"}
    assert [item for item in lists["low"] if item in both] == [item for item in lists["other"] if item in both]


def test_users_of_the_fit_whom_its_filters_take_away_get_lists(cli: Run, here: Path, ratings: Path) -> None:
    few = "few,film 2,5,7\nfew,film 4,1,7\nlow,film 3,1,7\n"
    (here / "mine.csv").write_text(ratings.read_text(encoding="utf-8") + few, encoding="utf-8")
    assert cli("fit", "ease", "--data", "mine.csv", *FAST, "--quiet", "--out", "mine").code == 0
    (here / "users.txt").write_text("few\nu3\nlow\n")
    outcome = cli("recommend", "mine", "--users", "users.txt", "--out", "-", "--k", 24)
    assert outcome.code == 0
    assert "2 of 3 users get the most popular items" in outcome.err
    lists = pd.DataFrame(rows(outcome.out)).groupby("user")["item"].apply(set)
    assert lists["few"] == set(ITEMS) - {"film 2", "film 4"}
    assert lists["low"] == set(ITEMS) - {"film 3"}


def test_users_for_whom_nothing_is_left_are_named(cli: Run, here: Path, model: Path) -> None:
    everything = [("all", item, 5) for item in ITEMS]
    write(here / "new.csv", ("user", "item", "rating"), [*everything, ("new", "film 4", 5)])
    outcome = cli("recommend", model, "--histories", "new.csv", "--out", "-")
    assert outcome.code == 0
    assert {row["user"] for row in rows(outcome.out)} == {"new"}
    assert "No recommendations for 1 users, because no item is left for them: all" in outcome.err


def test_new_users_are_served_the_same_as_through_the_library(cli: Run, here: Path, model: Path) -> None:
    write(here / "new.tsv", ("who", "what"), [("a", "film 2"), ("a", "film 6"), ("b", "film 3")])
    (here / "new.tsv").write_text((here / "new.tsv").read_text().replace(",", "|"))
    columns = ("--user-column", "who", "--item-column", "what", "--separator", "|")
    found = rows(cli("recommend", model, "--histories", "new.tsv", *columns, "--out", "-").out)
    frame = pd.DataFrame({"user": ["a", "a", "b"], "item": ["film 2", "film 6", "film 3"]})
    expected = Recommender.load(model).recommend_frame(frame)
    assert [(row["user"], row["item"]) for row in found] == list(zip(expected["user"], expected["item"], strict=True))


def test_listed_users_come_in_the_order_of_their_file(cli: Run, here: Path, model: Path) -> None:
    (here / "users.txt").write_text("u3\nuser, one\n🧍\nu3\n", encoding="utf-8")
    found = rows(cli("recommend", model, "--users", "users.txt", "--k", 1, "--out", "-").out)
    assert [row["user"] for row in found] == ["u3", "user, one", "🧍"]


def test_a_listed_user_may_be_new_if_the_history_is_given(cli: Run, here: Path, model: Path) -> None:
    (here / "users.txt").write_text("u3\nnew\n")
    unknown = cli("recommend", model, "--users", "users.txt", "--out", "top.csv", "--unknown-users", "error")
    assert unknown.code == 1
    assert "1 of 2 users" in unknown.error
    assert "new" in unknown.error
    assert "--histories" in unknown.error
    write(here / "new.csv", ("user", "item"), [("new", "film 2")])
    both = ("--users", "users.txt", "--histories", "new.csv")
    assert [row["user"] for row in rows(cli("recommend", model, *both, "--k", 1, "--out", "-").out)] == ["u3", "new"]


def test_the_data_of_the_fit_are_not_needed_for_new_users(cli: Run, here: Path, ratings: Path) -> None:
    (here / "mine.csv").write_bytes(ratings.read_bytes())
    assert cli("fit", "ease", "--data", "mine.csv", "--no-track", "--out", "model").code == 0
    (here / "mine.csv").rename(here / "moved.csv")
    write(here / "new.csv", ("user", "item"), [("new", "film 2")])
    assert cli("recommend", "model", "--histories", "new.csv", "--out", "-").code == 0
    assert "mine.csv" in cli("recommend", "model", "--out", "-").error
    assert cli("recommend", "model", "--data", "moved.csv", "--out", "top.csv").code == 0


def test_only_the_allowed_and_never_the_denied(cli: Run, here: Path, model: Path) -> None:
    (here / "allow.txt").write_text("\n".join([*AWKWARD, "film 3", "film 5", "no such film"]), encoding="utf-8")
    write(here / "deny.csv", ("item",), [(AWKWARD[0],), ("film 5",)])
    outcome = cli("recommend", model, "--allow", "allow.txt", "--deny", "deny.csv", "--include-seen", "--out", "-")
    assert {row["item"] for row in rows(outcome.out)} == {*AWKWARD[1:], "film 3"}
    assert "allow.txt: skipped 1 unknown items" in outcome.err


def test_lists_can_differ_from_user_to_user(cli: Run, here: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists_room, "CHUNK", 3)
    pairs = [("u3", "film 3"), ("u3", AWKWARD[0]), ("user, one", "film 7"), ("unknown", "film 1")]
    write(here / "pairs.csv", ("user", "item"), pairs)
    allowed = cli("recommend", model, "--allow", "pairs.csv", "--include-seen", "--out", "-")
    assert {(row["user"], row["item"]) for row in rows(allowed.out)} == set(pairs[:3])
    assert "pairs.csv: skipped 1 pairs with an unknown user or item" in allowed.err
    denied = {(row["user"], row["item"]) for row in rows(
        cli("recommend", model, "--deny", "pairs.csv", "--include-seen", "--k", 24, "--out", "-").out
    )}  # fmt: skip
    assert len(denied) == len(USERS) * len(ITEMS) - 3
    assert not denied & set(pairs)


def test_awkward_ids_survive_the_way_through_a_file_and_back(cli: Run, here: Path, model: Path) -> None:
    assert cli("recommend", model, "--out", "top.csv", "--k", 24).code == 0
    with (here / "top.csv").open(encoding="utf-8", newline="") as file:
        listed = {row["item"] for row in csv.DictReader(file)}
    assert set(AWKWARD) <= listed <= set(ITEMS)
    # The second run denies the recommendations of the first run, read from its output file.
    again = cli("recommend", model, "--out", "-", "--k", 24, "--deny", "top.csv")
    assert rows(again.out) == []


def test_titles_stand_next_to_the_ids(cli: Run, sample_model: Path) -> None:
    found = rows(cli("recommend", sample_model, "--out", "-", "--k", 2).out)
    assert list(found[0]) == ["user", "rank", "item", "score", "title"]
    assert all(row["title"].endswith(")") for row in found)


def test_ids_that_are_numbers_are_found_by_their_text(cli: Run, here: Path, sample_model: Path) -> None:
    (here / "users.txt").write_text("7\n12\n")
    (here / "allow.txt").write_text("1\n2\n3\nfilm\n007\n")
    arguments = ("--users", "users.txt", "--allow", "allow.txt", "--include-seen", "--out", "-")
    found = rows(cli("recommend", sample_model, *arguments).out)
    assert {(row["user"], row["item"]) for row in found} == {(u, i) for u in ("7", "12") for i in ("1", "2", "3", "7")}


def test_an_existing_file_is_replaced_only_if_asked(cli: Run, here: Path, model: Path) -> None:
    (here / "top.csv").write_text("mine")
    outcome = cli("recommend", model, "--out", "top.csv")
    assert outcome.code == 1
    assert "--overwrite" in outcome.error
    assert (here / "top.csv").read_text() == "mine"
    assert cli("recommend", model, "--out", "top.csv", "--overwrite").code == 0
    assert (here / "top.csv").read_text().startswith("user,rank")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(program: Run, here: Path, model: Path) -> None:
    (here / "top.csv").write_text("mine")

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    outcome = program("recommend", model, "--out", "top.csv", "--overwrite", preexec_fn=small_files_only)
    assert outcome.code == 1
    assert outcome.error.startswith("Error: cannot write top.csv")
    assert {path.name: path.read_text() for path in here.iterdir()} == {"top.csv": "mine"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--out", "top.txt"), 2, "the name must end in .csv"),
        (("--out", "no/such/top.csv"), 1, "no folder"),
        ((), 2, "--out"),
        (("--out", "-", "--k", "0"), 2, "--k"),
        (("--out", "-", "--k", "-3"), 2, "--k"),
        (("--out", "-", "--users", "missing.txt"), 1, "missing.txt"),
        (("--out", "-", "--allow", "missing.txt"), 1, "missing.txt"),
        (("--out", "-", "--histories", "missing.csv"), 1, "missing.csv"),
    ],
)
def test_mistakes_end_in_one_line(cli: Run, model: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    outcome = cli("recommend", model, *arguments)
    assert outcome.code == code
    assert said in outcome.error


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n  \n", "is empty"),
        (b"\xff\xfe\x00", "not utf-8"),
        (b"user,item\na,\n", "item in row 1 is missing"),
        (b"item\n", "there is a header but no row"),
        (b"user,rating\na,3\n", "no column was recognised as the item; set --item-column"),
    ],
)
def test_a_list_that_cannot_be_read_is_one_line(cli: Run, here: Path, model: Path, content: bytes, said: str) -> None:
    (here / "list.txt").write_bytes(content)
    assert said in cli("recommend", model, "--out", "-", "--deny", "list.txt").error
