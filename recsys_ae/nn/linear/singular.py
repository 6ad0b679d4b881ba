"""Largest singular values and right singular vectors of sparse rows, without a dense items × items matrix.

Musco, Musco, "Randomized Block Krylov Methods for Stronger and Faster Approximate Singular Value Decomposition",
NeurIPS 2015.
"""

import torch
from torch import Tensor

from recsys_ae.nn.linear.cooccurrence import gram
from recsys_ae.nn.rows import Rows

BLOCK = 32
"""Vectors multiplied at a time. Fewer give higher powers with the same basis; more give faster products."""


def right_singular(rows: Rows, columns: Rows, k: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the ``k`` largest singular values of X, ``(k,)`` float32, and V, ``(width, k)``, largest first.

    If X has a lower rank, the result is padded with zeros. It is exact if the basis is as large as the matrix; with a
    smaller basis there is an error, which is negligible except in the last few of the ``k``.

    Parameters
    ----------
    rows, columns
        X and `Rows.transposed` of it.
    """
    size = BLOCK * -(-(4 * k + 256) // BLOCK)
    shorter = min(len(rows), rows.width)
    if rows.width == shorter <= size:
        squares, vectors = torch.linalg.eigh(gram(rows, torch.float64))
    elif shorter <= size:
        squares, left_vectors = torch.linalg.eigh(gram(columns, torch.float64))
        vectors = columns.product(left_vectors) / squares.clamp_min(torch.finfo(squares.dtype).tiny).sqrt()
    else:
        squares, vectors = _krylov(rows, columns, size, generator)
    squares, vectors = squares.flip(0)[:k], vectors.flip(1)[:, :k]
    rounding = 64 * torch.finfo(torch.float32).eps * squares[:1]
    significant = squares > rounding
    values, result = rows.values.new_zeros(k), rows.values.new_zeros(rows.width, k)
    values[: len(significant)] = torch.where(significant, squares, 0).sqrt()
    result[:, : len(significant)] = torch.where(significant, vectors, 0)
    return values, result


def _krylov(rows: Rows, columns: Rows, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues of XᵀX on the span of Ω, XᵀXΩ, (XᵀX)²Ω, … for a random Ω, ascending, and the vectors."""
    basis = rows.values.new_empty(size, rows.width).T
    inner = rows.values.new_zeros(size, size)

    def drawn() -> Tensor:
        return torch.randn(rows.width, BLOCK, generator=generator, device=rows.device)

    block = torch.linalg.qr(drawn()).Q
    for start in range(0, size, BLOCK):
        new = slice(start, start + BLOCK)
        basis[:, new] = block
        spanned = basis[:, : new.stop]
        image = columns.product(rows.product(block.contiguous()))
        inner[: new.stop, new] = spanned.T @ image
        rounding = torch.finfo(image.dtype).eps * image.norm()
        image -= spanned @ inner[: new.stop, new]
        if image.norm() < 64 * rounding:  # the basis spans all that further products can reach
            size = new.stop
            break
        # If fewer directions than a block remain, random ones replace rounding errors.
        image += drawn() * (rounding / rows.width**0.5)
        # Orthogonalise again, because the remainder may be small compared with the projection that was subtracted.
        image = torch.linalg.qr(image).Q
        image -= spanned @ (spanned.T @ image)
        block = torch.linalg.qr(image).Q
    squares, vectors = torch.linalg.eigh(inner[:size, :size].double(), UPLO="U")
    return squares, basis[:, :size] @ vectors.to(basis.dtype)
