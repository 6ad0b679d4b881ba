"""The contract of a model: rows in, rows out."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from recsys_ae.errors import Argument, ConfigError, UnsupportedError
from recsys_ae.nn.history import History
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.spec import hyper, plug_ins

Validate: TypeAlias = Callable[[], dict[str, float]]
ALL = slice(None)


class Shape(NamedTuple):
    """The size of the training data."""

    n_rows: int
    width: int
    features: int = 0
    """Columns of the items' features, where there are any."""


class Stats:
    """Counts of the training data, for hyper-parameters that depend on them; counted when they are asked for."""

    def __init__(self, matrix: csr_matrix) -> None:
        self._matrix = matrix

    @cached_property
    def items(self) -> NDArray[np.int64]:
        """The number of interactions of each item, ``(n_items,)``."""
        return np.bincount(self._matrix.indices, minlength=self._matrix.shape[1])

    @cached_property
    def users(self) -> NDArray[np.int64]:
        """The number of interactions of each user, ``(n_users,)``."""
        return np.diff(self._matrix.indptr).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The hyper-parameters of a model, which are its identity: two models with equal specs are the same model."""

    def __post_init__(self) -> None:
        hyper.validate(self)

    @classmethod
    def name(cls) -> str:
        """Return the model's name: its file's in this package, its entry point's in another, else its class's."""
        return plug_ins.name_of(cls)

    @property
    def specs(self) -> "tuple[Identity, ...]":
        """The hyper-parameters of the models that this one mixes; by default none."""
        return ()


@dataclass(frozen=True, kw_only=True)
class Spec(Identity, ABC):
    """The hyper-parameters of a model of histories."""

    feedback: ClassVar[Literal["implicit", "explicit"]] = "implicit"
    """What the values of the matrix mean to the model: how often something happened, or how much it was liked."""

    @property
    def monitor(self) -> str:
        """The metric on the validation users that a fit is judged by."""
        return "rmse" if self.feedback == "explicit" else "ndcg@100"

    def resolved(self, stats: Stats) -> Self:
        """Return these hyper-parameters with a number for each that depends on the data; called before `build`."""
        return self

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
    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Fit to the rows; return what was measured in each epoch (nothing for a closed form)."""

    def rate(self, z: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        """Return predicted ratings: of the code ``z[rows[j]]`` for the column ``items[j]``, ``(m,)``."""
        raise UnsupportedError(f"{_name(self)} ranks items, but its scores are not ratings; use autorec")

    def item_tables(self) -> list[Tensor]:
        """Return the weights that have a row for each item, ``(n_items, d)`` each: what a warm start overwrites.

        Of a layer that gives the mean and the variance of a code it is the part of the mean.
        """
        return []

    def start_from(self, features: Tensor, positions: Tensor) -> None:
        """Take features of the items, ``(m, width)``, and the positions of their items; nothing by default.

        Called before anything is learnt, when the item tables already begin with the features.
        """

    def do_without_features(self) -> None:
        """Raise if nothing can be learnt without features of the items."""
        if self.learns_from_features:
            raise ConfigError(f"{_name(self)} needs item features; give ", Argument("item_features"))

    def item_weights(self) -> Tensor:
        """Return all that scoring an item takes, a row for each, ``(n_items, p)``."""
        raise UnsupportedError(f"{_name(self)} cannot score cold items; use ease or mult_vae")

    def score_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        """Return the scores of rows and their codes for items with these weights, ``(m, p)``: ``(n, m)``."""
        raise UnsupportedError(f"{_name(self)} cannot score cold items; use ease or mult_vae")

    def weights_of(self, features: Tensor) -> Tensor:
        """Return the weights of items with these features, ``(m, p)``, of a model that has learnt from features."""
        raise UnsupportedError(f"{_name(self)} does not learn from item features")

    @abstractmethod
    def item_vectors(self) -> Tensor:
        """Return a vector for each item, ``(n_items, d)``; the cosine of two says how alike the items are."""


def _name(network: nn.Module) -> str:
    return type(network).__module__.rpartition(".")[2]
