"""ALS: matrix factorisation of implicit feedback by alternating least squares, fitted by the package implicit.

Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008. Only the item factors are
saved. The factors of a user, in the training data or not, are the closed-form solution for their history.

When to use: as the strongest baseline, for data of any size; best on ML-100K.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from recsys_ae.errors import Argument, TrainingError
from recsys_ae.models import _implicit
from recsys_ae.nn.head import LinearHead
from recsys_ae.nn.history import History
from recsys_ae.nn.linear.least_squares import solve
from recsys_ae.nn.model import AUTO, PAPER, Auto, Presets, Rules, Shape, Spec, Validate, known
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.threads import usable_threads
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class ALS(Spec):
    """Hyper-parameters of ALS."""

    rules: ClassVar[Rules] = {
        "l2": lambda stats: round(30 * (stats.users_per_interaction / stats.items_per_user) ** 0.5, 1)
    }
    presets: ClassVar[Presets] = {PAPER: {"latent": 256, "l2": 50.0, "alpha": 5.0}}

    latent: int = hp(128, "number of factors of a user or an item", low=1, search=("log", 32, 1024))
    l2: float | Auto = hp(
        AUTO,
        "L2 penalty on the factors of each user and item; auto is 30 times the square root of a ratio: the mean, "
        "over all interactions, of the item's number of users, to the mean number of items of a user",
        low=0,
        search=("log", 1, 500),
    )
    alpha: float = hp(
        10.0,
        "confidence in an interaction per unit of its value; a pair without an interaction has confidence 1",
        low=0.01,
        search=("log", 1, 30),
    )
    iterations: int = hp(10, "number of alternations between users and items", low=1, search=("int", 5, 30))

    def build(self, shape: Shape) -> "ALSNetwork":
        """Make a network with factors of 0."""
        return ALSNetwork(self, shape)

    def operations(self, shape: Shape, nnz: int) -> float:
        """Return those of three steps of conjugate gradients for each user and item, in each iteration."""
        solves = shape.n_rows + shape.width
        return self.iterations * (6.0 * solves * self.latent**2 + 24.0 * nnz * self.latent)


class ALSNetwork(LinearHead):
    """Scores V s, with the item factors V, ``(n_items, latent)``, and the factors s that explain a history best."""

    item_factors: Tensor
    gram: Tensor

    def __init__(self, spec: ALS, shape: Shape) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("item_factors", torch.zeros(shape.width, spec.latent))
        self.register_buffer("gram", torch.zeros(spec.latent, spec.latent, dtype=torch.float64))

    def encode(self, x: Rows) -> Tensor:
        """Return s = (VᵀCV + λI)⁻¹ VᵀCp (eq. 4), in double precision.

        As in implicit, an interaction has the confidence c = α·value and the preference p = 1; other items have c = 1
        and p = 0. The paper has c = 1 + α·value, which is the same with another α if all values are 1. A value below 0
        is a dislike, with p = 0 and c = α·|value|.
        """
        confidence = self.spec.alpha * x.values.double()
        s = solve(x, self.item_factors, confidence.abs() - 1, confidence.clamp_min(0), self._base())
        return s.to(self.item_factors.dtype)

    def _base(self) -> Tensor:
        """Return VᵀV + λI."""
        return self.gram + known(self.spec.l2) * torch.eye(
            self.spec.latent, dtype=self.gram.dtype, device=self.gram.device
        )

    def head(self) -> tuple[Tensor, None]:
        """Return V, and no biases."""
        return self.item_factors, None

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Alternate between users and items, with three steps of conjugate gradients from the current factors.

        One thread computes the factors of a row, in a fixed order, so the number of threads changes only the time.
        """
        with _implicit.needed("implicit", "als"):
            from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415
            from implicit.recommender_base import ModelFitError  # noqa: PLC0415
        spec = self.spec
        with _implicit.one_blas_thread():
            model = AlternatingLeastSquares(
                factors=spec.latent,
                regularization=spec.l2,
                alpha=spec.alpha,
                iterations=spec.iterations,
                num_threads=usable_threads(run.threads),
                random_state=run.seed,
            )
            try:
                report = _implicit.reporting(run, spec.iterations, len(rows))
                model.fit(_implicit.matrix(rows), show_progress=False, callback=report)
            except ModelFitError as error:
                advice = "scale the values of the interactions down, or raise "
                raise TrainingError("the factors are not finite; " + advice, Argument("l2")) from error
        self.item_factors = torch.from_numpy(model.item_factors).to(rows.device)
        self.gram = self.item_factors.double().T @ self.item_factors.double()
        self._refuse_singular()
        return History()

    def _refuse_singular(self) -> None:
        """Raise if VᵀV + λI is singular within rounding errors."""
        base = self._base()
        factor, failed = torch.linalg.cholesky_ex(base)
        rounding = 64 * torch.finfo(base.dtype).eps * base.diagonal()
        if failed or (factor.diagonal().square() <= rounding).any():
            raise TrainingError(
                Argument("l2", self.spec.l2), " is too small to solve for the factors of a user; raise it"
            )
