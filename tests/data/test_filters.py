"""Tests of filters: the interactions that they keep, and the steps that they record."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.data.filters import Filter, MinInteractions, MinRating, apply, report
from recsys_ae.data.interactions import Interactions, Step
from recsys_ae.data.readers.read import read_interactions
from recsys_ae.errors import ConfigError, DataError
from tests.data.test_interactions import Row, check_valid, random_interactions, rows_of


def interactions(text: str) -> Interactions:
    """Return interactions for pairs such as ``a1 a2 b1``, with ratings 1, 2, … in order."""
    pairs = text.split()
    table = pd.DataFrame({"user": [p[0] for p in pairs], "item": [p[1] for p in pairs], "r": range(1, len(pairs) + 1)})
    return Interactions.from_frame(table, rating="r")


def pairs_of(data: Interactions) -> str:
    return " ".join(f"{user}{item}" for user, item, *_ in rows_of(data))


def often(rows: list[Row], position: int, least: int) -> list[Row]:
    counts = Counter(row[position] for row in rows)
    return [row for row in rows if counts[row[position]] >= least]


class TestMinRating:
    def test_keeps_what_is_rated_enough_as_ones(self):
        data = apply(interactions("a1 a2 b2 c3"), MinRating(3))
        assert rows_of(data) == [("b", "2", 1, None, 2), ("c", "3", 1, None, 3)]
        assert data.shape == (2, 2)

    def test_may_keep_the_ratings(self):
        data = apply(interactions("a1 a2 b2 c3"), MinRating(3, binary=False))
        assert data.matrix.data.tolist() == [3, 4]

    @pytest.mark.parametrize("rating", [4.1, 0.3, 3.7, 1 / 3])
    def test_keeps_what_is_rated_just_that(self, rating):
        data = Interactions.from_frame(pd.DataFrame({"user": [1], "item": [1], "r": [rating]}), rating="r")
        assert apply(data, MinRating(rating)).nnz == 1

    def test_says_what_it_removed(self):
        data = apply(interactions("a1 a2 b2 c3"), MinRating(3.5))
        assert data.steps == (Step("rating >= 3.5", (4, 3, 3), (1, 1, 1)),)
        assert str(data.steps[0]) == "rating >= 3.5: removed 3 interactions, 2 users, 2 items"

    def test_leaves_the_data_alone(self):
        data = interactions("a1 a2 b2 c3")
        before = rows_of(data)
        MinRating(2)(data)
        assert rows_of(data) == before
        assert data.steps == ()

    @pytest.mark.parametrize("rating", [0, -1, float("nan"), float("inf")])
    def test_refuses_a_rating_that_is_none(self, rating):
        with pytest.raises(ConfigError, match=r"rating = .* must be a finite number above 0"):
            MinRating(rating)


class TestMinInteractions:
    def test_takes_items_first_then_users(self):
        # Items first: item 3 is removed, then user a, who has one interaction left. Users first would keep a.
        data = apply(interactions("a1 a3 b1 b2 c2 c1"), MinInteractions(user=2, item=2))
        assert pairs_of(data) == "b1 b2 c1 c2"
        assert data.steps == (
            Step("items with >= 2 interactions", (6, 3, 3), (5, 3, 2)),
            Step("users with >= 2 interactions", (5, 3, 2), (4, 2, 2)),
        )

    def test_once_may_leave_items_with_fewer(self):
        text = "a1 a2 b1 b2 c3 c1 d3"
        once = apply(interactions(text), MinInteractions(user=2, item=2))
        core = apply(interactions(text), MinInteractions(user=2, item=2, repeat=True))
        assert pairs_of(once) == "a1 a2 b1 b2 c1 c3"
        assert pairs_of(core) == "a1 a2 b1 b2"
        assert core.steps == (
            Step("users with >= 2 and items with >= 2 interactions, repeatedly", (7, 4, 3), (4, 2, 2)),
        )

    def test_of_users_alone_and_items_alone(self):
        data = interactions("a1 a2 b1 c3")
        assert pairs_of(apply(data, MinInteractions(user=2))) == "a1 a2"
        assert pairs_of(apply(data, MinInteractions(item=2))) == "a1 b1"
        assert len(apply(data, MinInteractions(user=2)).steps) == 1

    def test_a_chain_falls_to_the_last_link(self):
        # Each user shares an item with the next, so the core is everything or nothing.
        text = " ".join(
            f"{user}{item}{' '}{user}{next_item}"
            for user, (item, next_item) in zip("abcd", pairwise("12345"), strict=True)
        )
        with pytest.raises(DataError, match="no interaction is left"):
            apply(interactions(text), MinInteractions(user=2, item=2, repeat=True))

    @pytest.mark.parametrize("arguments", [{}, {"user": 0, "item": 0}, {"user": -1}, {"user": 5, "item": -1}])
    def test_refuses_numbers_that_ask_for_nothing(self, arguments):
        with pytest.raises(ConfigError, match=r"user = .* and item = .*: expected"):
            MinInteractions(**arguments)

    @pytest.mark.parametrize("seed", range(20))
    def test_agrees_with_the_obvious_way(self, seed):
        data = random_interactions(seed)
        once = MinInteractions(user=5, item=7)(data)
        assert rows_of(once) == often(often(rows_of(data), 1, 7), 0, 5)
        core = MinInteractions(user=4, item=5, repeat=True)(data)
        rows = rows_of(data)
        while (fewer := often(often(rows, 1, 5), 0, 4)) != rows:
            rows = fewer
        assert rows_of(core) == rows
        for remaining in (once, core):
            check_valid(remaining)
            assert set(remaining.users) == {row[0] for row in rows_of(remaining)}
            assert set(remaining.items) == {row[1] for row in rows_of(remaining)}


class TestApply:
    def test_applies_in_order_and_records_every_step(self):
        data = apply(interactions("a1 a2 b1 b2 c1"), MinRating(2), MinInteractions(user=2), MinInteractions(item=1))
        assert pairs_of(data) == "b1 b2"
        assert [step.name for step in data.steps] == [
            "rating >= 2",
            "users with >= 2 interactions",
            "items with >= 1 interactions",
        ]
        for step, following in pairwise(data.steps):
            assert step.after == following.before
        assert data.steps[-1].after == data.counts

    def test_says_which_filter_took_the_last_interaction(self):
        with pytest.raises(DataError) as caught:
            apply(interactions("a1 a2 b2"), MinRating(2), MinInteractions(user=3), MinRating(1))
        assert str(caught.value) == (
            "no interaction is left after the filter 'users with >= 3 interactions'; relax the filters "
            "(rating >= 2: removed 1 interactions, 0 users, 1 items; "
            "users with >= 3 interactions: removed 2 interactions, 2 users, 1 items)"
        )

    def test_refuses_what_is_empty_before(self):
        empty = interactions("a1").take(np.array([False]))
        with pytest.raises(DataError, match="there are no interactions to filter"):
            apply(empty, MinRating(1))

    def test_takes_any_function(self):
        def none(data: Interactions) -> Interactions:
            return data.take(np.zeros(data.nnz, bool))

        assert apply(interactions("a1 b1"), lambda data: data.take(np.array([True, False]))).nnz == 1
        with pytest.raises(DataError, match="after the filter <function"):
            apply(interactions("a1 b1"), none)

    def test_without_filters_changes_nothing(self):
        data = interactions("a1 b1")
        assert apply(data) is data


class TestReport:
    def test_shows_what_each_step_left_and_removed(self):
        table = report(apply(interactions("a1 a2 b1 b2 c1"), MinRating(2), MinInteractions(user=2)))
        assert table.to_dict("list") == {
            "step": ["source", "rating >= 2", "users with >= 2 interactions"],
            "interactions": [5, 4, 2],
            "users": [3, 3, 1],
            "items": [2, 2, 2],
            "removed_interactions": [0, 1, 2],
            "removed_users": [0, 0, 2],
            "removed_items": [0, 0, 0],
        }

    def test_shows_the_source_where_nothing_was_done(self):
        assert report(interactions("a1 a2")).to_numpy().tolist() == [["source", 2, 1, 2, 0, 0, 0]]

    def test_shows_repeated_pairs_too(self):
        table = pd.DataFrame({"user": [1, 1], "item": [1, 1]})
        data = Interactions.from_frame(table, duplicates="last")
        assert report(data)["step"].tolist() == ["source", "repeated pairs, last kept"]


FILTERS = st.builds(MinRating, st.sampled_from([0.5, 2, 4, 9]), st.booleans()) | st.builds(
    MinInteractions, st.integers(0, 5), st.integers(1, 5), st.booleans()
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.lists(FILTERS, max_size=4))
def test_any_filters_leave_valid_interactions_and_an_unbroken_record(seed: int, filters: list[Filter]):
    data = random_interactions(seed)
    filtered = data
    for filter_ in filters:
        filtered = filter_(filtered)
    check_valid(filtered)
    assert {row[4] for row in rows_of(filtered)} <= {row[4] for row in rows_of(data)}
    source = {row[4]: (row[0], row[1], row[3]) for row in rows_of(data)}
    assert all(source[row[4]] == (row[0], row[1], row[3]) for row in rows_of(filtered))
    removed = sum(step.before[0] - step.after[0] for step in filtered.steps)
    assert data.nnz - removed == filtered.nnz
    if filters:
        assert (np.bincount(filtered.rows, minlength=filtered.shape[0]) > 0).all()
        assert (np.bincount(filtered.matrix.indices, minlength=filtered.shape[1]) > 0).all()


def test_movielens_1m_as_in_the_literature(data_dir):
    data = read_interactions(data_dir / "ml-1m.zip/ml-1m/ratings.dat")
    filtered = apply(data, MinRating(4), MinInteractions(user=5))
    check_valid(filtered)
    assert filtered.steps[0].after[0] == 348_971 + 226_310
    assert set(filtered.matrix.data) == {1}
    assert np.diff(filtered.matrix.indptr).min() >= 5
