"""CDAE: a denoising autoencoder with a vector per user, trained on the user's items and sampled negatives.

Wu, DuBois, Zheng, Ester, "Collaborative Denoising Auto-Encoders for Top-N Recommender Systems", WSDM 2016.

When to use: if the same users come back: it learns a vector per user.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_ae.nn.corruption import drop_entries
from recsys_ae.nn.head import LinearHead
from recsys_ae.nn.layers import SparseLinear
from recsys_ae.nn.linear import sampled_products
from recsys_ae.nn.model import PAPER, Presets, Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.softmax.sampling import negatives
from recsys_ae.nn.training.model import TrainableModel, TrainableSpec
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.nn.training.trainable import TrainingSpec
from recsys_ae.spec.hyper import hp, other_default


@dataclass(frozen=True, kw_only=True)
class CDAE(TrainableSpec):
    """Hyper-parameters of CDAE.

    The paper updates by AdaGrad after each user. The mean over a batch has a small gradient for a user's own vector.
    AdaGrad's steps shrink with the gradient, and Adam's do not, so Adam learns the vectors too.
    """

    presets: ClassVar[Presets] = {PAPER: {"latent": 50, "patience": 0, "ema_decay": 0.0}}

    latent: int = hp(200, "size of the code", low=1, search=("log", 16, 512))
    variant: Literal["m1", "m2", "m3", "m4"] = hp(
        "m4",
        "variant of the paper: a linear code (m1, m2) or a sigmoid one (m3, m4), with a squared loss (m1, m3) or a "
        "logistic one (m2, m4)",
        search=("choice", ("m1", "m2", "m3", "m4")),
    )
    tied: bool = hp(
        False,
        "tied weights: the output layer has the weights of the input layer",
        search=("choice", (False, True)),
    )
    dropout: float = hp(
        0.5, "dropout rate of the input interactions; at 1 the code depends on the user's vector only", low=0, high=1,
        search=("linear", 0, 1),
    )  # fmt: skip
    negatives: int = hp(5, "number of negative items sampled per interaction, anew in each epoch", low=0,
                        search=("int", 1, 10))  # fmt: skip
    l2: float = hp(
        0.01,
        "L2 penalty lambda: lambda / 2 times the sum of the squared weights and biases that a row uses is added to "
        "its loss",
        low=0,
        search=("log", 1e-4, 1),
    )
    epochs: int = hp(50, "number of passes over the training rows (epochs)", low=1)
    batch_size: int = hp(
        100, "number of rows in a batch; each batch is one update of the weights", low=1, search=("log", 32, 1024)
    )
    lr: float = hp(1e-2, "learning rate of the optimizer", low=0, search=("log", 1e-3, 1e-1))
    patience: int = other_default(TrainingSpec, "patience", 8)
    ema_decay: float = other_default(TrainingSpec, "ema_decay", 0.998)

    def batch_memory(self, shape: Shape) -> int:
        """Return 0: only the outputs at observed entries are computed."""
        return 0

    def operations(self, shape: Shape, nnz: int) -> float:
        """Return those of both layers at interactions and negatives, in each epoch; scattered ones count tenfold."""
        return 60.0 * self.epochs * nnz * (2 + self.negatives) * self.latent

    def build(self, shape: Shape) -> "CDAENetwork":
        """Make the untrained network."""
        return CDAENetwork(self, shape)


class CDAENetwork(LinearHead, TrainableModel[CDAE]):
    """Outputs y_ui = f(W'_i · z_u + b'_i) with the code z_u = h(Σ_{i ∈ x_u} W_i + V_u + b)."""

    knows_users: ClassVar[bool] = True
    mean_user: Tensor

    def __init__(self, spec: CDAE, shape: Shape) -> None:
        super().__init__(spec)
        self.input = SparseLinear(shape.width, spec.latent)
        self.users = nn.Parameter(torch.empty(shape.n_rows, spec.latent))
        self.output = None if spec.tied else nn.Parameter(torch.empty(shape.width, spec.latent))
        self.bias = nn.Parameter(torch.empty(shape.width))
        self.register_buffer("mean_user", torch.zeros(spec.latent))
        limit = 4 * math.sqrt(6 / (shape.width + spec.latent))
        for parameter in self.parameters():
            within = limit if parameter.ndim > 1 else 0.0
            nn.init.uniform_(parameter, -within, within)

    def encode(self, x: Rows) -> Tensor:
        """Return z of rows without dropout; an unknown user has the mean of the training users' vectors."""
        in_training = (x.positions >= 0).unsqueeze(1)
        users = torch.where(in_training, self.users[x.positions.clamp_min(0)], self.mean_user)
        # An input that is always dropped has untrained weights, so it is not read here either.
        return self._code(x.with_values(torch.full_like(x.values, self.spec.dropout < 1)), users)

    def head(self) -> tuple[Tensor, Tensor]:
        """Return W' and b'. Scores leave out a sigmoid f: the order is the same, and large scores do not tie."""
        return self.input.weight if self.output is None else self.output, self.bias

    def loss(self, x: Rows, step: Step) -> Loss:
        """Return the mean over the rows of Σ_{i ∈ O_u ∪ S_u} ℓ(y_ui, ŷ_ui) plus the penalty."""
        positives = x.with_values(torch.ones_like(x.values))
        inputs = drop_entries(positives, self.spec.dropout, step.generator)
        sampled = negatives(x, self.spec.negatives, step.generator)
        users = functional.embedding(x.positions, self.users)
        z = self._code(inputs, users)
        error = (self._error(z, positives, 1.0) + self._error(z, sampled, 0.0)) / len(x)
        uses = positives.column_sums() + sampled.column_sums()
        penalty = self.spec.l2 / 2 * self._squares(users, inputs, uses) / len(x)
        return Loss(error + penalty, {"error": error, "penalty": penalty})

    def finalize(self, rows: Rows) -> None:
        """Store the mean of the vectors of all users with interactions."""
        self.mean_user.copy_(self.users[rows.positions[rows.lengths > 0]].mean(dim=0))

    def weight_decay(self) -> float:
        """Return 0, because the loss includes the penalty."""
        return 0.0

    def item_tables(self) -> list[Tensor]:
        """Return W and W', or W alone if the weights are tied."""
        return [self.input.weight] if self.output is None else [self.input.weight, self.output]

    def _code(self, x: Rows, users: Tensor) -> Tensor:
        activation: Tensor = self.input(x) + users
        return torch.sigmoid(activation) if self.spec.variant in ("m3", "m4") else activation

    def _error(self, z: Tensor, entries: Rows, target: float) -> Tensor:
        """Return the sum of (y − ŷ)² or −y log σ(ŷ) − (1 − y) log(1 − σ(ŷ)) over entries of the same y."""
        scores = sampled_products.products(z, self.item_vectors(), entries) + self.bias[entries.indices]
        if self.spec.variant in ("m1", "m3"):
            return (scores - target).square().sum()
        return functional.softplus(scores * (1 - 2 * target)).sum()

    def _squares(self, users: Tensor, inputs: Rows, output_uses: Tensor) -> Tensor:
        """Return the sum of the squared parameters that the rows of the batch use, counted once per row.

        A row uses V_u, b, W'_i and b'_i of each item of O_u ∪ S_u, and W_i of each item that was not dropped. Tied
        weights count once, since items that are read are in O_u.
        """
        output = (output_uses * (self.item_vectors().square().sum(dim=1) + self.bias.square())).sum()
        rows = users.square().sum() + len(users) * self.input.bias.square().sum()
        if self.output is None:
            return output + rows
        input_uses = inputs.with_values((inputs.values != 0).to(inputs.values.dtype)).column_sums()
        return output + rows + (input_uses * self.input.weight.square().sum(dim=1)).sum()
