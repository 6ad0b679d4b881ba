"""Elements of a page: cells, their best values, and numbers as text."""

import pytest

from recsys_ae.report.numbers import Mean
from recsys_ae.report.parts import Column, Table, number, table, with_interval

COLUMNS = [Column("model"), Column("ndcg", "", "high"), Column("rmse", "", "low", 2), Column("users", "", "", 0)]


def made(rows: list[tuple[str, list[object]]]) -> Table:
    found = table("scores", "Scores", COLUMNS, rows)
    assert found is not None
    return found


def starred(found: Table, column: int) -> list[str]:
    return [row[0].text for row in found.rows if row[column].best]


def test_every_value_that_is_shown_as_the_best_is_marked() -> None:
    found = made(
        [
            ("a", [Mean(0.41234, 0.1, 3), 1.001, 5]),
            ("b", [Mean(0.41229, None, 1), 0.999, 5]),
            ("c", [0.4123, 1.2, 6]),
            ("d", [0.3, 1.0, 7]),
        ]
    )
    assert starred(found, 1) == ["a", "b", "c"]
    assert starred(found, 2) == ["a", "b", "d"]
    assert starred(found, 3) == []  # neither high nor low is better


def test_a_single_value_is_not_the_best_of_anything() -> None:
    assert starred(made([("a", [0.4, None, 1]), ("b", [None, 0.2, 1])]), 1) == []


def test_rows_without_values_are_left_out() -> None:
    assert [row[0].text for row in made([("a", [None, None, None]), ("b", [1.0, None, "many"])]).rows] == ["b"]
    assert table("none", "None", COLUMNS, [("a", [None, None, None])]) is None


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(-0.25, 2, "−0.25"), (1234567.0, 1, "1,234,567.0"), (0.00004, 4, "0.0000")]
)
def test_numbers_have_a_minus_sign_and_commas(value: float, digits: int, text: str) -> None:
    assert number(value, digits) == text


def test_a_mean_of_equal_values_has_no_interval() -> None:
    assert with_interval(Mean(0.5, 0.0, 3)) == with_interval(Mean(0.5, None, 1)) == "0.5000"
    assert with_interval(Mean(-0.5, 0.25, 3), 2) == "−0.50 ± 0.25"
