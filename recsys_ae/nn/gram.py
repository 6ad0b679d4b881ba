"""Linear autoencoders of the items, in closed form: the regularised Gram matrix and what is solved with it.

All of it happens in the memory of the one matrix: at 40,000 items each copy would be 6 GiB in single precision.
"""

import contextlib
from typing import Any, Literal, TypeAlias

import torch
from scipy.linalg import lapack
from torch import Tensor

from recsys_ae.errors import TrainingError
from recsys_ae.nn import cooccurrence
from recsys_ae.nn.autoencoder import ALL, Autoencoder
from recsys_ae.nn.rows import Rows

Dtype: TypeAlias = Literal["float64", "float32"]

MIRRORED = 256
"""Rows of a triangle that are copied into the other at a time: as many as a cache holds."""


class ItemItem(Autoencoder):
    """score = x · B with the item-item weights B, ``(n_items, n_items)``, whose diagonal is 0."""

    weights: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.zeros(width, width))

    def encode(self, x: Rows) -> Tensor:
        """Return x · B: what stands between input and output is the output itself."""
        return x.product(self.weights)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the columns asked for."""
        return z[:, items]

    def item_weights(self) -> Tensor:
        """Return the columns of B, as rows."""
        return self.weights.T

    def score_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        """Return x · Wᵀ, W being further columns."""
        return x.product(weights.T.contiguous())

    def item_vectors(self) -> Tensor:
        """Return what each item says about all others, a row of B."""
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
            A user's row counts as often as the −``user_discount`` power of the number of its entries says, on average
            once.
        scaling
            Items are divided by the root of diag(XᵀX) to this power, and B is scaled back (Steck, "Markov Random
            Fields for Collaborative Filtering", NeurIPS 2019): Λ_i then grows with an item's popularity.
        popularity_discount
            In the end the column of an item is divided by its number of entries to this power.
        """
        self.weights = rows.values.new_empty(0)  # the matrix to come needs the room
        counts = _touched(rows).column_sums().clamp_min(1)
        if user_discount:
            rows = _discounted(rows, user_discount)
        if scaling:
            rows, scales = _scaled(rows, scaling)
        gram = cooccurrence.gram(rows, getattr(torch, dtype))
        self.weights = without_self(inverse(gram, penalties(gram, l2, dropout), l2))
        if scaling:
            self.weights.mul_(scales.unsqueeze(1)).div_(scales)
        if popularity_discount:
            self.weights.div_(counts**popularity_discount)


def _touched(rows: Rows) -> Rows:
    """Return 1 for each entry that is not 0."""
    return rows.with_values((rows.values != 0).to(rows.values.dtype))


def _discounted(rows: Rows, power: float) -> Rows:
    """Multiply each row by the root of its weight: the −``power`` power of its length, over the mean of all."""
    lengths = _touched(rows).sums()
    weights = lengths.clamp_min(1) ** -power
    weights /= weights[lengths > 0].mean()
    return rows.with_values(rows.values * weights.sqrt()[rows.row_of_entry])


def _scaled(rows: Rows, power: float) -> tuple[Rows, Tensor]:
    """Multiply each column by its scale, ``(width,)``: its length, relative to a mean one, to the power −``power``."""
    squares = rows.with_values(rows.values.square()).column_sums()
    scales = torch.where(squares > 0, squares / squares[squares > 0].mean(), 1) ** (-power / 2)
    return rows.with_values(rows.values * scales[rows.indices]), scales


def penalties(gram: Tensor, l2: float, dropout: float = 0.0) -> Tensor:
    """Return Λ = λ + p/(1 − p) · diag(XᵀX), ``(n_items,)``, given XᵀX.

    The second term is what dropping each input with probability p adds to the expectation of a squared loss.
    """
    return l2 + gram.diagonal() * (dropout / (1 - dropout))


def cholesky(gram: Tensor, penalty: Tensor, l2: float) -> Tensor:
    """Overwrite XᵀX by the lower triangular L of XᵀX + diag(Λ) = LLᵀ and return it."""
    gram.diagonal().add_(penalty)
    # Of the pivot of an item that others determine nothing is left but rounding, which may be above 0.
    rounding = 64 * torch.finfo(gram.dtype).eps * gram.diagonal()
    factor = gram.mT  # column by column in memory, as LAPACK wants it: then it makes no copy
    if _threads_of_scipy(gram) is None:
        _, failed = torch.linalg.cholesky_ex(
            factor, out=(factor, torch.empty(0, dtype=torch.int32, device=gram.device))
        )
    else:
        failed = _lapack("potrf", factor, clean=True, overwrite_a=True)
    if failed or (factor.diagonal().square() < rounding).any():
        raise TrainingError(f"l2 = {l2:g} is too small to invert the items' Gram matrix; raise it")
    return factor


def inverse(gram: Tensor, penalty: Tensor, l2: float) -> Tensor:
    """Overwrite XᵀX by (XᵀX + diag(Λ))⁻¹ and return it."""
    factor = cholesky(gram, penalty, l2)
    if _threads_of_scipy(gram) is None:
        torch.cholesky_inverse(factor, out=factor)
        return gram
    _lapack("potri", factor, overwrite_c=True)
    for start in range(0, len(gram), MIRRORED):  # LAPACK leaves the other triangle alone
        stop = start + MIRRORED
        gram[start:stop, :start] = gram[:start, start:stop].T
        corner = gram[start:stop, start:stop]
        corner.copy_(corner.triu() + corner.triu(1).T)
    return gram


def _threads_of_scipy(matrix: Tensor) -> Any:
    """Return what limits the threads of SciPy's LAPACK; None where PyTorch's own is to be used.

    SciPy's takes half the time (on AMD's processors, whose MKL is not at its best, in single and double precision),
    but not on a GPU, and without threadpoolctl it takes all cores, whatever it was told.
    """
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

        return threadpool_limits if matrix.device.type == "cpu" else None
    return None


def _lapack(routine: str, matrix: Tensor, **how: bool) -> int:
    """Overwrite a matrix that lies in memory column by column; return what LAPACK says of its success."""
    function = getattr(lapack, ("s" if matrix.dtype is torch.float32 else "d") + routine)
    with _threads_of_scipy(matrix)(torch.get_num_threads(), "blas"):
        _, info = function(matrix.numpy(), lower=True, **how)
    return int(info)


def without_self(inverse: Tensor) -> Tensor:
    """Overwrite P by −P_ij / P_jj and a diagonal of 0, and return that as float32 (Steck 2019, eq. 8)."""
    weights = inverse.div_(-inverse.diagonal()).float()
    return weights.fill_diagonal_(0)


def itemsize(dtype: Dtype) -> int:
    """Return the bytes of a number."""
    return torch.finfo(getattr(torch, dtype)).bits // 8


def solve_memory(width: int, dtype: Dtype) -> int:
    """Return the bytes that `ItemItem.solve` holds: the matrix, which in single precision becomes the weights."""
    return width**2 * (itemsize(dtype) + (0 if dtype == "float32" else itemsize("float32")))
