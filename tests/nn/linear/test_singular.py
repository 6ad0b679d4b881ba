"""Largest singular values and vectors compared with those of the dense matrix."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.nn.linear import singular
from recsys_ae.nn.linear.singular import right_singular
from recsys_ae.nn.rows import Rows
from tests.nn.small import matrix, rows_of


def found(data: csr_matrix, k: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rows: Rows = rows_of(data)
    return right_singular(rows, rows.transposed(), k, torch.Generator().manual_seed(seed))


def assert_spans_the_same(data: csr_matrix, k: int, size: int, atol: float = 1e-5) -> None:
    """Check values and V Vᵀ, which has no signs, against NumPy; after the ``size`` first values there are zeros."""
    values, vectors = found(data, k)
    _, expected, v = np.linalg.svd(data.toarray().astype(np.float64))
    assert (values.dtype, values.shape, vectors.shape) == (torch.float32, (k,), (data.shape[1], k))
    np.testing.assert_allclose(values[:size].numpy(), expected[:size], rtol=1e-5)
    np.testing.assert_allclose((vectors @ vectors.T).numpy(), v[:size].T @ v[:size], atol=atol)
    assert (values[size:] == 0).all()
    assert (vectors[:, size:] == 0).all()


@pytest.mark.parametrize(("n", "width"), [(40, 12), (12, 40), (15, 15)])
def test_a_small_matrix_is_decomposed_exactly(n: int, width: int) -> None:
    assert_spans_the_same(matrix(n, width, seed=1), k=5, size=5)


@pytest.mark.parametrize(("n", "width"), [(40, 12), (12, 40)])
def test_where_the_rank_is_lower_zeros_fill_up(n: int, width: int) -> None:
    data = matrix(n, width, seed=1)
    assert_spans_the_same(data, k=20, size=int(np.linalg.matrix_rank(data.toarray())))
    values, vectors = found(csr_matrix(np.zeros((n, width), np.float32)), k=3)
    assert not values.any()
    assert not vectors.any()


@pytest.mark.parametrize(("n", "width"), [(700, 500), (500, 700)])
def test_a_large_matrix_is_decomposed_on_a_krylov_basis(n: int, width: int) -> None:
    """A basis of 320 vectors finds sixteen of 500; single precision mixes vectors with close singular values."""
    assert_spans_the_same(matrix(n, width, seed=2, density=0.02, kind="ones"), k=16, size=16, atol=1e-4)


def test_a_basis_larger_than_the_rank_does_no_harm() -> None:
    """All rows are multiples of four rows: other products are 0, and no division by their norm happens."""
    few = matrix(6, 600, seed=3, density=0.2).toarray()[[1, 2, 4]]
    data = csr_matrix(np.vstack([few] * 200))
    assert_spans_the_same(data, k=2, size=2)
    assert_spans_the_same(data, k=8, size=3)


def test_the_same_seed_gives_the_same_bits() -> None:
    data = matrix(500, 500, seed=2, density=0.02)
    one, again, other = (found(data, 4, seed) for seed in (0, 0, 1))
    assert torch.equal(one[1], again[1])
    assert not torch.equal(one[1], other[1])


def test_blocks_of_another_size_span_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = matrix(600, 500, seed=2, density=0.02)
    values, vectors = found(data, 4)
    monkeypatch.setattr(singular, "BLOCK", 8)
    again = found(data, 4)
    torch.testing.assert_close(again[0], values, rtol=1e-5, atol=0)
    torch.testing.assert_close(again[1] @ again[1].T, vectors @ vectors.T, rtol=0, atol=1e-5)
