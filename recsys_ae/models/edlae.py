"""EDLAE: a linear autoencoder that predicts the interactions removed by dropout; in closed form at full rank.

Steck, "Autoencoders that don't overfit towards the Identity", NeurIPS 2020. At full rank it is EASE with a penalty that
grows with an item's popularity. At low rank it alternates between two factors under a constraint on the diagonal.

The discounts and the scaling are not in the paper; 0 turns them off.

When to use: first: in seconds the best or nearly the best single model, for up to about 30,000 items.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from recsys_ae.errors import Argument, ConfigError
from recsys_ae.nn.head import LinearHead
from recsys_ae.nn.history import VALIDATION, History
from recsys_ae.nn.linear import cooccurrence, gram
from recsys_ae.nn.model import AUTO, PAPER, Auto, Presets, Rules, Shape, Spec, Stats, Validate, known
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import hp

UNSTABLE = 3.0
"""Distance of diag(UVᵀ) from β, in multiples of its smallest so far, above which the updates diverge."""


@dataclass(frozen=True, kw_only=True)
class EDLAE(Spec):
    """Hyper-parameters of EDLAE; the preset ``"paper"`` has the paper's for MovieLens-20M at full rank."""

    free = ("popularity_discount",)
    rules: ClassVar[Rules] = {
        "user_discount": lambda _: 0.5,
        "scaling": lambda _: 0.3,
        "popularity_discount": lambda _: 0.15,
    }
    presets: ClassVar[Presets] = {
        PAPER: {"l2": 300.0, "dropout": 0.33, "user_discount": 0.0, "scaling": 0.0, "popularity_discount": 0.0},
    }

    l2: float = hp(200.0, "L2 penalty lambda on the item-item weights", low=0, search=("log", 10, 10_000))
    dropout: float = hp(
        0.7,
        "dropout rate of the input interactions; dropped ones are predicted from the others",
        low=0,
        high=0.99,
        search=("linear", 0, 0.9),
    )
    user_discount: float | Auto = hp(
        AUTO,
        "discount of active users (full rank): a user weighs 1 / (number of items) to this power; "
        "0 weighs all users equally, as in the paper; auto is 0.5 at full rank",
        low=0,
        high=2,
        search=("linear", 0, 1),
        search_if=("rank", False),
    )
    scaling: float | Auto = hp(
        AUTO,
        "scaling of items (full rank): they are divided by their length to this power, as in MRF, and scaled back; "
        "0 turns it off, as in the paper; auto is 0.3 at full rank",
        low=0,
        high=2,
        search=("linear", 0, 1),
        search_if=("rank", False),
    )
    popularity_discount: float | Auto = hp(
        AUTO,
        "discount of popular items (full rank): scores are divided by the item's number of users to this power; "
        "0 turns it off, as in the paper; auto is 0.15 at full rank",
        low=0,
        high=1,
        search=("linear", 0, 0.5),
        search_if=("rank", False),
    )
    rank: int = hp(0, "rank of the item-item weights; 0 is full rank", low=0)
    omega: float = hp(
        500.0,
        "strength of the constraint on the diagonal (low rank)",
        low=0,
        search=("log", 50, 5000),
        search_if=("rank", True),
    )
    iterations: int = hp(
        5,
        "maximum number of updates of both factors (low rank)",
        low=1,
        search=("int", 2, 20),
        search_if=("rank", True),
    )
    dtype: gram.Dtype = hp("float64", "precision in which the equations are solved")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank and any(getattr(self, name) not in (0, AUTO) for name in self.rules):
            discounts = Argument("user_discount"), ", ", Argument("scaling"), " and ", Argument("popularity_discount")
            low, full = Argument("rank", self.rank), Argument("rank", 0)
            raise ConfigError(*discounts, " are for full rank, not ", low, "; set them to 0, or ", full)

    def resolved(self, stats: Stats) -> "EDLAE":
        """Return the spec with numbers; at low rank the discounts and the scaling are turned off."""
        off: dict[str, Any] = {name: 0.0 for name in self.rules if self.rank and getattr(self, name) == AUTO}
        return super(EDLAE, dataclasses.replace(self, **off)).resolved(stats)

    def build(self, shape: Shape) -> "EDLAENetwork | LowRankNetwork":
        """Make a network with weights of 0."""
        return LowRankNetwork(self, shape) if self.rank else EDLAENetwork(self, shape)

    def memory(self, shape: Shape) -> int:
        """Return the bytes of the matrix that is factorised, plus the weights (full rank) or the factors (low rank)."""
        if not self.rank:
            return gram.solve_memory(shape.n_rows, shape.width, self.dtype, self.l2)
        sides = (8 * shape.width + 2 * shape.n_rows) * min(self.rank, shape.width)
        return gram.itemsize(self.dtype) * shape.width**2 + gram.itemsize("float64") * sides

    def operations(self, shape: Shape, nnz: int) -> float:
        """Return those of the Gram matrix, its factorisation, and its inverse or the updates of the factors."""
        solved, rank = gram.solve_operations(shape, nnz), min(self.rank, shape.width)
        return solved + self.iterations * rank * (8.0 * shape.width**2 + 8.0 * nnz) if rank else solved


