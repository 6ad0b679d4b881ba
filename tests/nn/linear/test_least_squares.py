"""Fold-in by ridge regression compared with NumPy, one row at a time."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae.nn.linear import least_squares
from recsys_ae.nn.linear.least_squares import solve
from recsys_ae.nn.rows import Rows
from tests.nn.small import matrix, rows_of

WIDTH, D = 13, 4


def _vectors() -> torch.Tensor:
    return torch.randn(WIDTH, D, generator=torch.Generator().manual_seed(1))


def _slow(rows: Rows, weights: torch.Tensor, targets: torch.Tensor, base: torch.Tensor) -> NDArray[np.float64]:
    vectors, bounds = _vectors().double().numpy(), rows.indptr.tolist()
    result = np.zeros((len(rows), D))
    for row in range(len(rows)):
        left, right = base.double().numpy().copy(), np.zeros(D)
        for entry in range(bounds[row], bounds[row + 1]):
            v = vectors[int(rows.indices[entry])]
            left = left + float(weights[entry]) * np.outer(v, v)
            right = right + float(targets[entry]) * v
        result[row] = np.linalg.solve(left, right)
    return result


@pytest.mark.parametrize("cells", [1, 3 * D**2, 2**22])
@pytest.mark.parametrize("kind", ["ridge", "all columns"])
def test_each_row_gets_its_own_solution_however_the_work_is_cut(
    cells: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(least_squares, "CELLS", cells)
    rows, vectors = rows_of(matrix(11, WIDTH)), _vectors()
    base = 0.3 * torch.eye(D) + (vectors.T @ vectors if kind == "all columns" else 0)
    generator = torch.Generator().manual_seed(2)
    weights, targets = torch.rand(2, len(rows.values), generator=generator)
    untouched = base.clone()
    actual = solve(rows, vectors, weights, targets, base)
    assert actual.shape == (11, D)
    np.testing.assert_allclose(actual.numpy(), _slow(rows, weights, targets, base), rtol=1e-3, atol=1e-4)
    assert torch.equal(base, untouched)
    assert actual[[0, 5, 10]].tolist() == [[0] * D] * 3  # rows without an entry
    assert (actual[[1, 2, 3]].abs().amax(dim=1) > 0.01).all()


def test_a_rating_of_zero_is_an_observation_and_a_missing_one_is_not() -> None:
    """An entry of 0 changes the solution."""
    vectors = torch.tensor([[1.0, 0], [1.0, 1.0]])
    interactions = csr_matrix((np.array([2, 0, 2], np.float32), [0, 1, 0], [0, 2, 3]), shape=(2, 2))
    rows = rows_of(interactions)
    actual = solve(rows, vectors, torch.ones(3), rows.values, 0.5 * torch.eye(2))
    # (0.5 I + v₀v₀ᵀ + v₁v₁ᵀ) s = 2 v₀, and (0.5 I + v₀v₀ᵀ) s = 2 v₀
    np.testing.assert_allclose(actual.numpy(), [[12 / 11, -8 / 11], [4 / 3, 0]], rtol=1e-5, atol=1e-6)


def test_double_precision_stays_double() -> None:
    rows, vectors = rows_of(matrix(11, WIDTH)), _vectors().double()
    ones = torch.ones(len(rows.values), dtype=torch.float64)
    base = 1e-3 * torch.eye(D, dtype=torch.float64)
    actual = solve(rows, vectors, ones, ones, base)
    assert actual.dtype == torch.float64
    np.testing.assert_allclose(actual.numpy(), _slow(rows, ones, ones, base), rtol=1e-8, atol=1e-10)


def test_no_rows_have_no_solutions() -> None:
    nothing = rows_of(csr_matrix((0, WIDTH), dtype=np.float32))
    assert solve(nothing, _vectors(), torch.empty(0), torch.empty(0), torch.eye(D)).shape == (0, D)
