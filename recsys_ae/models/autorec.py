"""AutoRec: an autoencoder of the ratings of items or users, trained on the observed ratings only.

Sedhain, Menon, Sanner, Xie, "AutoRec: Autoencoders Meet Collaborative Filtering", WWW 2015.

When to use: to predict ratings, not to rank.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.linalg import vector_norm
from torch.nn import functional

from recsys_ae.nn.head import LinearHead
from recsys_ae.nn.history import History
from recsys_ae.nn.layers import SparseLinear, linear, sparse_product
from recsys_ae.nn.linear import least_squares, sampled_products
from recsys_ae.nn.model import ALL, PAPER, Presets, Shape, Validate
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.training.model import TrainableModel, TrainableSpec
from recsys_ae.nn.training.optimizers import BatchOptimizer
from recsys_ae.nn.training.schedules import Schedule
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.nn.training.trainable import TrainingSpec
from recsys_ae.spec.hyper import hp, other_default

LEAST_RIDGE = 1e-6
"""Smallest ridge of the equations, which keeps them solvable: the bias is not penalised, and l2 may be 0."""


@dataclass(frozen=True, kw_only=True)
class AutoRec(TrainableSpec):
    """Hyper-parameters of AutoRec; the default orientation, size and activation are the paper's best.

    A stored rating of 0 is a rating like any other; pairs that are not stored are unobserved.
    """

    feedback = "explicit"
    presets: ClassVar[Presets] = {PAPER: {"l2": 300.0, "ema_decay": 0.0}}

    orientation: Literal["item", "user"] = hp(
        "item",
        "rows that are encoded: the ratings of an item (I-AutoRec) or of a user (U-AutoRec)",
        search=("choice", ("item", "user")),
    )
    latent: int = hp(500, "size of the code", low=1, search=("log", 64, 1024))
    activation: Literal["sigmoid", "identity"] = hp("sigmoid", "activation function of the code")
    default: float = hp(
        3.0, "rating predicted for users and items without training ratings; 3 suits ratings from 1 to 5"
    )
    epochs: int = hp(50, "number of passes over the training rows (epochs)", low=1)
    batch_size: int = hp(
        256,
        "number of rows (items or users) in a batch, at most all; each batch is one update of the weights",
        low=1,
    )
    optimizer: BatchOptimizer = hp(  # type: ignore[assignment]  # others than most models have
        "adam", "optimizer of the weights; rprop and lbfgs need a batch of all rows"
    )
    lr: float = hp(
        5e-3,
        "learning rate of the optimizer; the first step size of rprop; 1 suits lbfgs",
        low=0,
        search=("log", 1e-3, 2e-2),
    )
    lr_schedule: Schedule = hp(
        "linear",
        "learning-rate schedule: constant, or a linear or cosine decay to 0 at the end of the run",
        search=("choice", ("constant", "linear", "cosine")),
    )
    l2: float = hp(
        100.0,
        "L2 penalty: l2 / 2 times the sum of all squared weights, without biases, is added to the sum of an epoch's "
        "squared errors",
        low=0,
        search=("log", 10, 1000),
    )
    ema_decay: float = other_default(TrainingSpec, "ema_decay", 0.998)
    monitor: str = hp("rmse", "metric on the validation ratings that selects the epoch whose weights are saved")

    def batch_memory(self, shape: Shape) -> int:
        """Return 0: only the outputs at observed entries are computed."""
        return 0

    def operations(self, shape: Shape, nnz: int) -> float:
        """Return those of both layers at the observed entries, in each epoch; scattered ones count tenfold."""
        return 120.0 * self.epochs * nnz * self.latent

    def build(self, shape: Shape) -> "AutoRecNetwork":
        """Make the untrained network."""
        return (ItemNetwork if self.orientation == "item" else UserNetwork)(self, shape)


class AutoRecNetwork(LinearHead, TrainableModel[AutoRec]):
    """Predictions h(r) = W g(V r + μ) + b (eq. 1), where r holds the ratings of a row, and 0 for unobserved ones.

    In both orientations the code of a user is a vector, a bias and a flag: 1, or 0 for a user without any ratings.
    Items have vectors and biases too.
    """

    rated: Tensor
    extent: Tensor

    def __init__(self, spec: AutoRec, shape: Shape, n_rows: int, width: int) -> None:
        super().__init__(spec)
        self.n_rows = n_rows
        self.encoder = SparseLinear(width, spec.latent)
        self.decoder = linear(spec.latent, width)
        self.register_buffer("rated", torch.zeros(shape.width, dtype=torch.bool))  # items that have training ratings
        self.register_buffer("extent", torch.zeros(2))  # the lowest and the highest training rating

    @abstractmethod
    def head(self) -> tuple[Tensor, Tensor]:
        """Return the items' vectors and biases, ``(n_items, latent)`` and ``(n_items,)``."""

    def hidden(self, z: Tensor) -> Tensor:
        """Return the users' vectors, without bias and flag."""
        return z[:, :-2]

    def code(self, x: Rows) -> Tensor:
        """Return g(V r + μ), ``(n, latent)``."""
        return self._activated(self.encoder(x))

    def _activated(self, hidden: Tensor) -> Tensor:
        return hidden.sigmoid() if self.spec.activation == "sigmoid" else hidden

    def loss(self, x: Rows, step: Step) -> Loss:
        """Return Σ (r − h(r))² over the observed ratings, plus the batch's share of λ/2 (‖W‖² + ‖V‖²) (eq. 2)."""
        v, squares_of_v = _Penalised.apply(self.encoder.weight)  # type: ignore[no-untyped-call]
        w, squares_of_w = _Penalised.apply(self.decoder.weight)  # type: ignore[no-untyped-call]
        code = self._activated(sparse_product(x, v) + self.encoder.bias)
        predicted = sampled_products.products(code, w, x) + self.decoder.bias[x.indices]
        error = (predicted - x.values).square().sum()
        penalty = 0.5 * self.spec.l2 * len(x) / self.n_rows * (squares_of_v + squares_of_w)
        return Loss(error + penalty, {"squared_error": error, "penalty": penalty})

    def weight_decay(self) -> float:
        """Return 0, because the loss includes the penalty."""
        return 0.0

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return predicted ratings without clipping, which would make different ratings equal."""
        return torch.where(self.rated[items], super().decode(z, items) + z[:, -2:-1], self.spec.default)

    def score_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        """Return predicted ratings of items with these vectors and biases."""
        return super().score_new(x, z, weights) + z[:, -2:-1]

    def rate(self, z: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        """Return predicted ratings, clipped to the range of the training ratings."""
        vectors, biases = self.head()
        scores = sampled_products.pairs(z[:, :-2], vectors, rows, items) + biases[items] + z[rows, -2]
        predictable = self.rated[items] & (z[rows, -1] > 0)
        return torch.where(predictable, scores, self.spec.default).clamp(*self.extent)


class _Penalised(torch.autograd.Function):
    """A weight and the sum of its squares, whose gradients are added in place.

    The gradient of a norm allocates several more tensors of the weight's size, which cost as much as the products.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(weight)
        return weight.view_as(weight), vector_norm(weight).square()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_weight: Tensor, of_squares: Tensor) -> Tensor:
        (weight,) = ctx.saved_tensors
        return of_weight.addcmul_(weight, 2 * of_squares)


