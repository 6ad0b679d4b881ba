"""Closed forms at sizes where LAPACK's factorisation wrote past its buffer and killed the process."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.nn.linear import dual
from recsys_ae.nn.linear.gram import Dtype, ItemItem, solve_memory
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import cpu_threads, free_memory

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(3600)]
L2 = 500.0


class Plain(ItemItem):
    def learn(self, rows, run, validate=None):  # type: ignore[no-untyped-def]
        return []


def drawn(n_users: int, n_items: int) -> csr_matrix:
    """Return interactions of each user with 40 items, more often with popular ones."""
    rng = np.random.default_rng(0)
    items = (n_items * rng.random((n_users, 40)) ** 3).astype(np.int32)
    matrix = csr_matrix((np.ones(items.size, np.float32), items.ravel(), np.arange(0, items.size + 1, 40)))
    matrix.resize(n_users, n_items)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


@pytest.mark.parametrize(
    ("n_users", "n_items", "dtype", "tolerance"),
    [(2_000, 26_000, "float64", 1e-6), (30_000, 26_000, "float64", 1e-6), (30_000, 40_000, "float32", 1e-4)],
)
def test_the_weights_solve_the_problem_with_two_threads(
    n_users: int, n_items: int, dtype: Dtype, tolerance: float
) -> None:
    """For each item j, (XᵀX + λI) B_j − XᵀX_j is 0 except in row j, the multiplier of the constraint."""
    needed, free = solve_memory(n_users, n_items, dtype, L2) + 2**30, free_memory(torch.device("cpu"))
    if free is not None and needed > free:
        pytest.skip(f"needs {needed / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are free")
    matrix = drawn(n_users, n_items)
    network = Plain(n_items)
    with cpu_threads(2):
        network.solve(Rows.from_matrix(matrix, torch.device("cpu")), dtype, L2)
    assert dual.is_cheaper(n_users, n_items, L2, 8) == (n_users == 2_000)
    for item in (0, 17, n_items // 2, n_items - 1):
        weights = network.weights[:, item].numpy().astype(np.float64)
        column = matrix.T @ matrix[:, [item]].toarray()[:, 0]
        residual = matrix.T @ (matrix @ weights) + L2 * weights - column
        residual[item] = 0
        assert np.abs(residual).max() <= tolerance * max(1.0, np.abs(column).max())
