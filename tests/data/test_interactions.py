"""Tests of interactions: reading of tables, and arrays that stay aligned with the entries."""

import math
import re
from collections import Counter
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsys_ae.data.id_forms import normal_text
from recsys_ae.data.interactions import Interactions, Step
from recsys_ae.errors import ConfigError, DataError

Row = tuple[Any, Any, float, int | None, int]


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


def rows_of(data: Interactions) -> list[Row]:
    """Return user, item, value, time and source row of each entry, by slow and simple loops."""
    entries = []
    for row in range(data.shape[0]):
        for position in range(data.matrix.indptr[row], data.matrix.indptr[row + 1]):
            time = None if data.timestamps is None else int(data.timestamps[position])
            column = data.matrix.indices[position]
            value = float(data.matrix.data[position])
            entries.append((data.users[row], data.items[column], value, time, int(data.order[position])))
    return entries


def check_valid(data: Interactions) -> None:
    """Check all guarantees of `Interactions`."""
    matrix = data.matrix
    assert matrix.shape == (len(data.users), len(data.items)) == data.shape
    assert matrix.dtype == np.float32
    assert np.isfinite(matrix.data).all()
    for row in range(matrix.shape[0]):
        columns = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
        assert (np.diff(columns) > 0).all()
    assert data.users.is_unique
    assert data.items.is_unique
    assert data.order.dtype == np.int32
    assert len(data.order) == len(set(data.order)) == data.nnz
    if data.timestamps is not None:
        assert data.timestamps.dtype == np.int64
        assert data.timestamps.shape == (data.nnz,)
        assert (data.timestamps >= 0).all()