class EDLAENetwork(gram.ItemItem):
    """Scores x · B with the item-item weights B."""

    def __init__(self, spec: EDLAE, shape: Shape) -> None:
        super().__init__(shape.width)
        self.spec = spec

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Compute B_ij = −P_ij / P_jj, P = (XᵀX + diag(Λ))⁻¹ and Λ = λ + p/(1 − p) · diag(XᵀX) (eq. 8 and 9)."""
        spec = self.spec
        self.solve(
            rows,
            spec.dtype,
            spec.l2,
            spec.dropout,
            user_discount=known(spec.user_discount),
            scaling=known(spec.scaling),
            popularity_discount=known(spec.popularity_discount),
        )
        return History()

    def changed(self, spec: EDLAE, popularity: Tensor) -> "EDLAENetwork":  # type: ignore[override]  # its own spec
        """Return the network with another discount of popular items; this one must have none."""
        network = EDLAENetwork(spec, Shape(0, 0))
        network.weights = self.weights / popularity.clamp_min(1) ** known(spec.popularity_discount)
        return network.eval()


class LowRankNetwork(LinearHead):
    """Scores x · U · Vᵀ with U and V, ``(n_items, rank)``; the columns of V are orthonormal."""

    inputs: Tensor
    outputs: Tensor

    def __init__(self, spec: EDLAE, shape: Shape) -> None:
        super().__init__()
        self.spec = spec
        size = shape.width, min(spec.rank, shape.width)
        self.register_buffer("inputs", torch.zeros(size))
        self.register_buffer("outputs", torch.zeros(size))

    def encode(self, x: Rows) -> Tensor:
        """Return x · U."""
        return x.product(self.inputs)

    def head(self) -> tuple[Tensor, None]:
        """Return V."""
        return self.outputs, None

    def item_vectors(self) -> Tensor:
        """Return U, whose inner products are those of the rows of U · Vᵀ, since V is orthonormal."""
        return self.inputs

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Alternate between V, U and the diagonal (ADMM; the paper's supplement).

        The published updates approach a solution and then diverge, early if Ω is large compared with diag(XᵀX). So
        they stop when diag(UVᵀ) moves away from β, and validation users select the iteration by ``spec.monitor``.
        """
        start = torch.randn(self.inputs.shape, dtype=torch.float64, device=rows.device, generator=run.generator())
        factors, smallest = _Factors(rows, self.spec, 1e-4 * start), math.inf
        best = self.inputs, self.outputs
        history = History()
        for iteration in range(1, self.spec.iterations + 1):
            gap = factors.update()
            if not gap <= UNSTABLE * smallest:
                break
            smallest = min(smallest, gap)
            self.inputs, self.outputs = factors.u.float(), factors.v.float()
            history.append({"diagonal_gap": gap})
            if validate is not None:
                history[-1] |= {f"{VALIDATION}{name}": value for name, value in validate().items()}
            if validate is None or history.update_best(self.spec.monitor):
                best = self.inputs, self.outputs
            run.tracker.metrics(history[-1], step=iteration)
        self.inputs, self.outputs = best
        return history


class _Factors:
    """The factors U and V, the target β of the diagonal of U · Vᵀ, its multiplier γ, and the state of the updates.

    G = XᵀX is not kept: products with it go through the rows. The only matrix of all pairs of items is the Cholesky
    factor of G + diag(Λ). It alone is in single precision if ``spec.dtype`` is.
    """

    def __init__(self, rows: Rows, spec: EDLAE, u: Tensor) -> None:
        matrix = cooccurrence.gram(rows, getattr(torch, spec.dtype))
        self.rows, self.columns = rows, rows.transposed()
        self.diagonal = matrix.diagonal().to(u.dtype, copy=True)
        penalty = gram.penalties(self.diagonal.to(matrix.dtype), spec.l2, spec.dropout)  # Λ
        self.strength = penalty.to(u.dtype) + spec.omega  # Ω
        self.share = (self.diagonal + spec.omega).clamp_min(torch.finfo(u.dtype).tiny)  # diag(G) + Ω − Λ
        self.factor = gram.factor(matrix, penalty, spec.l2)
        self.beta, self.gamma = torch.zeros_like(self.diagonal), torch.zeros_like(self.diagonal)
        self.u, self.v, self.gu = u, u, self._gram(u)

    def update(self) -> float:
        """Update V, U, β and γ, in this order; return the mean of |diag(UVᵀ) − β|.

        With H = G · diag(1 + β) + diag(Ω(β − γ)), V has the span of HᵀU, and U = (G + diag(Λ))⁻¹ H V (VᵀV)⁻¹. The
        paper has V = HᵀU (UᵀAU)⁻¹. U · Vᵀ is the same for all V of one span, so V is made orthonormal here.
        """
        scale, shift = (1 + self.beta)[:, None], (self.strength * (self.beta - self.gamma))[:, None]
        self.v = torch.linalg.qr(scale * self.gu + shift * self.u).Q
        self.u = self._solved(self._gram(scale * self.v) + shift * self.v)
        self.gu = self._gram(self.u)
        return self._constrain()

    def _gram(self, right: Tensor) -> Tensor:
        """Return G · right."""
        return self.columns.product(self.rows.product(right))

    def _solved(self, right: Tensor) -> Tensor:
        """Return (G + diag(Λ))⁻¹ · right."""
        half = torch.linalg.solve_triangular(self.factor, right.to(self.factor.dtype), upper=False)
        solution: Tensor = torch.linalg.solve_triangular(self.factor.T, half, upper=True)
        return solution.to(right.dtype)

    def _constrain(self) -> float:
        """Set β, then add d − β to γ, where d = diag(UVᵀ); return the mean of |d − β|.

        β = max(0, (diag(GUVᵀ) − diag(G) + Ω(d + γ)) / (diag(G) + ω))
        """
        d = (self.u * self.v).sum(dim=1)
        error = (self.gu * self.v).sum(dim=1) - self.diagonal
        self.beta = ((error + self.strength * (d + self.gamma)) / self.share).clamp_min(0)
        gap = d - self.beta
        self.gamma += gap
        return float(gap.abs().mean())
