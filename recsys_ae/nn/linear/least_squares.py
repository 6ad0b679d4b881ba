"""Fold-in by ridge regression: the vector of each sparse row, given the vectors of the items."""

import torch
from torch import Tensor

from recsys_ae.errors import Argument, TrainingError
from recsys_ae.nn.rows import Rows

CELLS = 2**22
"""Numbers of the equations held at a time: 16 MiB of float32, 32 MiB of float64."""


def solve(x: Rows, vectors: Tensor, weights: Tensor, targets: Tensor, base: Tensor) -> Tensor:
    """Return for each row the s of (base + Σ_e w_e v_e v_eᵀ) s = Σ_e t_e v_e, ``(n, d)``, e over the row's entries.

    Parameters
    ----------
    vectors
        ``(width, d)``: v of each column.
    weights, targets
        ``(nnz,)``: w and t of each entry.
    base
        ``(d, d)``, positive definite: a multiple of the identity for ridge regression over the entries only, plus VᵀV
        if the columns without an entry count too (Hu, Koren, Volinsky 2008, eq. 4). Its dtype is that of the
        computation and of the result.

    Raises
    ------
    TrainingError
        If a matrix is singular within rounding errors.
    """
    d = vectors.shape[1]
    result = base.new_zeros(len(x), d)
    weights, targets = weights.to(base.dtype), targets.to(base.dtype)
    bounds = x.indptr.tolist()
    size = max(1, CELLS // d**2)
    for start in range(0, len(x), size):
        stop = min(len(x), start + size)
        matrices, right_sides = base.repeat(stop - start, 1, 1), base.new_zeros(stop - start, d)
        for row in range(start, stop):
            entries = slice(bounds[row], bounds[row + 1])
            entry_vectors = vectors[x.indices[entries]].to(base.dtype)
            matrices[row - start].addmm_(entry_vectors.T, entry_vectors * weights[entries, None])
            torch.mv(entry_vectors.T, targets[entries], out=right_sides[row - start])
        factors, failed = torch.linalg.cholesky_ex(matrices)
        if failed.any():
            raise TrainingError(
                "the vectors of the items are too large to solve for the vector of a user; fit again with a higher ",
                Argument("l2"),
            )
        result[start:stop] = torch.cholesky_solve(right_sides.unsqueeze(2), factors).squeeze(2)
    return result