class UserNetwork(AutoRecNetwork):
    """U-AutoRec: a row is a user, in the training data or not."""

    def __init__(self, spec: AutoRec, shape: Shape) -> None:
        super().__init__(spec, shape, n_rows=shape.n_rows, width=shape.width)

    def finalize(self, rows: Rows) -> None:
        """Store which items have ratings, and the range of the ratings."""
        self.rated.copy_(torch.bincount(rows.indices, minlength=rows.width) > 0)
        self.extent.copy_(torch.stack(rows.values.aminmax()))

    def encode(self, x: Rows) -> Tensor:
        """Return g(V r + μ) as the users' vectors; their bias is 0."""
        has_ratings = (x.lengths > 0).unsqueeze(1)
        return torch.cat([self.code(x), torch.zeros_like(has_ratings), has_ratings], dim=1)

    def item_tables(self) -> list[Tensor]:
        """Return V and W. I-AutoRec has no weights per item, since its rows are items."""
        return [self.encoder.weight, self.decoder.weight]

    def head(self) -> tuple[Tensor, Tensor]:
        """Return the weights and biases of the output."""
        return self.decoder.weight, self.decoder.bias


class ItemNetwork(AutoRecNetwork):
    """I-AutoRec: a row is an item, and the vector of a training user is the user's row of the output weights.

    The vector of an unknown user is a ridge regression of their ratings on the item codes. These are the weights at
    which training would end if everything else stayed fixed.
    """

    knows_users = True
    codes: Tensor
    active: Tensor

    def __init__(self, spec: AutoRec, shape: Shape) -> None:
        super().__init__(spec, shape, n_rows=shape.width, width=shape.n_rows)
        self.register_buffer("codes", torch.zeros(shape.width, spec.latent))
        self.register_buffer("active", torch.zeros(shape.n_rows, dtype=torch.bool))  # users who have training ratings

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Train on the rows of items."""
        return super().learn(rows.transposed(), run, validate)

    def finalize(self, rows: Rows) -> None:
        """Store the code of each item, which items and users have ratings, and the range of the ratings."""
        self.codes.copy_(self.code(rows))
        self.rated.copy_(rows.lengths > 0)
        self.active.copy_(torch.bincount(rows.indices, minlength=rows.width) > 0)
        self.extent.copy_(torch.stack(rows.values.aminmax()))

    def encode(self, x: Rows) -> Tensor:
        """Return the output weights of training users, whatever their rows, and fitted weights of unknown users."""
        positions = x.positions.clamp_min(0)
        z = torch.cat(
            [self.decoder.weight[positions], self.decoder.bias[positions, None], torch.ones_like(positions)[:, None]],
            dim=1,
        )
        unknown = ((x.positions < 0) | ~self.active[positions]).nonzero().squeeze(1)
        return z.index_copy(0, unknown, self._fitted(x.take(unknown))) if len(unknown) else z

    def _fitted(self, x: Rows) -> Tensor:
        """Return the w and b of each row that minimise Σ (r − w·z − b)² + λ/2 ‖w‖² over its ratings."""
        codes = functional.pad(self.codes, (0, 1), value=1.0)
        ridge = torch.full((codes.shape[1],), self.spec.l2 / 2, dtype=torch.float64, device=codes.device)
        ridge[-1] = 0
        base = torch.diag(ridge.clamp_min(LEAST_RIDGE))
        fitted = least_squares.solve(x, codes, torch.ones_like(x.values), x.values, base)
        return torch.cat([fitted, (x.lengths > 0).unsqueeze(1)], dim=1).float()

    def head(self) -> tuple[Tensor, Tensor]:
        """Return the item codes, and biases of 0."""
        return self.codes, self.codes.new_zeros(len(self.codes))

    def item_vectors(self) -> Tensor:
        """Return the item codes minus their mean, which would make all items similar."""
        return self.codes - self.codes.mean(dim=0)
