"""Regularised Gram matrix and its inverse, in the memory of one matrix."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.errors import TrainingError
from recsys_ae.nn.linear import cooccurrence, gram
from recsys_ae.nn.linear.gram import Dtype, ItemItem
from tests.nn.small import matrix, rows_of

DATA = matrix(60, 12, seed=2, density=0.3)
DENSE = DATA.toarray().astype(np.float64)
GRAM = DENSE.T @ DENSE

every_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


class Plain(ItemItem):
    def learn(self, rows, run, validate=None):  # type: ignore[no-untyped-def]
        return []


def by_inverse(penalty: np.ndarray) -> np.ndarray:
    """Return B_ij = −P_ij / P_jj with P = (XᵀX + diag(Λ))⁻¹ and a diagonal of 0."""
    p = np.linalg.inv(GRAM + np.diag(penalty))
    b = -p / p.diagonal()
    np.fill_diagonal(b, 0)
    return b


def test_penalties_grow_with_what_dropout_takes() -> None:
    matrix = cooccurrence.gram(rows_of(DATA), torch.float64)
    np.testing.assert_allclose(
        gram.penalties(matrix.diagonal(), 3.0, 0.25).numpy(), 3 + GRAM.diagonal() / 3, rtol=1e-14
    )
    assert gram.penalties(matrix.diagonal(), 3.0).tolist() == [3.0] * 12


@every_dtype
def test_the_factor_and_the_inverse_take_the_place_of_the_gram_matrix(dtype: Dtype) -> None:
    kind = getattr(torch, dtype)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    penalty = torch.arange(1, 13, dtype=kind)
    expected = GRAM + np.diag(np.arange(1, 13))
    gram_matrix = cooccurrence.gram(rows_of(DATA), kind)
    factor = gram.factor(gram_matrix, penalty, 1.0)
    assert factor.data_ptr() == gram_matrix.data_ptr()
    assert (factor.triu(1) == 0).all()
    np.testing.assert_allclose((factor @ factor.T).numpy(), expected, rtol=tolerance, atol=tolerance)
    gram_matrix = cooccurrence.gram(rows_of(DATA), kind)
    actual = gram.inverse(gram_matrix, penalty, 1.0)
    assert actual.data_ptr() == gram_matrix.data_ptr()
    np.testing.assert_allclose(actual.numpy(), np.linalg.inv(expected), rtol=tolerance, atol=tolerance)


@every_dtype
@pytest.mark.parametrize("columns", [[0, 0], [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]])
def test_a_gram_matrix_that_has_no_inverse_needs_a_penalty(dtype: Dtype, columns: list[int]) -> None:
    twins = rows_of(csr_matrix(DATA[:, columns]))
    with pytest.raises(TrainingError, match=r"l2 = 0\.0 is too small to invert the items' Gram matrix; raise it"):
        Plain(len(columns)).solve(twins, dtype, 0.0)
    network = Plain(len(columns))
    network.solve(twins, dtype, 1.0)
    assert network.weights.isfinite().all()


@every_dtype
def test_an_item_without_interactions_needs_a_penalty_even_with_dropout(dtype: Dtype) -> None:
    bare = rows_of(csr_matrix(DENSE * (np.arange(12) != 5)))
    with pytest.raises(TrainingError, match=r"l2 = 0\.0 is too small"):
        Plain(12).solve(bare, dtype, 0.0, dropout=0.5)


@every_dtype
def test_weights_solve_the_regularised_problem_and_lie_in_memory_as_scoring_reads_them(dtype: Dtype) -> None:
    """Products read rows of B; if B were stored by columns, each product would copy it."""
    network = Plain(12)
    network.solve(rows_of(DATA), dtype, 20.0, dropout=0.2)
    assert network.weights.dtype == torch.float32
    assert network.weights.is_contiguous()
    assert list(network.state_dict()) == ["weights"]
    expected = by_inverse(20 + GRAM.diagonal() * 0.2 / 0.8)
    np.testing.assert_allclose(network.weights.numpy(), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(network(rows_of(DATA)).numpy(), DENSE @ expected, rtol=1e-4, atol=1e-5)


def test_a_solution_does_not_depend_on_an_earlier_one() -> None:
    network = Plain(12)
    network.solve(rows_of(matrix(30, 12, seed=9)), "float64", 1.0)
    network.solve(rows_of(DATA), "float64", 20.0)
    np.testing.assert_allclose(network.weights.numpy(), by_inverse(np.full(12, 20.0)), rtol=1e-5, atol=1e-8)


@every_dtype
def test_memory_is_that_of_one_matrix_and_of_the_float32_weights_where_they_are_another(dtype: Dtype) -> None:
    assert gram.solve_memory(1000, 100, dtype, 5.0) == 100**2 * (4 if dtype == "float32" else 8 + 4)
    assert gram.solve_memory(20, 100, dtype, 5.0) == 8 * 20 * (20 + 100) + 4 * 100**2


def _slow(x: np.ndarray, user: float, scaling: float, popularity: float) -> np.ndarray:
    """Return B of the weighted, scaled and discounted problem, from the general inverse."""
    n = np.maximum((x != 0).sum(axis=1), 1.0)
    w = n**-user
    w /= w[(x != 0).any(axis=1)].mean()
    squares = (w[:, None] * x**2).sum(axis=0)
    s = np.where(squares > 0, squares / squares[squares > 0].mean(), 1) ** (-scaling / 2)
    g = s[:, None] * (x.T @ (w[:, None] * x)) * s
    p = np.linalg.inv(g + np.diag(20 + 0.5 / (1 - 0.5) * g.diagonal()))
    b = -p / p.diagonal()
    np.fill_diagonal(b, 0)
    return np.asarray(s[:, None] * b / s / np.maximum((x != 0).sum(axis=0), 1) ** popularity)


@pytest.mark.parametrize("powers", [(0.5, 0.0, 0.0), (0.0, 0.75, 0.0), (0.0, 0.0, 0.2), (0.5, 0.25, 0.2), (1, 2, 1)])
def test_users_and_items_are_discounted_as_they_say(powers: tuple[float, float, float]) -> None:
    data = matrix(60, 12, seed=2, density=0.3)
    data.data[data.indices == 7] = 0  # an item without interactions
    network = Plain(12)
    user, scaling, popularity = powers
    network.solve(
        rows_of(data), "float64", 20.0, 0.5, user_discount=user, scaling=scaling, popularity_discount=popularity
    )
    expected = _slow(data.toarray().astype(np.float64), *powers)
    np.testing.assert_allclose(network.weights.numpy(), expected, rtol=2e-5, atol=1e-7)
