"""Top-N lists of other systems: the same metrics as a model's, and every problem counted."""

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsys_ae.data.splits.holdout import Holdout
from recsys_ae.errors import ConfigError, DataError, UnsupportedError
from recsys_ae.evaluation import Report, compare, evaluate, evaluate_lists

ITEMS = pd.Index([f"i{number}" for number in range(8)])
HISTORIES = np.array([[1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1], [0] * 8, [0, 0, 1, 0, 0, 0, 0, 0]])
TARGETS = np.array([[0, 0, 1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0, 0, 0], [0] * 8])
USERS = pd.Index(["a", "b", "c", "without targets"])
HOLDOUT = Holdout(
    csr_matrix(HISTORIES.astype(np.float32)), csr_matrix(TARGETS.astype(np.float32)), USERS, 3, "0a1b", items=ITEMS
)


def table(lists: dict[Any, list[Any]], *, first_rank: int = 1) -> pd.DataFrame:
    rows = [(user, item, rank) for user, items in lists.items() for rank, item in enumerate(items, first_rank)]
    return pd.DataFrame(rows, columns=["user", "item", "rank"])


def counts(report: Report) -> dict[str, Any]:
    """Return the counts that are not 0, without those that are not of problems."""
    assert report.lists is not None
    content = report.lists.as_dict()
    return {name: value for name, value in content.items() if value and name not in ("rows", "history_excluded")}


def per_user(report: Report) -> pd.DataFrame:
    return report.values  # noqa: PD011


PERFECT = {"a": ["i2", "i3", "i4"], "b": ["i0", "i6", "i1"], "c": ["i3", "i4", "i5"]}


def test_perfect_lists_are_perfect_and_nothing_is_noticed() -> None:
    report = evaluate_lists(table(PERFECT), HOLDOUT, ["ndcg@3", "recall@2", "mrr@1"], n_resamples=20)
    assert report.mean == {"ndcg@3": 1, "recall@2": 1, "mrr@1": 1}
    assert (report.n_users, report.without_targets, report.unknown_targets) == (3, 1, 3)
    assert (report.fingerprint, report.exclude_seen, counts(report)) == ("0a1b", True, {})
    assert report.lists is not None
    assert report.lists.rows == 9
    assert report.as_dict()["lists"]["missing_users"] == 0


class Lists:
    """A model that recommends by scores of its own."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores

    def recommend(self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True) -> tuple[Any, Any]:
        scores = np.where(exclude_seen & (histories.toarray() > 0), -np.inf, self.scores)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        found = np.take_along_axis(scores, order, axis=1)
        return np.where(np.isinf(found), -1, order), found


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_lists_of_a_model_have_the_metrics_of_the_model(exclude_seen: bool) -> None:
    scores = np.random.default_rng(0).random((3, 8))
    metrics = ["ndcg@5", "recall@2", "map@8", "recall_all@50"]
    expected = evaluate(Lists(scores), HOLDOUT, metrics, exclude_seen=exclude_seen)
    items = np.tile(ITEMS, 3)
    frame = pd.DataFrame({"user": np.repeat(USERS[:3], 8), "item": items, "score": scores.ravel()})
    shuffled = frame.sample(frac=1, random_state=2)
    found = evaluate_lists(shuffled, HOLDOUT, metrics, exclude_seen=exclude_seen)
    pd.testing.assert_frame_equal(found.values, expected.values)
    assert found.summary == expected.summary
    assert compare(found, expected).summary["ndcg@5"].mean == 0
    assert counts(found) == {"history_items": 3}


def slow_hits(frame: pd.DataFrame, row: int, *, exclude_seen: bool) -> list[bool]:
    """Return for each place of a user's list if it is a hit, by the rules of the docstring."""
    mine = frame[frame["user"] == USERS[row]]
    listed = [item for _, _, item in sorted(zip(mine["rank"], range(len(mine)), mine["item"], strict=True))]
    hits, shown = [], set()
    for item in listed:
        column = ITEMS.get_loc(item) if item in ITEMS else None
        if exclude_seen and column is not None and HISTORIES[row, column]:
            continue
        hits.append(item not in shown and column is not None and bool(TARGETS[row, column]))
        shown.add(item)
    return hits


