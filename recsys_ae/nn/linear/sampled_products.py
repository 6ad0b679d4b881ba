"""Sampled matrix products: only the entries of a sparse pattern are computed."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from recsys_ae.nn.rows import Rows


def products(left: Tensor, right: Tensor, at: Rows) -> Tensor:
    """Return ⟨left_r, right_c⟩ for each entry (r, c) of the rows, ``(nnz,)``.

    ``left`` is ``(n, d)`` and ``right`` ``(width, d)``. Cost and memory grow with the entries rather than with
    ``n * width``, forwards and backwards: both gradients are sparse products. On one thread this beats the dense
    product if fewer than about a sixth of the ``n * width`` products are entries.
    """
    inner_products: Tensor = _Products.apply(left, right, at)  # type: ignore[no-untyped-call]
    return inner_products


def pairs(left: Tensor, right: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return ⟨left_r, right_c⟩ for each pair of a row and a column, in any order, ``(m,)``. No gradient passes."""
    order = torch.argsort(rows, stable=True)
    bounds = functional.pad(torch.bincount(rows, minlength=len(left)).cumsum(0, dtype=torch.int32), (1, 0))
    entries = columns[order].to(torch.int32)
    at = Rows(bounds, entries, left.new_zeros(len(rows)), len(right), torch.arange(len(left), device=left.device))
    inner_products = left.new_empty(len(rows))
    inner_products[order] = products(left.detach(), right.detach(), at)
    return inner_products


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, at: Rows) -> Tensor:
        ctx.at = at
        ctx.save_for_backward(left, right)
        if len(at.values) == 0:
            return left.new_empty(0)
        if len(at.values) > len(at) * at.width:  # more repeated entries than a pattern may hold
            return (left @ right.T)[at.row_of_entry, at.indices]
        from recsys_ae.nn.linear import sparse_dense  # noqa: PLC0415

        pattern = sparse_dense.csr(at.indptr, at.indices, left.new_zeros(len(at.values)), at.width)
        sampled: Tensor = torch.sparse.sampled_addmm(pattern, left, right.T, beta=0.0)
        return sampled.values()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        left, right = ctx.saved_tensors
        weighted = ctx.at.with_values(gradient.contiguous())
        of_left = weighted.product(right) if ctx.needs_input_grad[0] else None
        of_right = weighted.transposed().product(left) if ctx.needs_input_grad[1] else None
        return of_left, of_right, None