def random_interactions(seed: int, n_users: int = 12, n_items: int = 9, n: int = 60) -> Interactions:
    rng = np.random.default_rng(seed)
    pairs = rng.choice(n_users * n_items, n, replace=False)
    table = frame(
        user=[f"u{user}" for user in pairs // n_items],
        item=pairs % n_items,
        rating=rng.integers(1, 6, n),
        timestamp=rng.integers(0, 20, n),
    )
    return Interactions.from_frame(table, rating="rating", timestamp="timestamp")


class TestFromFrame:
    def test_reads_each_row_into_its_place(self):
        table = frame(who=["b", "a", "b"], what=[7, 7, 5], stars=[1.5, 2, 3], when=[30, 10, 20])
        data = Interactions.from_frame(table, user="who", item="what", rating="stars", timestamp="when")
        assert data.matrix.toarray().tolist() == [[0, 2], [3, 1.5]]
        assert data.users.tolist() == ["a", "b"]
        assert data.items.tolist() == [5, 7]
        assert rows_of(data) == [("a", 7, 2, 10, 1), ("b", 5, 3, 20, 2), ("b", 7, 1.5, 30, 0)]
        check_valid(data)

    def test_takes_columns_by_position(self):
        table = frame(x=[1, 2], y=["a", "b"], z=[3, 4])
        data = Interactions.from_frame(table, user=1, item=2, rating=0)
        assert rows_of(data) == [("a", 3, 1, None, 0), ("b", 4, 2, None, 1)]

    def test_without_ratings_everything_counts_one(self):
        assert Interactions.from_frame(frame(user=[1, 2], item=[1, 1])).matrix.data.tolist() == [1, 1]

    def test_keeps_text_and_numbers_apart(self):
        table = frame(user=pd.Series([1, "1", 2.5, "a"], dtype=object), item=[1, 1, 1, 1])
        data = Interactions.from_frame(table)
        assert data.users.tolist() == [1, 2.5, "1", "a"]
        assert data.users.dtype == object

    def test_keeps_integers_apart_that_floats_cannot(self):
        ids = [2**53, 2**53 + 1, 0.5, 2**70]
        data = Interactions.from_frame(frame(user=pd.Series(ids, dtype=object), item=[0] * 4))
        assert sorted(data.users) == sorted(ids)

    @pytest.mark.parametrize("dtype", ["int8", "uint32", "int64", "Int64", "int64[pyarrow]"])
    def test_integers_of_any_width_become_int64(self, dtype):
        data = Interactions.from_frame(frame(user=pd.Series([2, 1], dtype=dtype), item=["x", "y"]))
        assert data.users.dtype == np.int64
        assert data.users.tolist() == [1, 2]

    @pytest.mark.parametrize("dtype", [object, "string", "category", "string[pyarrow]"])
    def test_text_of_any_storage_gives_the_same_ids(self, dtype):
        words = ["b", "a", "b"]
        data = Interactions.from_frame(frame(user=pd.Series(words, dtype=dtype), item=[1, 2, 3]))
        plain = Interactions.from_frame(frame(user=words, item=[1, 2, 3]))
        assert data.users.equals(plain.users)
        assert rows_of(data) == rows_of(plain)

    def test_unused_categories_are_no_ids(self):
        column = pd.Series(pd.Categorical(["c", "a"], categories=["b", "c", "a"]))
        assert Interactions.from_frame(frame(user=column, item=[1, 1])).users.tolist() == ["a", "c"]

    @pytest.mark.parametrize("name", ["'quoted'", "a,b", "🎬🎬", "x" * 10_000, " ", "nul\0", "line\nbreak"])
    def test_ids_may_be_any_text(self, name):
        assert Interactions.from_frame(frame(user=[name, "a"], item=[name, name])).items.tolist() == [name]

    def test_reads_datetimes_as_seconds(self):
        moments = ["1970-01-01 00:01:00", "2001-09-09 01:46:40"]
        for column in (
            pd.to_datetime(pd.Series(moments)),
            pd.to_datetime(pd.Series(moments), utc=True).dt.tz_convert("Asia/Tokyo"),
            pd.Series(moments),
            pd.Series(moments, dtype="category"),
        ):
            data = Interactions.from_frame(frame(user=[1, 2], item=[1, 1], t=column), timestamp="t")
            assert data.timestamps is not None
            assert data.timestamps.tolist() == [60, 1_000_000_000]

    def test_numbers_of_another_unit_become_seconds_and_are_remarked(self):
        data = Interactions.from_frame(frame(user=[1], item=[1], t=[1_600_000_000_123]), timestamp="t")
        assert data.timestamps is not None
        assert data.timestamps.tolist() == [1_600_000_000]
        assert data.remarks == ("timestamps (column t) read as milliseconds since 1970: 2020-09-13 to 2020-09-13",)

    def test_none_leaves_a_column_out_unless_it_has_that_name(self):
        table = frame(user=[1], item=[1], rating=[5])
        assert Interactions.from_frame(table, rating="none", timestamp="none").matrix.data.tolist() == [1]
        data = Interactions.from_frame(table.rename(columns={"rating": "none"}), rating="none")
        assert data.matrix.data.tolist() == [5]

    def test_reads_decimal_and_textual_ratings(self):
        ratings = pd.Series([Decimal("4.5"), "3.5", True, np.float32(2)], dtype=object)
        data = Interactions.from_frame(frame(user=[1, 2, 3, 4], item=[1] * 4, r=ratings), rating="r")
        assert data.matrix.data.tolist() == [4.5, 3.5, 1, 2]

    def test_leaves_the_table_alone(self):
        table = frame(user=[2, 1], item=["b", "a"], rating=[1, 2])
        before = table.copy(deep=True)
        Interactions.from_frame(table, rating="rating")
        pd.testing.assert_frame_equal(table, before)


class TestRefuses:
    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"user": [1, None]}, "user in row 2 is missing: nan"),
            ({"user": ["a", None]}, "user in row 2 is missing"),
            ({"item": [1.0, np.inf]}, "item in row 2 is not finite: inf"),
            ({"item": pd.Series([1, np.inf], dtype=object)}, "item in row 2 is neither text nor a finite number: inf"),
            ({"user": [True, False]}, "user ids of type bool are neither text nor numbers"),
            ({"user": pd.Series([1, True], dtype=object)}, "user in row 2 is neither text nor a finite number: True"),
            ({"user": [1j, 2j]}, "user ids of type complex128"),
            ({"user": [[1], [2]]}, "user in row 1 is neither text nor a finite number: [1]"),
            ({"user": pd.to_datetime(["2001-01-01", "2002-01-01"])}, "user ids of type datetime64"),
            ({"user": pd.Series(["a", "\ud800"], dtype=object)}, "user in row 2 is not valid Unicode text: '\\ud800'"),
            ({"user": pd.Series([1, "\ud800"], dtype=object)}, "user in row 2 is not valid Unicode text: '\\ud800'"),
            ({"user": pd.Series([1.0, np.inf], dtype="category")}, "user in row 2 is not finite: inf"),
            ({"rating": [1, "abc"]}, "rating in row 2 is not a number: 'abc'"),
            ({"rating": [1, np.nan]}, "rating in row 2 is missing: nan"),
            ({"rating": [np.inf, 1]}, "rating in row 1 is not finite: inf"),
            ({"rating": [1, 1e39]}, "rating in row 2 is too large for a 32-bit number: 1e+39"),
            ({"rating": pd.Series([1, 10**400], dtype=object)}, "rating in row 2 is not finite: 1000"),
            ({"rating": pd.to_datetime(["2001-01-01", "2002-01-01"])}, "the rating column holds datetime64"),
            ({"rating": [1, [2]]}, "rating in row 2 is not a number: [2]"),
            ({"rating": pd.Series(["1", "x", "1"], dtype="category")[:2]}, "rating in row 2 is not a number: 'x'"),
            ({"timestamp": [1, -5]}, "timestamp in row 2 is negative: -5"),
            ({"timestamp": ["2001-01-01", "1950-01-01"]}, "timestamp in row 2 is before 1970: '1950-01-01'"),
            (
                {"timestamp": ["2001-01-01", "soon"]},
                "timestamp in row 2 is neither a number nor a date such as 2020-12-31T",
            ),
            ({"timestamp": [1, 1e30]}, "timestamp in row 2 is out of range: 1e+30"),
            ({"timestamp": [pd.NaT, pd.Timestamp("2001-01-01")]}, "timestamp in row 1 is missing: NaT"),
        ],
    )
    def test_values_it_cannot_use(self, columns, message):
        table = frame(**({"user": [1, 2], "item": [1, 2], "rating": [1, 2], "timestamp": [1, 2]} | columns))
        with pytest.raises(DataError) as caught:
            Interactions.from_frame(table, rating="rating", timestamp="timestamp")
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)

    def test_says_how_many_rows_are_bad(self):
        with pytest.raises(DataError, match=r"row 1 is not a number: 'x' \(2 such rows\)"):
            Interactions.from_frame(frame(user=[1, 2], item=[1, 2], r=["x", "y"]), rating="r")

    def test_a_missing_column_and_says_which_there_are(self):
        with pytest.raises(DataError, match="user = 'userId': there is no such column; the columns are: user, item"):
            Interactions.from_frame(frame(user=[1], item=[1]), user="userId")
        with pytest.raises(DataError, match="item = 5: there is no such column"):
            Interactions.from_frame(frame(user=[1], item=[1]), item=5)

    def test_a_column_that_occurs_twice(self):
        table = pd.DataFrame([[1, 2, 3]], columns=["user", "user", "item"])
        with pytest.raises(DataError, match="user = 'user' occurs 2 times"):
            Interactions.from_frame(table)

    def test_an_empty_table(self):
        with pytest.raises(DataError, match="no rows"):
            Interactions.from_frame(frame(user=[], item=[]))

    def test_ids_that_do_not_fit_the_matrix(self):
        with pytest.raises(DataError, match="there are ids for"):
            Interactions(csr_matrix((2, 2), dtype=np.float32), pd.Index([1]), pd.Index([1, 2]))

    def test_an_endless_value_is_not_shown_whole(self):
        table = frame(user=["x" * 10_000] * 2, item=[1, 1])
        with pytest.raises(DataError) as caught:
            Interactions.from_frame(table)
        assert len(str(caught.value)) < 250