ROWS = st.tuples(
    st.sampled_from([*USERS, "stranger"]), st.sampled_from([*ITEMS, "unknown", "nothing"]), st.integers(0, 9)
)


@settings(deadline=None, max_examples=150)
@given(rows=st.lists(ROWS, min_size=1, max_size=40), exclude_seen=st.booleans(), k=st.integers(1, 8))
def test_any_lists_have_the_metrics_of_a_slow_reference(
    rows: list[tuple[str, str, int]], exclude_seen: bool, k: int
) -> None:
    frame = pd.DataFrame([*rows, ("a", "i2", 99)], columns=["user", "item", "rank"])
    report = evaluate_lists(frame, HOLDOUT, [f"ndcg@{k}", f"hit@{k}"], exclude_seen=exclude_seen, n_resamples=5)
    for row, user in enumerate(USERS[:3]):
        hits = slow_hits(frame, row, exclude_seen=exclude_seen)[:k]
        gain = sum(hit / math.log2(place + 2) for place, hit in enumerate(hits))
        ideal = sum(1 / math.log2(place + 2) for place in range(min(k, TARGETS[row].sum())))
        assert per_user(report).loc[user, f"ndcg@{k}"] == pytest.approx(gain / ideal)
        assert per_user(report).loc[user, f"hit@{k}"] == any(hits)
    found = report.lists
    assert found is not None
    mine = frame[frame["user"].isin(USERS[:3])]
    assert found.other_rows == len(frame) - len(mine)
    assert found.missing_users == 3 - mine["user"].nunique()
    assert found.unknown_items == (~mine["item"].isin(ITEMS)).sum()
    pairs = [(USERS.get_loc(user), ITEMS.get_loc(item)) for user, item in zip(mine["user"], mine["item"], strict=True)
             if item in ITEMS]  # fmt: skip
    assert found.history_items == sum(HISTORIES[pair] for pair in pairs)


# Problems


def test_unknown_and_repeated_items_keep_their_places() -> None:
    lists = {**PERFECT, "a": ["new", "i2", "i2", "i3"]}
    report = evaluate_lists(table(lists), HOLDOUT, ["mrr@4", "recall@3"])
    assert per_user(report).loc["a"].tolist() == [1 / 2, 1 / 2]
    assert counts(report) == {"unknown_items": 1, "repeated_items": 1, "short_lists": 2}
    assert "rows of items that are not in the training data: 1, counted as misses" in str(report)
    assert "rows that repeat an item of the list: 1, counted as misses" in str(report)


def test_items_of_the_history_move_the_others_up_or_are_misses() -> None:
    lists = {**PERFECT, "a": ["i0", "i2", "i1", "i3"]}
    without = evaluate_lists(table(lists), HOLDOUT, ["mrr@3", "recall@3"])
    assert per_user(without).loc["a"].tolist() == [1, 1]
    assert counts(without) == {"history_items": 2, "short_lists": 1}
    assert "rows of items of the user's history: 2, removed; the items after them move up" in str(without)
    kept = evaluate_lists(table(lists), HOLDOUT, ["mrr@3", "recall@3"], exclude_seen=False)
    assert per_user(kept).loc["a"].tolist() == [1 / 2, 1 / 2]
    assert "rows of items of the user's history: 2, counted as misses" in str(kept)
    assert not kept.exclude_seen


def test_users_without_a_list_have_empty_lists_and_other_users_are_ignored() -> None:
    lists = {"a": PERFECT["a"], "c": PERFECT["c"], "stranger": ["i1"], "without targets": ["i1", "i2"]}
    report = evaluate_lists(table(lists), HOLDOUT, ["hit@3"])
    assert per_user(report)["hit@3"].tolist() == [1, 0, 1]
    assert counts(report) == {"missing_users": 1, "other_users": 2, "other_rows": 3}
    assert "users without a list: 1, counted as empty lists" in str(report)
    assert "users who are not evaluated: 2, whose 3 rows are ignored" in str(report)


