"""Columns of several parts as one."""

import numpy as np
import pandas as pd
import pytest

from recsys_ae.data.readers.parts.joined import joined


def category(values: list[object], dtype: object = object) -> "pd.Series[object]":
    return pd.Series(pd.Categorical(values, pd.Index(pd.unique(pd.Series(values, dtype=object).dropna()), dtype=dtype)))


@pytest.mark.parametrize("seed", range(5))
def test_categories_are_joined_like_their_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [list(rng.choice(list("abcdefgh"), rng.integers(1, 9))) for _ in range(6)]
    for part in parts:
        if len(part) > 2:
            part[1] = None
    found = joined([category(part) for part in parts])
    values = [value for part in parts for value in part]
    assert [None if pd.isna(value) else value for value in found.tolist()] == values
    assert sorted(found.cat.categories) == sorted({value for value in values if value is not None})


def test_integers_and_text_become_text() -> None:
    found = joined([category([1, 2], "int64"), category(["7", "x"]), category([2, 3], "int64")])
    assert found.tolist() == ["1", "2", "7", "x", "2", "3"]
    assert joined([category([1, 2], "int64"), category([2], "int64")]).cat.categories.dtype.kind == "i"


def test_a_part_without_values_keeps_its_rows() -> None:
    empty = category([None, None])
    found = joined([empty, category([5, 6], "int64"), empty])
    assert found.isna().tolist() == [True, True, False, False, True, True]
    assert found.cat.categories.dtype.kind == "i"
    assert joined([empty, empty]).isna().all()


def test_numbers_are_joined() -> None:
    assert joined([pd.Series([1, 2]), pd.Series([0.5])]).tolist() == [1.0, 2.0, 0.5]
    assert joined([pd.Series([1], dtype="Int64"), pd.Series([2])]).dtype == "Int64"
    only = pd.Series([1])
    assert joined([only]) is only
