"""EASE: a linear autoencoder without self-loops, in closed form.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from recsys_ae.errors import TrainingError
from recsys_ae.hyper import hp
from recsys_ae.nn.autoencoder import ALL, Autoencoder, Shape, Spec, Validate
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run


@dataclass(frozen=True, kw_only=True)
class EASE(Spec):
    """Hyper-parameters of EASE."""

    l2: float = hp(500.0, "lambda: L2 penalty on the item-item weights", low=0, search=("log", 10, 10_000))
    dtype: Literal["float64", "float32"] = hp("float64", "precision of the matrix inversion")

    def build(self, shape: Shape) -> "EASENetwork":
        """Make a model whose weights are still 0."""
        return EASENetwork(self, shape)


class EASENetwork(Autoencoder):
    """score = x · B with the item-item weights B, ``(n_items, n_items)``, whose diagonal is 0."""

    weights: Tensor

    def __init__(self, spec: EASE, shape: Shape) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("weights", torch.zeros(shape.width, shape.width))

    def encode(self, x: Rows) -> Tensor:
        """Return x · B: what stands between input and output is the output itself."""
        return x.product(self.weights)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the columns asked for."""
        return z[:, items]

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> list[dict[str, float]]:
        """B_ij = −P_ij / P_jj with P = (XᵀX + λI)⁻¹ (eq. 8), the inverse by Cholesky factors."""
        gram = rows.gram().to(getattr(torch, self.spec.dtype))
        gram.diagonal().add_(self.spec.l2)
        factor, failed = torch.linalg.cholesky_ex(gram)
        # Of the pivot of an item that others determine nothing is left but rounding, which may be above 0.
        rounding = 64 * torch.finfo(gram.dtype).eps * gram.diagonal()
        if failed or (factor.diagonal().square() < rounding).any():
            raise TrainingError(f"l2 = {self.spec.l2:g} is too small to invert the items' Gram matrix; raise it")
        inverse = torch.cholesky_inverse(factor, out=factor)
        self.weights = (inverse / -inverse.diagonal()).float()
        self.weights.fill_diagonal_(0)
        return []

    def item_vectors(self) -> Tensor:
        """Return what each item says about all others, a row of B."""
        return self.weights