class TestDuplicates:
    table = frame(user=[1, 2, 1, 1], item=["a", "b", "a", "a"], rating=[1, 5, 2, 4], timestamp=[9, 9, 8, 7])

    def read(self, duplicates: Any) -> Interactions:
        return Interactions.from_frame(self.table, rating="rating", timestamp="timestamp", duplicates=duplicates)

    def test_are_refused_with_both_rows_and_plain_ids(self):
        with pytest.raises(DataError) as caught:
            self.read("error")
        assert str(caught.value) == (
            "user 1 and item 'a' occur together in rows 1 and 3 (2 repeated pairs); "
            "to allow it, set duplicates = 'last' or duplicates = 'sum'"
        )

    def test_keep_the_last_row(self):
        data = self.read("last")
        assert rows_of(data) == [(1, "a", 4, 7, 3), (2, "b", 5, 9, 1)]
        assert data.steps == (Step("repeated pairs, last kept", (4, 2, 2), (2, 2, 2)),)
        assert str(data.steps[0]) == "repeated pairs, last kept: removed 2 interactions, 0 users, 0 items"

    def test_add_up_with_the_time_of_the_last_row(self):
        data = self.read("sum")
        assert rows_of(data) == [(1, "a", 7, 7, 3), (2, "b", 5, 9, 1)]

    def test_that_add_up_to_too_much_are_refused(self):
        table = frame(user=[1, 1], item=[1, 1], r=[3e38, 3e38])
        with pytest.raises(DataError, match="more than a 32-bit number holds"):
            Interactions.from_frame(table, rating="r", duplicates="sum")

    def test_an_unknown_choice_is_an_error_of_configuration(self):
        with pytest.raises(ConfigError, match="duplicates = 'first': expected one of error, last, sum"):
            self.read("first")


