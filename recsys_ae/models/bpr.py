"""BPR: matrix factorisation that ranks a user's items above all others, fitted by the package implicit.

Rendle, Freudenthaler, Gantner, Schmidt-Thieme, "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.
In implicit the negative items are drawn by popularity; the paper draws them uniformly.

When to use: as a known baseline: never near the best, and hard to tune.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from recsys_ae.errors import Argument, TrainingError
from recsys_ae.models import _implicit
from recsys_ae.nn.head import LinearHead
from recsys_ae.nn.history import History
from recsys_ae.nn.model import AUTO, PAPER, Auto, Presets, Rules, Shape, Spec, Validate, known
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import hp

ACCURACY = 1e-4
"""Largest distance of a user's vector from the optimum, relative to that of the start."""

MOST_STEPS = 10_000
"""Largest number of steps of the search for it; with the default hyper-parameters it takes about 100."""


@dataclass(frozen=True, kw_only=True)
class BPR(Spec):
    """Hyper-parameters of BPR; the preset ``"paper"`` has those of the published tables, for the paper has none."""

    rules: ClassVar[Rules] = {
        "iterations": lambda stats: round(min(100, max(10, 45 * stats.items_per_user / max(1, stats.users_per_item)))),
        "user_l2": lambda stats: round(min(0.3, max(0.02, 0.3 * (stats.items_per_user / 55) ** 2)), 3),
    }
    presets: ClassVar[Presets] = {
        PAPER: {"latent": 128, "l2": 0.005, "lr": 0.05, "iterations": 50, "user_l2": 0.3},
    }

    latent: int = hp(256, "number of factors of a user or an item", low=1, search=("log", 16, 512))
    l2: float = hp(0.01, "weight decay of the factors in each update", low=0, search=("log", 1e-4, 0.1))
    lr: float = hp(0.03, "learning rate of the updates", low=0, search=("log", 5e-3, 0.2))
    iterations: int | Auto = hp(
        AUTO,
        "number of updates, in multiples of the number of interactions; auto is 45 times the ratio of the mean number "
        "of items of a user to that of users of an item, at least 10 and at most 100",
        low=1,
        search=("int", 10, 200),
    )
    user_l2: float | Auto = hp(
        AUTO,
        "L2 penalty on a user's vector, added to the mean loss over the history; auto is 0.3 times the square of the "
        "mean number of items of a user, divided by 55, at least 0.02 and at most 0.3",
        low=1e-3,
        search=("log", 0.01, 1),
    )

    def build(self, shape: Shape) -> "BPRNetwork":
        """Make a network with factors of 0."""
        return BPRNetwork(self, shape)

    def operations(self, shape: Shape, nnz: int) -> float:
        """Return those of the updates; they are scattered in memory, so that each counts tenfold."""
        return 120.0 * known(self.iterations) * nnz * self.latent


class BPRNetwork(LinearHead):
    """Scores V s + b, with the item factors V, ``(n_items, latent)``, the item biases b and a user's vector s.

    The vectors of the training users are not kept. Negatives are drawn by popularity, so these vectors rank popular
    items too low. Vectors that are fitted to the history afterwards rank better, for training users too.
    """

    item_factors: Tensor
    item_bias: Tensor

    def __init__(self, spec: BPR, shape: Shape) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("item_factors", torch.zeros(shape.width, spec.latent))
        self.register_buffer("item_bias", torch.zeros(shape.width))

    def encode(self, x: Rows) -> Tensor:
        """Return the s that maximises the mean of ln softmax(V s + b) over the history, minus λ/2 ‖s‖².

        The search uses accelerated gradient steps (Nesterov 2004, 2.2.11). The curvature lies between λ and L. That of
        ln Σ exp is the variance of the item factors under the softmax, at most the square of their largest distance
        from a centre.
        """
        factors, l2 = self.item_factors, known(self.spec.user_l2)
        present = (x.values != 0).to(factors.dtype)
        counts = x.with_values(present).sums().clamp_min(1)
        mean = x.with_values(present / counts[x.row_of_entry]).product(factors)
        steepest, root, steps = self._search()
        momentum = (root - 1) / (root + 1)
        s, ahead = torch.zeros_like(mean), torch.zeros_like(mean)
        for _ in range(steps):
            expected = torch.softmax(self.decode(ahead), dim=1) @ factors
            previous, s = s, ahead + (mean - expected - l2 * ahead) / steepest
            ahead = s + momentum * (s - previous)
        return s

    def _search(self) -> tuple[float, float, int]:
        """Return L, √(L / λ) and the number of steps; raise if factors are so large that the search would not end."""
        factors, l2 = self.item_factors, known(self.spec.user_l2)
        steepest = float((factors - factors.mean(dim=0)).square().sum(dim=1).max()) + l2
        root = math.sqrt(steepest / l2)
        if not -math.log(ACCURACY) * root <= MOST_STEPS:
            raise TrainingError(
                "the factors of the items are too large to fit the vector of a user; fit again with a higher ",
                Argument("l2", self.spec.l2),
                " or a lower ",
                Argument("lr", self.spec.lr),
            )
        return steepest, root, math.ceil(-math.log(ACCURACY) * root)

    def head(self) -> tuple[Tensor, Tensor]:
        """Return V and b."""
        return self.item_factors, self.item_bias

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Descend on −ln σ(s·v_i + b_i − s·v_j − b_j) for sampled items i of the user and negatives j (fig. 4).

        There is always one thread: several would overwrite each other's updates, in an order that no seed fixes.
        """
        with _implicit.needed("implicit", "bpr"):
            from implicit.cpu.bpr import BayesianPersonalizedRanking  # noqa: PLC0415
            from implicit.recommender_base import ModelFitError  # noqa: PLC0415
        spec = self.spec
        model = BayesianPersonalizedRanking(
            factors=spec.latent,
            learning_rate=spec.lr,
            regularization=spec.l2,
            iterations=known(spec.iterations),
            num_threads=1,
            random_state=run.seed,
        )
        try:
            report = _implicit.reporting(run, known(spec.iterations), len(rows))
            model.fit(_implicit.matrix(rows), show_progress=False, callback=report)
        except ModelFitError as error:
            raise TrainingError("the factors are not finite; lower ", Argument("lr", spec.lr)) from error
        learnt = torch.from_numpy(model.item_factors).to(rows.device)
        self.item_factors, self.item_bias = learnt[:, :-1].contiguous(), learnt[:, -1].contiguous()
        self._search()  # raises now rather than when the first list is asked for
        return History()
