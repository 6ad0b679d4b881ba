"""Item-item weights by the Woodbury identity, from a users × users matrix: cheaper if users are few.

(XᵀX + Λ)⁻¹ = Λ⁻¹ − Λ⁻¹Xᵀ (I + XΛ⁻¹Xᵀ)⁻¹ XΛ⁻¹ needs only the factor of a users × users matrix.
"""

import torch
from torch import Tensor

from recsys_ae.nn.linear import cholesky, cooccurrence
from recsys_ae.nn.rows import Rows

WELL_CONDITIONED = 1e6
"""Largest number of users per unit of the penalty; diagonals of the inverse are differences, and lose these digits."""


def is_cheaper(n_rows: int, width: int, l2: float, itemsize: int) -> bool:
    """Return True if `solve` takes fewer operations than the inverse of the items' matrix.

    Parameters
    ----------
    n_rows, width
        Number of users and of items.
    l2
        Least penalty of an item. If it is tiny, the result would not be exact, and False is returned.
    itemsize
        Bytes of a number of the items' matrix; `solve` computes in float64, which takes twice as long as float32.
    """
    m, n = float(n_rows), float(width)
    operations = m**3 / 3 + m**2 * n + m * n**2
    return operations < n**3 * itemsize / 8 and n_rows <= WELL_CONDITIONED * l2


def memory(n_rows: int, width: int) -> int:
    """Return the bytes that `solve` needs: float64 matrices, users × users and users × items, and the weights."""
    return 8 * n_rows * (n_rows + width) + 4 * width**2


def solve(rows: Rows, penalty: Tensor) -> Tensor:
    """Return B_ij = −P_ij / P_jj with P = (XᵀX + diag(Λ))⁻¹ and a diagonal of 0, ``(width, width)`` float32.

    Parameters
    ----------
    penalty
        Λ, ``(width,)``, positive.
    """
    penalty = penalty.double()
    scaled = rows.with_values(rows.values.double() * penalty.rsqrt()[rows.indices])
    kernel = cooccurrence.gram(scaled.transposed(), torch.float64)
    kernel.diagonal().add_(1)
    cholesky.factorise(kernel)
    half = _dense(rows).div_(penalty)
    cholesky.solve_lower(kernel, half)  # half is now S with P = Λ⁻¹ − SᵀS
    weights = torch.empty(rows.width, rows.width, device=rows.device)
    diagonal = 1 / penalty
    for block in cholesky.blocks(rows.width):
        product = half[:, block].T @ half[:, block.start :]
        diagonal[block] -= product.diagonal()
        weights[block, block.start :] = product
        weights[block.stop :, block] = weights[block, block.stop :].T
    return weights.div_(diagonal.float()).fill_diagonal_(0)


def _dense(rows: Rows) -> Tensor:
    result = rows.values.new_zeros(len(rows), rows.width, dtype=torch.float64)
    result[rows.row_of_entry, rows.indices.long()] = rows.values.double()
    return result
