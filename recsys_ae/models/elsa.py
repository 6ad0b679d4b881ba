"""ELSA: a linear autoencoder with low-rank item-item weights and a zero diagonal, trained by gradient descent.

Vančura, Alves, Kasalický, Kordík, "Scalable Linear Shallow Autoencoder for Collaborative Filtering", RecSys 2022.

When to use: like EDLAE, if items × items numbers do not fit in memory; best on thinned ML-1M.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_ae.nn.layers import sparse_product
from recsys_ae.nn.model import ALL, PAPER, Presets, Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.training.model import TrainableModel, TrainableSpec
from recsys_ae.nn.training.optimizers import Optimizer
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.nn.training.trainable import TrainingSpec
from recsys_ae.spec.hyper import hp, other_default


@dataclass(frozen=True, kw_only=True)
class ELSA(TrainableSpec):
    """Hyper-parameters of ELSA; ``relu`` follows its authors' package."""

    presets: ClassVar[Presets] = {
        PAPER: {"latent": 800, "lr": 0.1, "epochs": 10, "patience": 0, "ema_decay": 0.0},
    }

    latent: int = hp(512, "size of an item's vector, which is the rank of the weights", low=1, search=("log", 64, 2048))
    relu: bool = hp(
        False,
        "cut-off of negative outputs in the loss, as in the code behind the paper's results",
        search=("choice", (False, True)),
    )
    epochs: int = hp(15, "number of passes over the training rows (epochs)", low=1, search=("int", 5, 40))
    batch_size: int = hp(
        32, "number of rows in a batch; each batch is one update of the weights", low=1, search=("log", 16, 1024)
    )
    optimizer: Optimizer = hp("nadam", "optimizer of the weights; adam_norm_grad is Adam with gradients of norm 1")
    lr: float = hp(0.01, "learning rate of the optimizer", low=0, search=("log", 1e-3, 1))
    patience: int = other_default(TrainingSpec, "patience", 4)
    ema_decay: float = other_default(TrainingSpec, "ema_decay", 0.998)

    def build(self, shape: Shape) -> "ELSANetwork":
        """Make the untrained network."""
        return ELSANetwork(self, shape)


class ELSANetwork(TrainableModel[ELSA]):
    """Scores x · (AAᵀ − I); the rows of A, ``(n_items, latent)``, have length 1, so that no item predicts itself."""

    def __init__(self, spec: ELSA, shape: Shape) -> None:
        super().__init__(spec)
        self.vectors = nn.Parameter(torch.empty(shape.width, spec.latent))
        nn.init.xavier_uniform_(self.vectors)

    def encode(self, x: Rows) -> Tensor:
        """Return x · (AAᵀ − I): the code is the output, which also depends on x directly."""
        unit = self.item_vectors()
        output = (sparse_product(x, unit) @ unit.T).float()
        return output.index_put((x.row_of_entry, x.indices.long()), -x.values, accumulate=True)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the requested columns."""
        return z[:, items]

    def loss(self, x: Rows, step: Step) -> Loss:
        """Return the mean of 1 − cos(x, x · (AAᵀ − I)), which is half the squared distance of both at length 1."""
        output = self.encode(x)
        if self.spec.relu:
            output = functional.relu(output)
        rows, target = x.row_of_entry, x.normalised()
        lengths = output.norm(dim=1).clamp_min(1e-8)
        cosines = target.values * output[rows, x.indices.long()] / lengths[rows]
        error = 1 - cosines.sum() / len(x)
        return Loss(error, {"error": error})

    def item_tables(self) -> list[Tensor]:
        """Return A before its rows are scaled to length 1."""
        return [self.vectors]

    def item_weights(self) -> Tensor:
        """Return the rows of A, of length 1."""
        return self.item_vectors()

    def score_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        """Return x · AWᵀ."""
        return sparse_product(x, self.item_vectors()) @ weights.T

    def item_vectors(self) -> Tensor:
        """Return the rows of A."""
        return functional.normalize(self.vectors, dim=1)
