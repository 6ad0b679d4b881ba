"""Sampled products compared with the dense product."""

import subprocess
import sys

import pytest
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys_ae.nn.linear import sampled_products
from recsys_ae.nn.rows import Rows
from tests.nn.small import matrix, rows_of


def factors(n: int = 9, width: int = 7, d: int = 5) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(3)
    return torch.randn(n, d, generator=draws), torch.randn(width, d, generator=draws)


def test_products_at_entries_and_their_gradients_are_those_of_the_dense_product() -> None:
    at, gradients = rows_of(matrix(9, 7)), []
    upstream = torch.randn(len(at.values), generator=torch.Generator().manual_seed(1))
    for dense in (False, True):
        left, right = (factor.double().requires_grad_() for factor in factors())
        actual = (left @ right.T)[at.row_of_entry, at.indices] if dense else sampled_products.products(left, right, at)
        (actual * upstream).sum().backward()  # type: ignore[no-untyped-call]
        gradients.append((actual.detach(), left.grad, right.grad))
    for sparse, expected in zip(*gradients, strict=True):
        assert sparse is not None
        assert expected is not None
        torch.testing.assert_close(sparse, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("frozen", [0, 1])
def test_a_side_that_needs_no_gradient_gets_none(frozen: int) -> None:
    at, sides = rows_of(matrix(9, 7)), list(factors())
    sides[1 - frozen].requires_grad_()
    sampled_products.products(sides[0], sides[1], at).sum().backward()  # type: ignore[no-untyped-call]
    assert sides[frozen].grad is None
    assert sides[1 - frozen].grad is not None


def test_of_no_entries_there_are_no_products_and_gradients_of_0() -> None:
    at = rows_of(csr_matrix((9, 7), dtype="float32"))
    left, right = (factor.requires_grad_() for factor in factors())
    actual = sampled_products.products(left, right, at)
    actual.sum().backward()  # type: ignore[no-untyped-call]
    assert actual.shape == (0,)
    for side in (left, right):
        assert side.grad is not None
        assert not side.grad.any()


def test_the_values_of_the_entries_do_not_matter() -> None:
    at, (left, right) = rows_of(matrix(9, 7)), factors()
    infinite = at.with_values(torch.full_like(at.values, torch.inf))
    assert torch.equal(sampled_products.products(left, right, at), sampled_products.products(left, right, infinite))


def test_pairs_may_come_in_any_order_and_twice() -> None:
    left, right = factors()
    rows, columns = torch.tensor([8, 0, 0, 8, 2, 0]), torch.tensor([1, 3, 0, 1, 6, 3])
    torch.testing.assert_close(sampled_products.pairs(left, right, rows, columns), (left @ right.T)[rows, columns])
    assert sampled_products.pairs(left, right, rows[:0], columns[:0]).shape == (0,)


@pytest.mark.parametrize("entries", [3, 12])
def test_places_may_repeat_within_a_row(entries: int) -> None:
    left, right = factors(3, 5)
    columns = torch.randint(5, (3 * entries,), dtype=torch.int32, generator=torch.Generator().manual_seed(2))
    bounds = torch.arange(4, dtype=torch.int32) * entries
    at = Rows(bounds, columns, torch.ones(3 * entries), 5, torch.arange(3))
    expected = (left @ right.T)[at.row_of_entry, columns.long()]
    torch.testing.assert_close(sampled_products.products(left, right, at), expected)


def test_pytorchs_warning_of_sparse_matrices_is_suppressed() -> None:
    code = (
        "import torch; from recsys_ae.nn.linear import sampled_products; from tests.nn.small import matrix, rows_of\n"
        "sampled_products.products(torch.ones(9, 2), torch.ones(7, 2), rows_of(matrix(9, 7)))"
    )
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
