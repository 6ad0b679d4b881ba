"""CEASE: collective EASE, a linear autoencoder in closed form with item features as additional training rows.

Jeunen, Van Balen, Goethals, "Closed-Form Models for Collaborative Filtering with Side-Information", RecSys 2020.

When to use: if item features are good: it is EASE with features as further rows.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from recsys_ae.nn.history import History
from recsys_ae.nn.linear import cooccurrence, gram
from recsys_ae.nn.model import Shape, Spec, Validate
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class CEASE(Spec):
    """Hyper-parameters of CEASE."""

    l2: float = hp(500.0, "L2 penalty lambda on the item-item weights", low=0, search=("log", 10, 10_000))
    weight: float = hp(
        100.0, "weight of a feature compared with a user, whose weight is 1", low=0, search=("log", 1, 10_000)
    )
    dtype: gram.Dtype = hp("float64", "precision of the matrix inversion")

    def build(self, shape: Shape) -> "CEASENetwork":
        """Make a network with weights of 0."""
        return CEASENetwork(self, shape)

    def memory(self, shape: Shape) -> int:
        """Return the bytes of the matrix that is inverted, its inverse and the weights."""
        return gram.matrix_memory(shape.width, self.dtype) + gram.itemsize(self.dtype) * shape.width**2

    def operations(self, shape: Shape, nnz: int) -> float:
        """Return those of the Gram matrix, of its factorisation and of its inverse."""
        return gram.solve_operations(shape, nnz)


class CEASENetwork(gram.ItemItem):
    """Scores x · B. A cold item has a column of B too, which follows from its features."""

    learns_from_features: ClassVar[bool] = True
    from_features: Tensor

    def __init__(self, spec: CEASE, shape: Shape) -> None:
        super().__init__(shape.width)
        self.spec = spec
        self.register_buffer("from_features", torch.zeros(shape.width, shape.features))

    def start_from(self, features: Tensor, positions: Tensor) -> None:
        """Store the features, ``(n_items, width)``, for `learn`; items without features have zeros."""
        self.from_features = torch.zeros_like(self.from_features).index_copy_(0, positions, features)

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Compute B_ij = −P_ij / P_jj with P = (XᵀX + ω TᵀT + λI)⁻¹, where the rows of T are the features (eq. 6).

        A cold item with the features t adds a column of zeros to X. Its column of B is the ridge regression of its
        features on those of all others: (XᵀX + ω TᵀT + λI)⁻¹ ω Tᵀ t.
        """
        spec, features = self.spec, self.from_features
        self.weights = features.new_empty(0)  # free the old weights before the Gram matrix is allocated
        matrix = cooccurrence.gram(rows, getattr(torch, spec.dtype))
        exact = features.to(matrix.dtype)
        matrix.addmm_(exact, exact.T, alpha=spec.weight)
        inverse = gram.inverse(matrix, gram.penalties(matrix.diagonal(), spec.l2), spec.l2)
        self.from_features = (spec.weight * (inverse @ exact)).float()
        self.weights = gram.without_self(inverse)
        return History()

    def weights_of(self, features: Tensor) -> Tensor:
        """Return the columns of B of items with these features, as rows."""
        return features @ self.from_features.T
