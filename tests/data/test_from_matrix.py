"""Interactions from matrices: any format and type, checked ids, values and timestamps."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Holdout, split_interactions, split_users
from recsys_ae.errors import DataError

Row = tuple[int, int, int, int]
ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 100), st.integers(0, 9)), max_size=25)
FORMATS = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")
DENSE = np.array([[0, 3, 0, 1], [4, 0, 0, 0], [2, 0, 0, 5]])
NAN = np.nan


def pairs(data: Interactions) -> dict[tuple[Any, Any], tuple[float, int | None]]:
    """Return value and time of each pair of user and item, one by one."""
    times = [None] * data.nnz if data.timestamps is None else data.timestamps.tolist()
    users, items = data.users[data.rows].tolist(), data.items[data.matrix.indices].tolist()
    return dict(zip(zip(users, items, strict=True), zip(data.matrix.data.tolist(), times, strict=True), strict=True))


def coo(rows: list[Row], kind: str = "float32") -> tuple[sparse.coo_matrix, np.ndarray]:
    table = np.array(rows, np.int64).reshape(-1, 4)
    matrix = sparse.coo_matrix((table[:, 2].astype(kind), (table[:, 0], table[:, 1])), shape=(5, 4))
    return matrix, table[:, 3]


@settings(max_examples=150, deadline=None)
@given(ROWS, st.sampled_from(["uint8", "int8", "float64"]), st.sampled_from(["last", "sum"]))
def test_repeated_entries_are_treated_as_in_tables(rows: list[Row], kind: str, duplicates: Any) -> None:
    matrix, times = coo(rows, kind)
    expected: dict[tuple[int, int], tuple[float, int]] = {}
    for row, column, value, time in rows:
        before = expected[row, column][0] if (row, column) in expected and duplicates == "sum" else 0.0
        expected[row, column] = (before + value, time)
    data = Interactions.from_matrix(matrix, timestamps=times, duplicates=duplicates)
    assert pairs(data) == expected
    assert data.matrix.has_canonical_format
    again = Interactions.from_matrix(data.matrix, data.users, data.items, data.timestamps)
    assert pairs(again) == expected


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_a_matrix_in_any_order_takes_its_timestamps_along(rows: list[Row]) -> None:
    distinct = list({row[:2]: row for row in rows}.values())
    matrix, times = coo(distinct)
    ids = pd.Index(list("edcba")), pd.Index(list("zyxw"))
    expected = {(ids[0][row], ids[1][column]): (value, time) for row, column, value, time in distinct}
    assert pairs(Interactions(matrix, *ids, times)) == expected  # type: ignore[arg-type]
    by_column = sorted(distinct, key=lambda row: (row[1], row[0]))
    of_columns = np.array([row[3] for row in by_column], np.int64)
    assert pairs(Interactions(matrix.tocsc(), *ids, of_columns)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_interactions_and_split(form: str, array: bool) -> None:
    rng = np.random.default_rng(0)
    dense = rng.integers(0, 3, (30, 12)).astype(np.float32)
    users, items = [f"u{number}" for number in range(30)], np.arange(12) + 5
    expected = Interactions.from_matrix(dense, users, items)
    matrix = getattr(sparse, f"{form}_{'array' if array else 'matrix'}")(dense)
    if form == "dia":  # stores the zeros of its diagonals
        matrix = sparse.coo_array(matrix)
        matrix.eliminate_zeros()
    for data in (
        Interactions.from_matrix(matrix, users, items),
        Interactions(matrix, pd.Index(users), pd.Index(items)),
    ):
        assert pairs(data) == pairs(expected)
        parts = [split_users(part, n_valid=3, n_test=4, seed=1).fingerprint for part in (data, expected)]
        assert parts[0] == parts[1]


def test_a_canonical_matrix_is_taken_as_it_is() -> None:
    matrix = sparse.csr_matrix(DENSE.astype(np.float32))
    assert Interactions(matrix, pd.Index([1, 2, 3]), pd.Index(list("abcd"))).matrix is matrix


def test_ids_are_positions_or_those_of_a_pivot_table() -> None:
    assert list(pairs(Interactions.from_matrix(DENSE))) == [(0, 1), (0, 3), (1, 0), (2, 0), (2, 3)]
    pivot = pd.DataFrame(DENSE, index=["a", "b", "c"], columns=[10, 20, 30, 40])
    assert list(pairs(Interactions.from_matrix(pivot))) == [("a", 20), ("a", 40), ("b", 10), ("c", 10), ("c", 40)]


def test_explicit_zeros_are_interactions_and_bool_counts_1() -> None:
    stored = sparse.csr_matrix((np.array([0.0, 2.0]), ([0, 1], [1, 0])), shape=(2, 2))
    assert pairs(Interactions.from_matrix(stored)) == {(0, 1): (0.0, None), (1, 0): (2.0, None)}
    assert set(Interactions.from_matrix(DENSE > 0).matrix.data) == {1.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"matrix": [[1]]}, "the matrix must be a matrix with 2 dimensions, not list"),
        ({"matrix": np.ones(3)}, "the matrix must be a matrix with 2 dimensions, not 1 dimensions"),
        ({"matrix": DENSE + 1j}, "the matrix of type complex128 is no matrix of real numbers"),
        ({"matrix": DENSE.astype(object)}, "the matrix of type object is no matrix of real numbers"),
        ({"matrix": np.where(DENSE == 4, NAN, DENSE)}, "the matrix: the value of user 1 and item 0 is nan; leave out"),
        ({"matrix": np.where(DENSE == 0, NAN, DENSE)}, "the value of user 0 and item 0 is nan (7 such values); leave"),
        ({"matrix": sparse.csc_matrix(DENSE * 1e300)}, "the value of user 0 and item 1 is inf (5 such values); values"),
        ({"users": [1, 2]}, "the matrix has shape (3, 4), but there are ids for (2, 4)"),
        ({"users": [1, 2, 1]}, "the id 1 occurs at the positions 0 and 2 of users; each needs its own"),
        ({"items": ["a", "b", None, "c"]}, "the id at position 2 of items is missing"),
        ({"items": pd.to_datetime(["2001"] * 4) + pd.to_timedelta(range(4), "D")}, "items of type datetime64"),
        ({"timestamps": [1, 2]}, "the matrix has 5 entries, but timestamps are 2; give one for each entry"),
        ({"timestamps": DENSE}, "the matrix has 5 entries, but timestamps are an array of shape (3, 4)"),
        ({"timestamps": [1, 2, 3, 4, -5]}, "timestamp in row 5 is"),
    ],
)
def test_what_does_not_suit_is_refused_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        Interactions.from_matrix(**({"matrix": DENSE} | arguments))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_repeated_entries_are_refused_by_their_places() -> None:
    matrix = sparse.coo_matrix((np.ones(3), ([0, 1, 0], [2, 0, 2])), shape=(2, 3))
    message = r"user 0 and item 2 occur together in entries 1 and 3 \(1 repeated pairs\); to allow it, set duplicates"
    with pytest.raises(DataError, match=message):
        Interactions.from_matrix(matrix)
    with pytest.raises(DataError, match=f"{message} = 'last' or duplicates = 'sum' of Interactions.from_matrix"):
        Interactions(matrix, pd.RangeIndex(2), pd.RangeIndex(3))  # type: ignore[arg-type]


def test_timestamps_of_interactions_are_whole_seconds() -> None:
    matrix = sparse.csr_matrix(DENSE.astype(np.float32))
    for times in (np.arange(5) / 2, np.arange(5) - 1, pd.date_range("2001-01-01", periods=5).to_numpy()):
        with pytest.raises(DataError, match="timestamps must be whole seconds since 1970"):
            Interactions(matrix, pd.RangeIndex(3), pd.RangeIndex(4), times)


def test_what_is_no_interactions_is_not_split() -> None:
    for data in (sparse.csr_matrix(DENSE), pd.DataFrame(DENSE)):
        with pytest.raises(DataError, match="expected Interactions to split, not"):
            split_interactions(data)  # type: ignore[arg-type]


def test_matrices_of_a_holdout_are_checked() -> None:
    given, users = sparse.csc_array(DENSE), pd.RangeIndex(3)
    holdout = Holdout(given, given, users)  # type: ignore[arg-type]
    assert holdout.histories.has_canonical_format
    assert holdout.targets.dtype == np.float32
    with pytest.raises(DataError, match="expected the same shape, and a user for each row"):
        Holdout(given, given, pd.RangeIndex(2))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="targets of the holdout: the value of row 0, column 0 is nan"):
        Holdout(given, sparse.csr_matrix(np.where(DENSE, 1, NAN)), users)  # type: ignore[arg-type]


# Ids that a table writes in several ways


@pytest.mark.parametrize(
    ("users", "read"),
    [
        (["7", "7.0", "8"], [7, 8]),
        (["7", " 7", "x"], ["7", "x"]),
        (["7", "7.0 ", "x", "7."], ["7", "x"]),
        (["7.0", "8.0"], ["7.0", "8.0"]),
        (["7", "007"], ["007", "7"]),
        (["a.b", "a.b "], ["a.b"]),
        (["+5", "5", "99999999999999999999"], ["5", "99999999999999999999"]),
        ([" ", ""], ["", " "]),
    ],
)
def test_ids_that_differ_in_form_only_are_one(users: list[str], read: list[Any]) -> None:
    table = pd.DataFrame({"user": users, "item": range(len(users))})
    for kind in ("object", "category", "str"):
        data = Interactions.from_frame(table.astype({"user": kind}))
        assert data.users.tolist() == read
        assert data.nnz == len(users)
        assert len(data.remarks) == (len(read) < len(users))


def test_ids_that_differ_in_form_only_are_reported() -> None:
    table = pd.DataFrame({"user": ["7", "7.0", "8"], "item": ["a", "b", "c"]})
    assert Interactions.from_frame(table).remarks == (
        "1 user ids are written in several ways, such as '7' and '7.0'; each is read as one user",
    )
