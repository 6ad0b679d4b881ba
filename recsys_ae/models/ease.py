"""EASE: a linear autoencoder in closed form, with item-item weights whose diagonal is zero.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.

When to use: as a simpler EDLAE: one hyper-parameter, and up to 5 % less NDCG on natural data.
"""

from dataclasses import dataclass
from typing import ClassVar

from recsys_ae.nn.history import History
from recsys_ae.nn.linear.gram import Dtype, ItemItem, solve_memory, solve_operations
from recsys_ae.nn.model import AUTO, PAPER, Auto, Presets, Rules, Shape, Spec, Validate, known
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class EASE(Spec):
    """Hyper-parameters of EASE."""

    rules: ClassVar[Rules] = {"l2": lambda stats: min(500.0, round(3 * stats.users_per_interaction, 1))}
    presets: ClassVar[Presets] = {PAPER: {"l2": 500.0}}

    l2: float | Auto = hp(
        AUTO,
        "L2 penalty lambda on the item-item weights; auto is 3 times the mean, over all interactions, of the item's "
        "number of users, at most 500",
        low=0,
        search=("log", 1, 10_000),
    )
    dtype: Dtype = hp("float64", "precision of the matrix inversion")

    def build(self, shape: Shape) -> "EASENetwork":
        """Make a network with weights of 0."""
        return EASENetwork(self, shape)

    def memory(self, shape: Shape) -> int:
        """Return the bytes of the matrix that is inverted, and of the weights."""
        return solve_memory(shape.n_rows, shape.width, self.dtype, known(self.l2))

    def operations(self, shape: Shape, nnz: int) -> float:
        """Return those of the Gram matrix, of its factorisation and of its inverse."""
        return solve_operations(shape, nnz)


class EASENetwork(ItemItem):
    """Scores x · B with the item-item weights B."""

    def __init__(self, spec: EASE, shape: Shape) -> None:
        super().__init__(shape.width)
        self.spec = spec

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Compute B_ij = −P_ij / P_jj with P = (XᵀX + λI)⁻¹ (eq. 8)."""
        self.solve(rows, self.spec.dtype, known(self.spec.l2))
        return History()
