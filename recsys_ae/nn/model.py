"""The contract of a model: rows in, rows out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from recsys_ae.cold_start import warm_start
from recsys_ae.cold_start.item_features import ItemFeatures
from recsys_ae.errors import ConfigError, UnsupportedError
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.training import loop
from recsys_ae.nn.training.optimizers import Optimizer
from recsys_ae.nn.training.schedules import Schedule
from recsys_ae.spec import hyper
from recsys_ae.spec.hyper import hp

Validate: TypeAlias = Callable[[], dict[str, float]]
ALL = slice(None)


class Shape(NamedTuple):
    """The size of the training data."""

    n_rows: int
    width: int
    features: int = 0
    """Columns of the items' features, where there are any."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The hyper-parameters of a model, which are its identity: two models with equal specs are the same model."""

    def __post_init__(self) -> None:
        hyper.validate(self)

    @classmethod
    def name(cls) -> str:
        """Return the model's name, which is its file's name."""
        return cls.__module__.rpartition(".")[2]


@dataclass(frozen=True, kw_only=True)
class Spec(Identity, ABC):
    """The hyper-parameters of a model of histories."""

    feedback: ClassVar[Literal["implicit", "explicit"]] = "implicit"
    """What the values of the matrix mean to the model: how often something happened, or how much it was liked."""

    @abstractmethod
    def build(self, shape: Shape) -> "Model":
        """Make the untrained network."""

    def memory(self, shape: Shape) -> int:
        """Return the bytes that fitting needs at least, where they may be too many; 0 says nothing."""
        return 0


class Model(nn.Module, ABC):
    """A network that knows tensors only."""

    knows_users: ClassVar[bool] = False
    """Whether something is learnt of each training user apart, which ``Rows.positions`` then finds."""
    learns_from_features: ClassVar[bool] = False
    """Whether features of the items are part of what it learns from, and it cannot do without them."""

    @abstractmethod
    def encode(self, x: Rows) -> Tensor:
        """Return the codes of the rows, ``(n, latent)``."""

    @abstractmethod
    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the scores of the columns ``items``, ``(n, n_items)``.

        They are the caller's to overwrite: they may share memory with the code, but not with what the network keeps.
        """

    def forward(self, x: Rows) -> Tensor:
        """Return the scores of all columns."""
        return self.decode(self.encode(x))

    @abstractmethod
    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> list[dict[str, float]]:
        """Fit to the rows; return what was measured in each epoch (nothing for a closed form)."""

    def rate(self, z: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        """Return predicted ratings: of the code ``z[rows[j]]`` for the column ``items[j]``, ``(m,)``."""
        raise UnsupportedError(f"{_name(self)} ranks items, but its scores are no ratings; use autorec")

    def item_tables(self) -> list[Tensor]:
        """Return the weights that have a row for each item, ``(n_items, d)`` each: what a warm start overwrites.

        Of a layer that gives the mean and the variance of a code it is the part of the mean.
        """
        return []

    def start_from(self, items: ItemFeatures, generator: torch.Generator) -> None:
        """Let the item tables begin with the items' features, before anything is learnt."""
        warm_start.start(self.item_tables(), items, generator)

    def do_without_features(self) -> None:
        """Raise if nothing can be learnt without features of the items."""
        if self.learns_from_features:
            raise ConfigError(f"{_name(self)} learns from features of the items: give item_features (--item-features)")

    def item_weights(self) -> Tensor:
        """Return all that scoring an item takes, a row for each, ``(n_items, p)``."""
        raise UnsupportedError(f"{_name(self)} cannot score items that nobody has touched; use ease or mult_vae")

    def score_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        """Return the scores of rows and their codes for items with these weights, ``(m, p)``: ``(n, m)``."""
        raise UnsupportedError(f"{_name(self)} cannot score items that nobody has touched; use ease or mult_vae")

    def weights_of(self, features: FeatureRows) -> Tensor:
        """Return the weights of items with these features, ``(m, p)``, of a model that has learnt from features."""
        raise UnsupportedError(f"{_name(self)} does not learn from features of the items")

    @abstractmethod
    def item_vectors(self) -> Tensor:
        """Return a vector for each item, ``(n_items, d)``; the cosine of two says how alike the items are."""


