"""Closed-form linear autoencoders of items (EASE) from the regularised Gram matrix.

Everything is computed in the memory of one matrix: at 40,000 items each copy would be 6 GiB in single precision.
"""

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from recsys_ae.errors import Argument, TrainingError
from recsys_ae.nn.linear import cholesky, cooccurrence, dual
from recsys_ae.nn.model import ALL, Model, Shape
from recsys_ae.nn.rows import Rows

Dtype: TypeAlias = Literal["float64", "float32"]


class ItemItem(Model):
    """Item-item model: score = x · B with weights B, ``(n_items, n_items)``, and a diagonal of 0."""

    weights: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.zeros(width, width))

    def encode(self, x: Rows) -> Tensor:
        """Return x · B: the code is the output."""
        return x.product(self.weights)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the scores of the slice of items."""
        return z[:, items]

    def item_weights(self) -> Tensor:
        """Return the columns of B, as rows."""
        return self.weights.T

    def score_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        """Return x · Wᵀ, with the columns of B for cold items as rows of W."""
        return x.product(weights.T.contiguous())

    def item_vectors(self) -> Tensor:
        """Return B: its row holds the weights of an item for all others."""
        return self.weights

    def solve(
        self,
        rows: Rows,
        dtype: Dtype,
        l2: float,
        dropout: float = 0.0,
        *,
        user_discount: float = 0.0,
        scaling: float = 0.0,
        popularity_discount: float = 0.0,
    ) -> None:
        """Minimise ‖X − XB‖² + Σ_ij Λ_i B_ij² under a diagonal of 0, with the Λ of `penalties`.

        Parameters
        ----------
        user_discount
            The weight of a user's row in the loss is its number of entries to the power −``user_discount``, divided by
            the mean weight.
        scaling
            Columns of X are divided by the root of diag(XᵀX) to this power, and B is scaled back (Steck, "Markov Random
            Fields for Collaborative Filtering", NeurIPS 2019). So Λ_i grows with an item's popularity.
        popularity_discount
            The column of an item in the result is divided by its number of entries to this power.
        """
        self.weights = rows.values.new_empty(0)  # free the old weights before the Gram matrix is allocated
        counts = _ones(rows).column_sums().clamp_min(1)
        if user_discount:
            rows = _discounted(rows, user_discount)
        if scaling:
            rows, scales = _scaled(rows, scaling)
        if _dual(len(rows), rows.width, dtype, l2):
            squares = rows.with_values(rows.values.double().square()).column_sums()
            self.weights = dual.solve(rows, penalties(squares, l2, dropout))
        else:
            gram = cooccurrence.gram(rows, getattr(torch, dtype))
            self.weights = without_self(inverse(gram, penalties(gram.diagonal(), l2, dropout), l2))
        if scaling:
            self.weights.mul_(scales.unsqueeze(1)).div_(scales)
        if popularity_discount:
            self.weights.div_(counts**popularity_discount)


def _ones(rows: Rows) -> Rows:
    """Return the rows with 1 for each entry that is not 0."""
    return rows.with_values((rows.values != 0).to(rows.values.dtype))


def _discounted(rows: Rows, power: float) -> Rows:
    """Multiply each row by the root of its weight: its length to the power −``power``, divided by the mean weight."""
    lengths = _ones(rows).sums()
    weights = lengths.clamp_min(1) ** -power
    weights /= weights[lengths > 0].mean()
    return rows.with_values(rows.values * weights.sqrt()[rows.row_of_entry])


def _scaled(rows: Rows, power: float) -> tuple[Rows, Tensor]:
    """Multiply each column by its scale, also returned, ``(width,)``: its relative length to the power −``power``."""
    squares = rows.with_values(rows.values.square()).column_sums()
    scales = torch.where(squares > 0, squares / squares[squares > 0].mean(), 1) ** (-power / 2)
    return rows.with_values(rows.values * scales[rows.indices]), scales


def penalties(squares: Tensor, l2: float, dropout: float = 0.0) -> Tensor:
    """Return Λ = λ + p/(1 − p) · diag(XᵀX), ``(n_items,)``, given diag(XᵀX).

    The second term is the expected increase of the squared loss if each input is dropped with probability p.
    """
    return l2 + squares * (dropout / (1 - dropout))


def factor(gram: Tensor, penalty: Tensor, l2: float) -> Tensor:
    """Overwrite XᵀX by the lower triangular L of XᵀX + diag(Λ) = LLᵀ and return it."""
    gram.diagonal().add_(penalty)
    # If other items determine an item, its pivot is only rounding error, which may be above 0.
    rounding = 64 * torch.finfo(gram.dtype).eps * gram.diagonal()
    if not (cholesky.factorise(gram) and (gram.diagonal().square() >= rounding).all()):
        raise TrainingError(Argument("l2", l2), " is too small to invert the items' Gram matrix; raise it")
    return gram


def inverse(gram: Tensor, penalty: Tensor, l2: float) -> Tensor:
    """Overwrite XᵀX by (XᵀX + diag(Λ))⁻¹ and return it."""
    cholesky.invert_factorised(factor(gram, penalty, l2))
    return gram


def without_self(inverse: Tensor) -> Tensor:
    """Overwrite P by −P_ij / P_jj with a diagonal of 0, and return it as float32 (Steck 2019, eq. 8)."""
    weights = inverse.div_(-inverse.diagonal()).float()
    return weights.fill_diagonal_(0)


def itemsize(dtype: Dtype) -> int:
    """Return the bytes of a number of this dtype."""
    return torch.finfo(getattr(torch, dtype)).bits // 8


def solve_memory(n_rows: int, width: int, dtype: Dtype, l2: float) -> int:
    """Return the bytes that `ItemItem.solve` needs: the Gram matrix, which becomes the weights in single precision.

    With few users it needs the memory of `dual.solve`. It is the same on a GPU: dense blocks of the rows take what is
    free besides the Gram matrix, or the matrix comes from the CPU.
    """
    if _dual(n_rows, width, dtype, l2):
        return dual.memory(n_rows, width)
    return matrix_memory(width, dtype)


def solve_operations(shape: Shape, nnz: int) -> float:
    """Return a rough number of operations of `ItemItem.solve`; a sparse product counts as if it were half dense."""
    smaller = min(shape.n_rows, shape.width)
    return 2.0 * smaller**3 + nnz * shape.width / 2


def matrix_memory(width: int, dtype: Dtype) -> int:
    """Return the bytes of the items × items matrix, and of float32 weights if the matrix has another dtype."""
    return width**2 * (itemsize(dtype) + (0 if dtype == "float32" else itemsize("float32")))


def _dual(n_rows: int, width: int, dtype: Dtype, l2: float) -> bool:
    return dual.is_cheaper(n_rows, width, l2, itemsize(dtype))
