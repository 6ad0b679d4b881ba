"""Conditions that select rows, compared with pandas."""

import numpy as np
import pandas as pd
import pytest

from recsys_ae.data.readers.parts.where import Condition, conditions, refuse_unknown
from recsys_ae.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", [("a", "=", "1")]),
        ("date >= 2026-01-01 and country = DE", [("date", ">=", "2026-01-01"), ("country", "=", "DE")]),
        ("  a<>-2.5  AND b!=x y ", [("a", "<>", "-2.5"), ("b", "!=", "x y")]),
        ("'my column' == 'rock and roll'", [("my column", "==", "rock and roll")]),
        ("a = \"it\"\"s\" and b < 'it''s'", [("a", "=", 'it"s'), ("b", "<", "it's")]),
        ("time>2026-01-01 10:00:00+01:00", [("time", ">", "2026-01-01 10:00:00+01:00")]),
        ("brand = Sand and Co", [("brand", "=", "Sand"), ("Co", "", "")][:0]),
        ("band = andes", [("band", "=", "andes")]),
    ],
)
def test_texts_are_conditions(text: str, expected: list[tuple[str, str, str]]) -> None:
    if not expected:
        with pytest.raises(ConfigError, match="expected a condition such as"):
            conditions(text)
        return
    assert conditions(text) == tuple(Condition(*one) for one in expected)


@pytest.mark.parametrize(
    "text", ["", "a", "a =", "= 1", "a = 1 and", "a = 1 or b = 2 =", "a => 1 > 2", "a = 'x", "and"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a condition such as"):
        conditions(text)


def test_no_text_is_no_condition() -> None:
    assert conditions(None) == ()


@pytest.mark.parametrize("operator", [">=", "<=", "!=", "<>", "==", "=", ">", "<"])
def test_numbers_times_and_texts_are_compared_as_such(operator: str) -> None:
    meaning = {"=": "==", "<>": "!="}.get(operator, operator)
    frame = pd.DataFrame(
        {
            "n": [1, 2, 10, -3],
            "x": [0.5, np.nan, 10.0, 2.0],
            "t": pd.to_datetime(["2026-01-01", "2025-12-31", "2026-01-02", None]),
            "w": ["b", "a", "c", "b"],
            "digits": ["9", "10", "2", "07"],
        }
    )
    for column, value, literal in (
        ("n", "2", "2"), ("x", "2.0", "2.0"), ("t", "2026-01-01", "@pd.Timestamp('2026-01-01')"), ("w", "b", "'b'"),
    ):  # fmt: skip
        wanted = frame.eval(f"{column} {meaning} {literal}") & frame[column].notna()
        for series in (frame[column], frame[column].astype("category")):
            assert Condition(column, operator, value).holds(series).tolist() == wanted.tolist(), (column, series.dtype)
    numbers = frame["digits"].astype(int)
    wanted = pd.eval(f"numbers {meaning} 9", local_dict={"numbers": numbers})
    assert Condition("digits", operator, "9").holds(frame["digits"].astype("category")).tolist() == wanted.tolist()


def test_dates_that_are_text_are_in_order() -> None:
    days = pd.Series(["2025-12-31", "2026-01-01", None, "2026-02-01"]).astype("category")
    assert Condition("date", ">=", "2026-01-01").holds(days).tolist() == [False, True, False, True]


def test_truth_values_are_words() -> None:
    flags = pd.Series([True, False, True])
    assert Condition("bought", "=", "True").holds(flags).tolist() == [True, False, True]
    assert Condition("bought", "!=", "true").holds(flags).tolist() == [False, True, False]


def test_times_with_a_zone_are_compared_in_it() -> None:
    times = pd.Series(pd.to_datetime(["2026-01-01 00:30+01:00", "2026-01-01 01:30+01:00"]).tz_convert("Europe/Berlin"))
    assert Condition("t", ">=", "2026-01-01 01:00").holds(times).tolist() == [False, True]
    assert Condition("t", ">=", "2026-01-01 00:00Z").holds(times).tolist() == [False, True]


@pytest.mark.parametrize(
    ("column", "said"), [(pd.Series([1, 2]), "a holds numbers"), (pd.to_datetime(pd.Series(["2026"])), "a holds times")]
)
def test_a_value_of_another_kind_is_refused(column: "pd.Series[int]", said: str) -> None:
    with pytest.raises(DataError, match=said):
        Condition("a", "<", "word").holds(column)


def test_unknown_columns_are_named() -> None:
    with pytest.raises(DataError, match="there is no column b; the columns are"):
        refuse_unknown(conditions("a = 1 and b = 2"), ["a", "c"])