def _name(network: nn.Module) -> str:
    return type(network).__module__.rpartition(".")[2]


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Identity):
    """What every model trained by gradient descent can be told."""

    epochs: int = hp(200, "passes over the training rows", low=1)
    batch_size: int = hp(500, "rows in an update", low=1, search=("log", 64, 4096))
    optimizer: Optimizer = hp("adam", "optimizer of the weights")
    lr: float = hp(1e-3, "learning rate", low=0, search=("log", 1e-4, 1e-2))
    lr_schedule: Schedule = hp("constant", "how the learning rate falls over the run")
    l2: float = hp(0.0, "adds l2 times the sum of all squared weights (not biases) to the loss", low=0)
    clip_norm: float = hp(0.0, "scale a gradient down to this Euclidean norm; 0 leaves it", low=0)
    ema_decay: float = hp(
        0.0,
        "decay of the moving average (EMA) of the weights, which is validated and saved; 0 turns it off",
        low=0,
        high=0.99999,
    )
    monitor: str = hp("ndcg@100", "metric on the validation users that decides which weights are kept")
    patience: int = hp(0, "stop after this many epochs without a better monitor; 0 never stops early", low=0)


@dataclass(frozen=True, kw_only=True)
class TrainableSpec(TrainingSpec, Spec):
    """The hyper-parameters of a model of histories that is trained by gradient descent."""

    anchor_l2: float = hp(
        0.0,
        "L2 penalty on the distance of the item embeddings from the item features that they were initialised with",
        low=0,
    )

    def batch_memory(self, shape: Shape) -> int:
        """Return the bytes of the outputs of a batch: by default a score for each of its rows and each column."""
        return 4 * min(self.batch_size, shape.n_rows) * shape.width


@dataclass(frozen=True)
class Loss:
    """A scalar to descend on, and its named parts for the log."""

    total: Tensor
    parts: dict[str, Tensor | float]


class Trainable(nn.Module, ABC):
    """A network that learns by gradient descent, as the training loop sees it."""

    def __init__(self, spec: TrainingSpec) -> None:
        super().__init__()
        self.spec: Any = spec

    @abstractmethod
    def loss(self, x: Any, step: "loop.Step") -> Loss:
        """Return the loss of a batch, in training mode."""

    def begin(self, rows: Any) -> None:
        """Look at the training rows before the first epoch; nothing by default."""

    def phases(self) -> Sequence[loop.Phase]:
        """Return the losses that take turns on each batch; by default there is the one."""
        return [loop.Phase(self.loss, list(self.parameters()))]

    def begin_epoch(self, epoch: int) -> None:
        """Prepare an epoch, counted from 1: freeze what is not to be trained in it; nothing by default."""

    def after_step(self) -> None:
        """Project onto a constraint after an update; nothing by default."""

    def finalize(self, rows: Any) -> None:
        """Compute from the training rows what scoring needs beside the weights; nothing by default.

        Called before each validation and at the end, without gradients, in evaluation mode.
        """

    def penalised(self, loss: Loss) -> Loss:
        """Add to a loss what does not depend on the batch; nothing by default."""
        return loss

    def weight_decay(self) -> float:
        """Return the factor of each weight that is added to its gradient; 0 where the loss holds the penalty itself."""
        return 2 * float(self.spec.l2)

    def learn(self, rows: Any, run: Run, validate: Validate | None = None) -> list[dict[str, float]]:
        """Train with the one loop of this package."""
        return loop.train(self, rows, run, validate)


class TrainableModel(Trainable, Model):
    """An autoencoder of histories that learns by gradient descent."""

    _anchors: warm_start.Anchors | None = None

    def start_from(self, items: ItemFeatures, generator: torch.Generator) -> None:
        """Let the item tables begin with the items' features, and remember where that was if they are pulled there."""
        super().start_from(items, generator)
        self._anchors = warm_start.Anchors(self.item_tables(), items) if self.spec.anchor_l2 else None

    def do_without_features(self) -> None:
        """Raise if the item tables are to be pulled to vectors that are not there."""
        super().do_without_features()
        if self.spec.anchor_l2:
            raise ConfigError(
                f"anchor_l2 = {self.spec.anchor_l2:g} has nothing to pull to: "
                "give item_features (--item-features), or set it to 0"
            )

    def penalised(self, loss: Loss) -> Loss:
        """Add what it costs the item tables to leave their start."""
        if self._anchors is None:
            return loss
        distance = self._anchors.cost(self.item_tables())
        return Loss(loss.total + self.spec.anchor_l2 * distance, {**loss.parts, "distance": distance})

    def learn(self, rows: Any, run: Run, validate: Validate | None = None) -> list[dict[str, float]]:
        """Train with the one loop of this package; the start is forgotten afterwards."""
        history = super().learn(rows, run, validate)
        self._anchors = None
        return history
