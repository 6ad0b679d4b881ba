"""Ids from the command line, matched with the ids of a model."""

import numpy as np
import pandas as pd
import pytest

from cli import ids

KNOWN = [1, 10**17, 10**18, 2**63 - 1]


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_integers_of_any_length_are_found(dtype: str) -> None:
    found = ids.positions(pd.Index(KNOWN, dtype=dtype), [str(number) for number in KNOWN])
    assert found.tolist() == [0, 1, 2, 3]


def test_integers_that_are_too_large_are_unknown() -> None:
    assert ids.positions(pd.Index(KNOWN), [str(2**63), "9" * 30, "007"]).tolist() == [-1, -1, -1]
    large = pd.Index(np.array([1, 2**64 - 1], np.uint64))
    assert ids.positions(large, [str(2**64 - 1), "-1", "1"]).tolist() == [1, -1, 0]


@pytest.mark.parametrize(
    ("known", "words", "found"),
    [
        ([7, 80], ["7.0", "007", " 80", "8"], [0, 0, 1, -1]),
        (["007", "x"], ["7", "7.0", "x ", "y"], [0, 0, 1, -1]),
        ([0.5, 2.0], ["0.5", "2", "x"], [0, 1, -1]),
    ],
)
def test_words_that_a_spreadsheet_changed_are_found(known: list[object], words: list[str], found: list[int]) -> None:
    assert ids.positions(pd.Index(known), words).tolist() == found


def test_ids_that_match_the_same_known_id_stay_apart() -> None:
    assert ids.as_known(pd.Index([7, 8]), pd.Index(["7", "007", "8"])).tolist() == ["7", "007", 8]
