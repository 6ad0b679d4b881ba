"""Blockwise Cholesky factor and inverse compared with NumPy's, in place and at sizes that broke LAPACK's."""

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from recsys_ae.nn.linear import cholesky
from recsys_ae.nn.runtime import cpu_threads

every_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
SIZES = [1, 2, 7, 8, 9, 16, 17, 61]


@pytest.fixture(params=[(4, 4), (4, 8), (3, 5), (256, 512)], autouse=True)
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cholesky, "BLOCK", request.param[0])
    monkeypatch.setattr(cholesky, "COLUMNS", request.param[1])


def positive_definite(n: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    x = np.random.default_rng(n).normal(size=(n + 3, n))
    return torch.from_numpy(x.T @ x / n + np.eye(n)).to(dtype)


def tolerance(dtype: torch.dtype) -> dict[str, float]:
    return {"rtol": 1e-10, "atol": 1e-12} if dtype is torch.float64 else {"rtol": 1e-3, "atol": 1e-5}


@every_dtype
@pytest.mark.parametrize("n", SIZES)
def test_the_factor_is_lower_triangular_and_its_square_is_the_matrix(n: int, dtype: torch.dtype) -> None:
    matrix = positive_definite(n, dtype)
    factor = matrix.clone()
    assert cholesky.factorise(factor)
    assert torch.equal(factor, factor.tril())
    np.testing.assert_allclose(factor @ factor.T, matrix, **tolerance(dtype))


@every_dtype
@pytest.mark.parametrize("n", SIZES)
def test_only_the_lower_triangle_is_read(n: int, dtype: torch.dtype) -> None:
    matrix = positive_definite(n, dtype)
    half = matrix.tril() + torch.full_like(matrix, torch.nan).triu(1)
    assert cholesky.factorise(matrix)
    assert cholesky.factorise(half)
    assert torch.equal(matrix, half)


@every_dtype
@pytest.mark.parametrize("n", SIZES)
def test_the_inverse_is_symmetric_and_that_of_the_matrix(n: int, dtype: torch.dtype) -> None:
    matrix = positive_definite(n, dtype)
    inverse = matrix.clone()
    assert cholesky.factorise(inverse)
    cholesky.invert_factorised(inverse)
    torch.testing.assert_close(inverse, inverse.T, rtol=0, atol=1e-6 if dtype is torch.float32 else 1e-14)
    np.testing.assert_allclose(inverse, np.linalg.inv(matrix.double()), **tolerance(dtype))


@pytest.mark.parametrize("n", SIZES)
def test_a_triangular_system_is_solved_in_place(n: int) -> None:
    factor = positive_definite(n).tril()
    right = torch.from_numpy(np.random.default_rng(1).normal(size=(n, 5)))
    expected = np.linalg.solve(factor, right)
    cholesky.solve_lower(factor, right)
    np.testing.assert_allclose(right, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("negative", [0, 3, 4, 11, 16])
def test_a_matrix_that_is_not_positive_definite_is_refused(negative: int) -> None:
    matrix = positive_definite(17)
    matrix[negative, negative] = -1
    assert not cholesky.factorise(matrix)


@every_dtype
@pytest.mark.parametrize("n", SIZES)
def test_the_routines_of_a_gpu_give_the_same(n: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """The routines of devices are PyTorch's, which run on the CPU, too."""
    factor = positive_definite(n, dtype)
    same = factor.clone()
    assert cholesky.factorise(factor)
    assert cholesky._factorise_on_device(same)
    torch.testing.assert_close(same, factor)
    singular = torch.zeros(n, n, dtype=dtype)
    assert not cholesky._factorise_on_device(singular)


def test_products_use_as_many_threads_as_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def watched(matrix: np.ndarray) -> bool:
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas")
        return True

    monkeypatch.setattr(cholesky, "_factorise", watched)
    with cpu_threads(1):
        cholesky.factorise(torch.eye(3))
    assert set(seen) <= {1}


every_device_block = pytest.mark.parametrize("size", [(4, 8), (3, 5), (1024, 4096)])
"""The steps on a GPU run on any device."""


@every_device_block
@pytest.mark.parametrize("n", SIZES)
def test_on_a_gpu_the_inverse_takes_the_place_of_the_factor(
    n: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cholesky, "DEVICE_BLOCK", size[0])
    monkeypatch.setattr(cholesky, "DEVICE_COLUMNS", size[1])
    matrix = positive_definite(n)
    factor = torch.linalg.cholesky(matrix)
    address = factor.data_ptr()
    cholesky._invert_triangle_on_device(factor)
    np.testing.assert_allclose(factor @ torch.linalg.cholesky(matrix), np.eye(n), atol=1e-12)
    assert torch.equal(factor, factor.tril())
    cholesky._square_triangle_on_device(factor)
    assert factor.data_ptr() == address
    np.testing.assert_allclose(factor, np.linalg.inv(matrix), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(factor, factor.T, rtol=0, atol=1e-14)


@every_device_block
@pytest.mark.parametrize("n", SIZES)
def test_on_a_gpu_a_triangular_system_is_solved_in_its_place(
    n: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cholesky, "DEVICE_BLOCK", size[0])
    monkeypatch.setattr(cholesky, "DEVICE_COLUMNS", size[1])
    factor = torch.linalg.cholesky(positive_definite(n))
    right = torch.from_numpy(np.random.default_rng(0).normal(size=(n, 5)))
    expected = np.linalg.solve(factor, right)
    cholesky._solve_lower_on_device(factor, right)
    np.testing.assert_allclose(right, expected, rtol=1e-9, atol=1e-12)