def test_short_lists_end_early() -> None:
    report = evaluate_lists(table({**PERFECT, "b": ["i0"]}), HOLDOUT, ["recall@3"])
    assert per_user(report).loc["b", "recall@3"] == 0.5
    assert counts(report) == {"short_lists": 1}
    # A list of all items that are left is not short: user a has two items in the history, b one, c none.
    full = {user: [item for item in ITEMS if item not in seen] for user, seen in
            (("a", ["i0", "i1"]), ("b", ["i7"]), ("c", []))}  # fmt: skip
    assert counts(evaluate_lists(table(full), HOLDOUT, ["recall@100"])) == {}


def test_equal_scores_and_ranks_keep_the_order_of_the_table() -> None:
    frame = pd.DataFrame({"user": ["a", "b", "a", "a", "b", "c"], "item": ["i4", "i0", "i2", "i5", "i6", "i3"]})
    for column, values in (("score", [1.0, 2.0, 1.0, 0.5, 1.0, 0.0]), ("rank", [1, 1, 1, 2, 2, 1])):
        report = evaluate_lists(frame.assign(**{column: values}), HOLDOUT, ["mrr@2"])
        assert per_user(report)["mrr@2"].tolist() == [1 / 2, 1, 1]
        assert counts(report) == {"users_with_ties": 1, "short_lists": 1}
    assert "users with equal ranks or scores: 1, which keep the order of the table" in str(report)


@pytest.mark.parametrize(("ranks", "gaps"), [([0, 1, 2], 0), ([1, 2, 3], 0), ([1, 2, 4], 1), ([2, 3, 4], 1)])
def test_gaps_between_ranks_are_closed(ranks: list[int], gaps: int) -> None:
    frame = table(PERFECT)
    frame.loc[frame["user"] == "a", "rank"] = ranks
    report = evaluate_lists(frame, HOLDOUT, ["ndcg@3"])
    assert report.mean["ndcg@3"] == 1
    assert counts(report) == ({"users_with_gaps": gaps} if gaps else {})


def test_missing_values_are_refused_or_skipped_and_counted() -> None:
    frame = table(PERFECT).rename(columns={"rank": "score"})
    frame["score"] = [math.nan, 2, 1, 3, 2, 1, 3, 2, 1]
    with pytest.raises(DataError, match=r"score in row 1 is missing: nan; to leave out rows .* missing = 'skip'"):
        evaluate_lists(frame, HOLDOUT)
    report = evaluate_lists(frame, HOLDOUT, ["mrr@1"], missing="skip")
    assert report.mean["mrr@1"] == pytest.approx(1)  # the second target moves up
    assert counts(report) == {"skipped_rows": 1}
    assert "rows without a user, item, rank or score: 1, skipped" in str(report)
    frame.loc[3, "item"] = None
    with pytest.raises(DataError, match="item in row 4 is missing"):
        evaluate_lists(frame, HOLDOUT)
    with pytest.raises(DataError, match="no row with a user, item, score; they have 9 rows"):
        evaluate_lists(frame.assign(score=math.nan), HOLDOUT, missing="skip")
    with pytest.raises(ConfigError, match="missing = 'ignore': expected one of error, skip"):
        evaluate_lists(frame, HOLDOUT, missing="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("rank", 1.5, "rank in row 2 is not a whole number from 0 on: 1.5"),
        ("rank", -1.0, "rank in row 2 is not a whole number from 0 on: -1.0"),
        ("rank", math.inf, "rank in row 2 is not finite: inf"),
        ("score", -math.inf, "score in row 2 is not finite: -inf"),
        ("score", "high", "score in row 2 is not a number: 'high'"),
    ],
)
def test_ranks_and_scores_that_are_none_are_refused(column: str, value: object, said: str) -> None:
    frame = table(PERFECT).rename(columns={"rank": column}).astype({column: object})
    frame.loc[1, column] = value
    with pytest.raises(DataError, match=said):
        evaluate_lists(frame, HOLDOUT)


def test_ids_of_another_form_are_the_same_ids() -> None:
    held = dataclasses.replace(HOLDOUT, items=pd.Index(range(8)), users=pd.Index([1, 2, 3, 4]))
    lists = {"1.0": ["2", "3", "4"], " 2": ["0", "006", "1"], "3": ["3.0", "4", "5"]}
    assert evaluate_lists(table(lists), held, ["ndcg@3"]).mean["ndcg@3"] == 1


