"""A given training and test part, joined into one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae import DataRecipe, Interactions
from recsys_ae.data.recipe_table import RecipeError
from recsys_ae.data.splits.joined import joined

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), unique=True, min_size=2, max_size=30)


Row: TypeAlias = tuple[object, object, float]


def of(rows: Sequence[Row], *, times: bool = False) -> Interactions:
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
    frame["time"] = 1_000_000_000 + np.arange(len(frame))
    return Interactions.from_frame(frame, rating="rating", timestamp="time" if times else None)


def entries(data: Interactions) -> dict[tuple[str, str], float]:
    users, items = data.users[data.rows], data.items[data.matrix.indices]
    return {
        (str(user), str(item)): float(value) for user, item, value in zip(users, items, data.matrix.data, strict=True)
    }


@settings(max_examples=25, deadline=None)
@given(PAIRS, st.data())
def test_it_is_the_table_of_both(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    """In its order of users, items and interactions, also if the parts write their ids in another form."""
    cut = data.draw(st.integers(1, len(pairs) - 1))
    rows = [(user, item, float(1 + (user + item) % 5)) for user, item in pairs]
    train, whole = of(rows[:cut]), of(rows)
    written: list[Row] = [(f"{user}.0", f"0{item}", rating) for user, item, rating in rows[cut:]]
    for both in (joined(train, of(rows[cut:])), joined(train, of(written))):
        assert both.nnz == whole.nnz
        assert both.shape == whole.shape
    both = joined(train, of(rows[cut:]))
    assert (both.users.tolist(), both.items.tolist()) == (whole.users.tolist(), whole.items.tolist())
    assert (both.matrix != whole.matrix).nnz == 0
    np.testing.assert_array_equal(both.order, whole.order)


@settings(max_examples=25, deadline=None)
@given(PAIRS)
def test_known_ids_keep_the_form_of_the_training_part(pairs: list[tuple[int, int]]) -> None:
    rows = [(user, item, 3.0) for user, item in pairs]
    written: list[Row] = [(f"{user}.0", f"0{item}", 4.0) for user, item, _ in rows]
    both = joined(of(rows), of(written))
    assert entries(both) == {(str(user), str(item)): 4.0 for user, item in pairs}
    assert both.users.dtype.kind == "i"


def test_the_test_part_is_the_last() -> None:
    train, test = of([("a", 1, 2), ("b", 1, 3)], times=True), of([("a", 1, 5), ("a", "01", 4), ("c", 9, 1)], times=True)
    both = joined(train, test)
    assert entries(both)["a", "1"] == 4  # 01 is the same item
    assert entries(both)["b", "1"] == 3
    assert both.timestamps is not None
    assert joined(train, of([("a", 2, 5)])).timestamps is None  # one part has none
    assert entries(joined(train, of([("a", 1, 5)]), "sum"))["a", "1"] == 7
    assert both.steps[-1].name == "test part added"
    assert both.steps[-1].after == both.counts


def test_a_recipe_without_held_out_data_reads_both_files(tmp_path: Path) -> None:
    for name, rows in {"base": [(1, 1), (1, 2), (2, 1)], "test": [(2, 2), (3, 1)]}.items():
        pd.DataFrame(rows, columns=["user", "item"]).to_csv(tmp_path / f"{name}.csv", index=False)
    place: dict[str, Any] = {"data": str(tmp_path / "base.csv"), "test_data": str(tmp_path / "test.csv")}
    place["min_user_items"] = 0
    split = DataRecipe(**place, split_kind="none").split()
    assert split.train.shape == (3, 2)
    assert split.train.nnz == 5
    unsplit = DataRecipe(**place, split_kind="given").unsplit()
    assert (unsplit.split_kind, unsplit.test_data) == ("none", place["test_data"])
    assert unsplit.split().fingerprint == split.fingerprint
    assert unsplit.unsplit() == unsplit
    with pytest.raises(RecipeError, match="test_data needs split_kind given or none, not strong"):
        DataRecipe(**place)
    with pytest.raises(RecipeError, match="fold needs split_kind given, not none"):
        DataRecipe(data="ml-100k", split_kind="none", fold="u1")


def test_a_recipe_of_ratings_is_unsplit_without_a_threshold() -> None:
    assert DataRecipe(data="sample", split_kind="ratings").unsplit().min_rating == "none"
    assert DataRecipe(data="sample", split_kind="ratings", min_rating=3).unsplit().min_rating == 3
    assert DataRecipe(data="sample").unsplit().min_rating == "auto"
