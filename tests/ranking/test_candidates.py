"""Candidate items: seen items, allow lists and deny lists."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import coo_matrix, csc_matrix, csr_array, csr_matrix

from recsys_ae.errors import DataError
from recsys_ae.ranking.candidates import Candidates, places

HISTORIES = csr_matrix(np.array([[1, 0, 0, 2], [0, 0, 0, 0]], np.float32))


@pytest.mark.parametrize("items", [[2, 0], (2, 0), np.array([2, 0], np.int32), np.array([2, 0], np.uint8)])
def test_positions_of_any_form_are_taken(items: Any) -> None:
    actual = places(items, 3)
    assert actual.tolist() == [2, 0]
    assert actual.dtype == np.int64


@pytest.mark.parametrize("items", [[], np.empty(0), ()])
def test_no_positions_are_no_positions(items: Any) -> None:
    assert places(items, 3).tolist() == []


@pytest.mark.parametrize(("items", "wrong"), [([0, 3], 3), ([-1, 0], -1), ([0, 99, -5], 99)])
def test_a_position_that_does_not_exist_is_named(items: list[int], wrong: int) -> None:
    with pytest.raises(DataError, match=f"there is no item at position {wrong}; there are 3 items"):
        places(items, 3)


@pytest.mark.parametrize("items", [["a"], [0.0], [True], [[0, 1]], 1, {0, 1}, "ab", [None]])
def test_what_are_no_positions_is_refused(items: Any) -> None:
    with pytest.raises(DataError, match=r"items must be a list of positions from 0 to 2; positions\(\) looks up ids"):
        places(items, 3)


def test_by_default_everything_but_the_seen_may_be_recommended() -> None:
    candidates = Candidates.of(HISTORIES)
    assert [denied.toarray().tolist() for denied in candidates.denied] == [HISTORIES.toarray().tolist()]
    assert candidates.allowed is None
    assert candidates.denied_to_all is None


def test_the_seen_may_stay() -> None:
    assert Candidates.of(HISTORIES, exclude_seen=False).denied == ()


def test_lists_for_all_are_joined() -> None:
    candidates = Candidates.of(HISTORIES, allow=[0, 2, 3], deny=[3])
    assert candidates.denied_to_all is not None
    assert candidates.denied_to_all.tolist() == [False, True, False, True]


def test_to_allow_nothing_denies_everything_and_to_deny_nothing_denies_nothing() -> None:
    nothing = Candidates.of(HISTORIES, allow=[])
    assert nothing.denied_to_all is not None
    assert nothing.denied_to_all.all()
    assert Candidates.of(HISTORIES, deny=[]).denied_to_all is None


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix, coo_matrix, csr_array])
def test_lists_for_each_row_are_sparse_matrices_of_any_form(form: type) -> None:
    per_row = np.array([[0, 1, 1, 0], [1, 0, 0, 0]])
    candidates = Candidates.of(HISTORIES, allow=form(per_row), deny=form(per_row))
    assert candidates.allowed is not None
    np.testing.assert_array_equal(candidates.allowed.toarray(), per_row)
    assert len(candidates.denied) == 2
    np.testing.assert_array_equal(candidates.denied[1].toarray(), per_row)


def test_excluded_items_are_left_out_besides_the_seen_and_the_denied() -> None:
    excluded = csr_matrix(np.array([[0, 1, 0, 0], [0, 0, 1, 0]], np.float32))
    candidates = Candidates.of(HISTORIES, deny=[3], exclude=excluded)
    assert [matrix.toarray().tolist() for matrix in candidates.denied] == [
        matrix.toarray().tolist() for matrix in (HISTORIES, excluded)
    ]
    assert candidates.denied_to_all is not None
    assert candidates.denied_to_all.tolist() == [False, False, False, True]
    assert len(Candidates.of(HISTORIES, deny=excluded, exclude=excluded, exclude_seen=False).denied) == 2


@pytest.mark.parametrize("wrong", [[0, 1], np.ones((2, 4)), "ab"])
def test_further_items_that_are_no_sparse_matrix_are_refused(wrong: Any) -> None:
    with pytest.raises(DataError, match=r"exclude must be a sparse \(2, 4\) matrix, not "):
        Candidates.of(HISTORIES, exclude=wrong)


@pytest.mark.parametrize("name", ["allow", "deny", "exclude"])
@pytest.mark.parametrize("shape", [(1, 4), (2, 3), (4, 2)])
def test_a_matrix_of_another_shape_is_refused(name: str, shape: tuple[int, int]) -> None:
    wrong: dict[str, Any] = {name: csr_matrix(shape)}
    with pytest.raises(DataError, match=rf"{name} has the shape \({shape[0]}, {shape[1]}\), .* have \(2, 4\)"):
        Candidates.of(HISTORIES, **wrong)


def test_items_at_the_first_positions_are_left_out_besides_the_others() -> None:
    candidates = Candidates.of(HISTORIES, deny=[3])
    without = candidates.without(2, 4)
    assert without.denied_to_all is not None
    assert without.denied_to_all.tolist() == [True, True, False, True]
    assert without.denied is candidates.denied
    assert candidates.denied_to_all is not None
    assert candidates.denied_to_all.tolist() == [False, False, False, True]


def test_where_no_item_is_denied_to_all_only_the_first_positions_are_left_out() -> None:
    without = Candidates.of(HISTORIES).without(1, 4)
    assert without.denied_to_all is not None
    assert without.denied_to_all.dtype == bool
    assert without.denied_to_all.tolist() == [True, False, False, False]
