"""Recommenders trained by gradient descent: hyper-parameters and network."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from recsys_ae.errors import Argument, ConfigError
from recsys_ae.nn.anchors import Anchors
from recsys_ae.nn.history import History
from recsys_ae.nn.layers import SparseLinear
from recsys_ae.nn.model import Model, Shape, Spec, Stats, Validate, known
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.training import loop
from recsys_ae.nn.training.steps import Loss
from recsys_ae.nn.training.trainable import Trainable, TrainingSpec
from recsys_ae.spec.hyper import hp

LEAST_BATCH, MOST_BATCH, UPDATES = 25, 500, 100
"""Bounds of the batch size that depends on the data, and number of updates in an epoch between them."""
BATCH_RULE = f"auto is the number of users / {UPDATES}, from {LEAST_BATCH} to {MOST_BATCH}"


def batch_size_of(stats: Stats) -> int:
    """Return the batch size for some users. With few users, large batches make too few updates."""
    return int(min(max(len(stats.users) // UPDATES, LEAST_BATCH), MOST_BATCH))


@dataclass(frozen=True, kw_only=True)
class TrainableSpec(TrainingSpec, Spec):
    """Hyper-parameters of a recommender that is trained by gradient descent."""

    anchor_l2: float = hp(
        0.0,
        "L2 penalty on the distance of the item embeddings from the item features that they were initialised with; "
        "0 turns it off",
        low=0,
    )

    def batch_memory(self, shape: Shape) -> int:
        """Return the bytes of the outputs of a batch; by default a float32 score for each row and item."""
        return 4 * min(known(self.batch_size), shape.n_rows) * shape.width

    def operations(self, shape: Shape, nnz: int) -> float:
        """Return six for each weight and row of each epoch, but in a sparse first layer only for interactions."""
        with torch.device("meta"):  # shapes only
            network = self.build(shape)
        sparse = [layer.weight for layer in network.modules() if isinstance(layer, SparseLinear)]
        dense = sum(p.numel() for p in network.parameters()) - sum(weight.numel() for weight in sparse)
        per_epoch = dense * shape.n_rows + nnz * sum(weight.shape[1] for weight in sparse)
        return 6.0 * self.epochs * per_epoch


SpecT = TypeVar("SpecT", bound=TrainableSpec)


class TrainableModel(Trainable[Rows, SpecT], Model, Generic[SpecT]):
    """Network of a recommender that learns by gradient descent."""

    _anchors: Anchors | None = None

    def start_from(self, features: Tensor, positions: Tensor) -> None:
        """Store the initial item embeddings if ``anchor_l2`` penalises the distance from them."""
        if self.spec.anchor_l2 and not self.item_tables():
            raise ConfigError(
                Argument("anchor_l2", self.spec.anchor_l2),
                f" needs item embeddings, but this {self.spec.name()} has none; set ",
                Argument("anchor_l2", 0),
            )
        self._anchors = Anchors(self.item_tables(), positions) if self.spec.anchor_l2 else None

    def do_without_features(self) -> None:
        """Raise `ConfigError` if the model or its ``anchor_l2`` needs item features."""
        super().do_without_features()
        if self.spec.anchor_l2:
            raise ConfigError(
                Argument("anchor_l2", self.spec.anchor_l2),
                " needs item features; give ",
                Argument("item_features"),
                ", or set ",
                Argument("anchor_l2", 0),
            )

    def penalised(self, loss: Loss) -> Loss:
        """Add the penalty on the distance of the item embeddings from their initial values."""
        if self._anchors is None:
            return loss
        distance = self._anchors.cost(self.item_tables())
        return Loss(loss.total + self.spec.anchor_l2 * distance, {**loss.parts, "distance": distance})

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Train with `loop.train`. The stored initial embeddings are freed afterwards."""
        history = loop.train(self, rows, run, validate)
        self._anchors = None
        return history