@pytest.mark.parametrize("seed", range(10))
class TestStaysAligned:
    def test_when_interactions_are_taken(self, seed):
        data = random_interactions(seed)
        keep = np.random.default_rng(seed).random(data.nnz) < 0.5
        taken = data.take(keep, name="some")
        check_valid(taken)
        assert rows_of(taken) == [row for row, kept in zip(rows_of(data), keep, strict=True) if kept]
        assert taken.shape == data.shape
        assert taken.steps[-1] == Step("some", data.counts, taken.counts)

    def test_when_users_are_selected(self, seed):
        data = random_interactions(seed)
        positions = np.random.default_rng(seed).permutation(data.shape[0])[:7]
        chosen = data.select_users(positions)
        expected = [row for position in positions for row in rows_of(data) if row[0] == data.users[position]]
        assert rows_of(chosen) == expected
        assert chosen.users.tolist() == [data.users[position] for position in positions]
        assert chosen.items.equals(data.items)

    def test_when_moved_onto_other_items(self, seed):
        data = random_interactions(seed)
        rng = np.random.default_rng(seed)
        items = pd.Index(rng.permutation([*rng.permutation(data.items)[:5], 100, 101]))
        moved = data.onto(items)
        check_valid(moved)
        assert moved.items.equals(items)
        assert moved.users.equals(data.users)
        known = [row for row in rows_of(data) if row[1] in items]
        assert sorted(rows_of(moved)) == sorted(known)
        assert moved.steps[-1].before == data.counts
        assert moved.steps[-1].after == (len(known), data.shape[0], 5)

    def test_when_all_of_it_happens_in_turn(self, seed):
        data = random_interactions(seed)
        keep = np.random.default_rng(seed).random(data.nnz) < 0.7
        last = data.take(keep).select_users(np.arange(data.shape[0])[::-2]).onto(data.items[::-2])
        expected = [
            row
            for row, kept in zip(rows_of(data), keep, strict=True)
            if kept and row[0] in last.users and row[1] in last.items
        ]
        assert sorted(rows_of(last)) == sorted(expected)


def test_selecting_nobody_leaves_an_empty_matrix():
    data = random_interactions(0).select_users(np.empty(0, np.int64))
    assert data.shape == (0, 9)
    assert data.nnz == 0


def test_moving_onto_its_own_items_changes_nothing():
    data = random_interactions(0)
    same = data.onto(data.items)
    assert rows_of(same) == rows_of(data)
    assert same.steps == ()


ODD = st.one_of(
    st.none(),
    st.just(pd.NA),
    st.booleans(),
    st.binary(max_size=3),
    st.just([1]),
    st.decimals().filter(lambda value: not value.is_snan()),  # pandas itself fails on it
    st.complex_numbers(),
    st.datetimes(),
)
NUMBERS = st.one_of(st.integers(), st.integers(0, 4), st.floats(), st.floats(width=16), st.just(10**400))
TEXT = st.one_of(st.sampled_from(["", "1", "a", "🎬", " ", "nan", "2001-01-01"]), st.text(st.characters(), max_size=5))
VALUES = st.sampled_from([NUMBERS, TEXT, NUMBERS | TEXT, NUMBERS | TEXT | ODD, st.integers(0, 3), st.integers(0, 9)])
DTYPES = st.sampled_from([None, object, "category", "float32", "Int64", "string", "datetime64[ns]"])


