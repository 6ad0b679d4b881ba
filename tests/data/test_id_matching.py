"""Ids of two sources meet, whatever their types."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.data.id_forms import normal_text, without_leading_zeros
from recsys_ae.data.id_matching import match, mismatch, unmatched

IDS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-5, 12),
    st.integers(-3, 12).map(float),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(0, 12).map(lambda number: f"{number:03d}"),
    st.integers(-3, 12).map(lambda number: f" {number}"),
    st.integers(-3, 12).map(lambda number: f"{number}.0"),
    st.text(max_size=4),
)


def slow(known: list[object], value: object) -> int:
    """Compare an id with all known ids, one after the other."""
    if value is None or value != value:  # noqa: PLR0124  NaN
        return -1
    digits = without_leading_zeros(value)
    for same in (
        lambda other: other == value and isinstance(other, str) == isinstance(value, str),
        lambda other: normal_text(other) == normal_text(value),
        lambda other: digits is not None and without_leading_zeros(other) == digits,
    ):
        places = [place for place, other in enumerate(known) if same(other)]
        if len(places) == 1:
            return places[0]
    return -1


@settings(max_examples=300, deadline=None)
@given(
    st.lists(IDS, min_size=1, max_size=12, unique=True),
    st.lists(st.one_of(IDS, st.none(), st.just(float("nan"))), max_size=12),
)
def test_ids_match_as_one_by_one(known: list[object], values: list[object]) -> None:
    expected = [slow(known, value) for value in values]
    assert match(pd.Index(known, dtype=object), values).tolist() == expected
    if len({type(value) for value in known}) == 1:
        assert match(pd.Index(known), values).tolist() == expected
        assert match(pd.Index(known), pd.Index(values)).tolist() == [
            slow(known, value) for value in pd.Index(values).tolist()
        ]


@pytest.mark.parametrize(
    ("known", "values", "positions"),
    [
        ([1, 2, 30], ["2", "1.0", " 30", "30 ", "4"], [1, 0, 2, 2, -1]),
        (["138271605X", "2224691361"], [2224691361, "138271605X"], [1, 0]),
        (["0345", "12"], [345, 12, "00345", 12.0], [0, 1, 0, 1]),
        ([7, 8], [7.0, 7.5, np.nan, None], [0, -1, -1, -1]),
        (["7", "07"], ["7", "007", 7], [0, -1, 0]),
        (["a", "nan"], [np.nan, "nan", "a "], [-1, 1, 0]),
        ([2**63 - 1], [str(2**63 - 1), float(2**63)], [0, -1]),
        ([1.5, 2.0], ["1.5", "2", 2], [0, 1, 1]),
        (["+5", "-5"], ["5", -5], [0, 1]),
        (["--5", "5"], ["-5"], [-1]),
    ],
)
def test_types_and_forms_meet(known: list[object], values: list[object], positions: list[int]) -> None:
    assert match(pd.Index(known), values).tolist() == positions
    assert match(pd.Index(known, dtype=object), pd.Index(values, dtype=object)).tolist() == positions


def test_integers_are_compared_at_once() -> None:
    known = pd.Index(np.arange(0, 1_000_000, 2))
    assert match(known, np.arange(4)).tolist() == [0, -1, 1, -1]
    assert match(known, pd.Index(np.array([2**64 - 1], np.uint64))).tolist() == [-1]


def test_a_number_of_any_length_is_compared() -> None:
    assert match(pd.Index([1, 2]), ["0" * 5000 + "2", "9" * 5000]).tolist() == [1, -1]
    assert match(pd.Index(["1", "x"]), ["0" * 5000 + "1", "9" * 5000]).tolist() == [0, -1]


def test_the_forms_of_known_ids_are_those_of_their_own_index() -> None:
    for number in range(50):
        # A new index may have the address of one that is gone.
        assert match(pd.Index(["x", f"0{number}"]), [number]).tolist() == [1]
        assert match(pd.Index([f"0{number}", "x"]), [number]).tolist() == [0]


def test_few_matches_are_worth_a_remark() -> None:
    known = pd.Index(["a", "b"])
    for values, n in ((["a", "b"], 0), (["a", "x"], 0), (["a", "x", "y"], 1), (["x"], 1), ([], 0)):
        assert len(mismatch(known, values, match(known, values), "items")) == n


def test_no_ids_at_all() -> None:
    assert match(pd.Index([1, 2]), []).tolist() == []
    assert match(pd.Index([], dtype=object), ["1"]).tolist() == [-1]


def test_a_mismatch_is_explained_by_an_example_of_each_side() -> None:
    known, values = pd.Index(["a1", "a2"]), [1, "a2", 3]
    assert unmatched(known, values, match(known, values), "items") == (
        "the model does not know 2 of 3 items, such as 1; the model has ids such as 'a1'"
    )