def test_two_users_of_the_table_that_are_one_user_are_said() -> None:
    held = dataclasses.replace(HOLDOUT, users=pd.Index([1, 2, 3, 4]))
    lists = {"1": ["i2"], "001": ["i3"], "2": PERFECT["b"], "3": PERFECT["c"]}
    report = evaluate_lists(table(lists), held, ["recall@2"])
    assert report.lists is not None
    assert report.lists.remarks == (
        "1 users have several ids in the table, such as '001' and '1': their lists are joined",
    )


def test_lists_without_any_target_are_told_what_they_may_lack() -> None:
    report = evaluate_lists(table({"a": ["i4"], "b": ["i2"], "c": ["i5"]}), HOLDOUT, ["hit@1"])
    assert "no list holds a target of its user; lists must be made from the histories of the holdout" in str(report)


def test_few_known_ids_are_shown_next_to_others() -> None:
    lists = {"a": ["i2", "x", "y", "z"], "d": ["i1"], "e": ["i1"]}
    report = evaluate_lists(table(lists), HOLDOUT, ["hit@1"])
    assert report.lists is not None
    assert report.lists.remarks == (
        "the table does not know 2 of 3 users of the holdout, such as 'b'; the table has ids such as 'a'",
        "the training part does not know 3 of 5 items of the top-N lists, such as 'x'; the training part has ids such "
        "as 'i0'",
    )


# Columns, metrics, holdouts


def test_columns_may_have_other_names_and_tables_other_types() -> None:
    frame = table(PERFECT).rename(columns={"user": "who", "item": "what", "rank": "at"})
    columns = {"user": "who", "item": 1, "rank": "at"}
    assert evaluate_lists(frame.to_dict("list"), HOLDOUT, ["ndcg@3"], **columns).mean["ndcg@3"] == 1  # type: ignore[arg-type]
    with pytest.raises(DataError, match="user = 'user': there is no such column; the columns are: who, what, at"):
        evaluate_lists(frame, HOLDOUT)
    with pytest.raises(DataError, match=r"need ranks or scores; set rank or score to the name .*: who, what, at"):
        evaluate_lists(frame, HOLDOUT, user="who", item="what")
    with pytest.raises(ConfigError, match="rank = 'at' and score = 'at': expected one of them"):
        evaluate_lists(frame, HOLDOUT, user="who", item="what", rank="at", score="at")


def test_ranks_come_before_scores_unless_scores_are_asked_for() -> None:
    frame = table(PERFECT).assign(score=[1, 2, 3] * 3)
    assert evaluate_lists(frame, HOLDOUT, ["mrr@1"]).mean["mrr@1"] == 1
    assert evaluate_lists(frame, HOLDOUT, ["mrr@1"], score="score").mean["mrr@1"] == 0


@pytest.mark.parametrize("column", ["user", "item"])
def test_a_table_of_which_nothing_is_known_is_refused(column: str) -> None:
    frame = table(PERFECT)
    frame[column] = "x" + frame[column]
    owner = "the holdout" if column == "user" else "the training part"
    with pytest.raises(DataError, match=f"{owner} does not know [37] of [37] {column}s of the top-N lists, such as 'x"):
        evaluate_lists(frame, HOLDOUT)


def test_errors_of_ratings_cannot_be_computed() -> None:
    with pytest.raises(UnsupportedError, match="hold no predicted ratings, so rmse, mae cannot be computed"):
        evaluate_lists(table(PERFECT), HOLDOUT, ["rmse", "ndcg@3", "mae"])
    with pytest.raises(ConfigError, match="there is no metric 'ndgc@3'"):
        evaluate_lists(table(PERFECT), HOLDOUT, ["ndgc@3"])


def test_a_holdout_must_know_its_items() -> None:
    with pytest.raises(DataError, match="the holdout has no ids of items; take it from a split"):
        evaluate_lists(table(PERFECT), dataclasses.replace(HOLDOUT, items=None))
    with pytest.raises(DataError, match="8 columns, but 3 items"):
        dataclasses.replace(HOLDOUT, items=ITEMS[:3])
    with pytest.raises(DataError, match="holdout must be a Holdout"):
        evaluate_lists(table(PERFECT), table(PERFECT))  # type: ignore[arg-type]