@st.composite
def columns(draw: st.DrawFn, size: int) -> pd.Series:
    values = draw(st.lists(draw(VALUES), min_size=size, max_size=size))
    try:
        return pd.Series(values, dtype=draw(DTYPES))
    except (TypeError, ValueError, OverflowError, RuntimeWarning):
        return pd.Series(values, dtype=object)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    size = draw(st.integers(0, 8))
    return pd.DataFrame({role: draw(columns(size)) for role in ("user", "item", "rating", "timestamp")})


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    tables(),
    st.sampled_from([None, "rating", 2, "nowhere"]),
    st.sampled_from([None, "timestamp"]),
    st.sampled_from(["error", "last", "sum"]),
)
def test_any_table_is_read_right_or_refused_in_one_line(table, rating, timestamp, duplicates):
    try:
        data, message = Interactions.from_frame(table, rating=rating, timestamp=timestamp, duplicates=duplicates), ""
    except DataError as error:
        data, message = None, str(error)
    if data is None:
        assert len(message.splitlines()) == 1
        assert "np." not in message
        return
    check_valid(data)
    read = rows_of(data)
    table = table.assign(user=in_one_form(table["user"]), item=in_one_form(table["item"]))
    pairs = Counter(
        (str(user), isinstance(user, str), str(item)) for user, item in zip(data.users, data.items, strict=False)
    )
    assert max(pairs.values()) == 1
    for user, item, value, _, row in read:
        assert same(table["user"].iloc[row], user)
        assert same(table["item"].iloc[row], item)
        if rating is None and duplicates != "sum":
            assert value == 1
        elif rating is not None and duplicates != "sum":
            assert math.isclose(float(table["rating"].iloc[row]), value, rel_tol=1e-6, abs_tol=1e-40)
    expected = {(as_key(user), as_key(item)) for user, item in zip(table["user"], table["item"], strict=True)}
    assert {(as_key(user), as_key(item)) for user, item, *_ in read} == expected


def in_one_form(column: pd.Series) -> pd.Series:
    """Return ids as they are read: decimals as integers if all of them are, else as plain text.

    Texts have their normal form if two differ in form only, and then become integers if all are.
    """
    column = without_decimals(column)
    values = column.tolist()
    texts = {value for value in values if isinstance(value, str)}
    if len({normal_text(text) for text in texts}) == len(texts):
        return column
    plain = [normal_text(value) if isinstance(value, str) else value for value in values]
    if all(re.fullmatch("0|-?[1-9][0-9]*", value) and -(2**63) <= int(value) < 2**63 for value in map(str, plain)):
        plain = [int(value) for value in plain] if all(isinstance(value, str) for value in plain) else plain
    return pd.Series(plain, dtype=object)


def without_decimals(column: pd.Series) -> pd.Series:
    values = column.tolist()
    decimals = [value for value in values if isinstance(value, Decimal) and value.is_finite()]
    if not decimals or any(abs(value.adjusted()) > 1000 for value in decimals):
        return column
    if all(value == value.to_integral_value() and -(2**63) <= value < 2**63 for value in decimals):
        plain = {value: int(value) for value in decimals}
    else:
        plain = {value: re.sub(r"(\.\d*?)0+$", r"\1", f"{value:f}").removesuffix(".") for value in decimals}
        plain |= {value: "0" for value in decimals if value == 0}
    written = [plain[value] if isinstance(value, Decimal) and value.is_finite() else value for value in values]
    return pd.Series(written, dtype=object)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([0, 0, Decimal("0.5")], [0, 0, "0.5"]),
        (["a", Decimal("2.0"), 7], ["a", 2, 7]),
        ([Decimal("1.50"), Decimal("1E+1"), Decimal("-0.0")], ["1.5", "10", "0"]),
    ],
)
def test_decimals_among_other_ids_are_integers_if_all_are_else_plain_text(ids: list[Any], expected: list[Any]) -> None:
    data = Interactions.from_frame(pd.DataFrame({"user": ids, "item": range(len(ids))}))
    assert in_one_form(pd.Series(ids, dtype=object)).tolist() == expected
    assert {(type(id), id) for id in data.users.tolist()} == {(type(id), id) for id in expected}


def same(given_id: Any, read_id: Any) -> bool:
    return isinstance(given_id, str) == isinstance(read_id, str) and bool(given_id == read_id)


def as_key(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value
