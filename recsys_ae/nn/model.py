"""Contract of a recommender: hyper-parameters (`Spec`), and a network (`Model`) that scores items for sparse rows."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np
import torch
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
Auto: TypeAlias = Literal["auto"]
AUTO: Auto = "auto"
"""Value of a hyper-parameter that `Spec.resolved` computes from the data."""
PAPER = "paper"
"""Preset with the settings of a model's paper."""
NumberT = TypeVar("NumberT", int, float)


class Shape(NamedTuple):
    """Size of the training data, and the device of the fit."""

    n_rows: int
    """Number of rows (users)."""
    width: int
    """Number of columns (items)."""
    features: int = 0
    """Number of columns of the item features; 0 without item features."""
    device: torch.device = torch.device("cpu")
    """Device of the fit. Only estimates of memory use it."""


class Stats:
    """Counts of the training data, for hyper-parameters that depend on the data; computed on first access."""

    def __init__(self, matrix: csr_matrix) -> None:
        self._matrix = matrix

    @cached_property
    def items(self) -> NDArray[np.int64]:
        """Number of interactions of each item, ``(n_items,)`` int64."""
        return np.bincount(self._matrix.indices, minlength=self._matrix.shape[1])

    @cached_property
    def users_per_interaction(self) -> float:
        """Number of users of an item, as the mean over interactions: Σc² / Σc with c users of an item."""
        return float((self.items.astype(np.float64) ** 2).sum() / max(1, self.items.sum()))

    @property
    def interactions(self) -> int:
        """Number of interactions."""
        return int(self._matrix.nnz)

    @property
    def users_per_item(self) -> float:
        """Mean number of users of the items with any."""
        return float(self.items.sum() / max(1, np.count_nonzero(self.items)))

    @property
    def items_per_user(self) -> float:
        """Mean number of items of the users with any; 1 without users."""
        return float(self.users.sum() / max(1, np.count_nonzero(self.users))) or 1.0

    @cached_property
    def users(self) -> NDArray[np.int64]:
        """Number of interactions of each user, ``(n_users,)`` int64."""
        return np.diff(self._matrix.indptr).astype(np.int64)


Rules: TypeAlias = Mapping[str, Callable[[Stats], float]]
Presets: TypeAlias = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Hyper-parameters of a model. Models with equal specs are the same model."""

    def __post_init__(self) -> None:
        hyper.validate(self)

    @classmethod
    def name(cls) -> str:
        """Return the model's name: that of its file in this package, of its entry point in another, or of its class."""
        return plug_ins.name_of(cls)

    @property
    def specs(self) -> "tuple[Identity, ...]":
        """Hyper-parameters of the models that this one blends; none by default."""
        return ()

    def stored(self) -> dict[str, Any]:
        """Return all hyper-parameters as JSON values, for a file that later versions with other defaults read."""
        return hyper.flatten(self)

    @classmethod
    def of_stored(cls, values: Mapping[str, Any]) -> Self:
        """Return the hyper-parameters of a file that `stored` has written, maybe that of an earlier version."""
        return hyper.build(cls, values)


@dataclass(frozen=True, kw_only=True)
class Spec(Identity, ABC):
    """Hyper-parameters of a recommender; `build` makes its network."""

    feedback: ClassVar[Literal["implicit", "explicit"]] = "implicit"
    """Meaning of the values of the matrix: counts of interactions (implicit), or ratings (explicit)."""
    free: ClassVar[tuple[str, ...]] = ()
    """Hyper-parameters that `Model.changed` changes after a fit with 0, as if fitted so."""
    rules: ClassVar[Rules] = {}
    """Functions that compute the hyper-parameters that may be ``"auto"``."""
    presets: ClassVar[Presets] = {}
    """Settings by name that differ from the defaults, such as those of the paper."""

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """Return the settings of a preset, with changes.

        Raises
        ------
        ConfigError
            If there is no such preset, or a change is not allowed.
        """
        if name not in cls.presets:
            others = hyper.nearest(name, cls.presets) if cls.presets else "; it has none"
            raise ConfigError(f"{cls.name()} has no preset {name!r}{others}")
        return hyper.build(cls, {**cls.presets[name], **changes})

    @classmethod
    def paper(cls, **changes: Any) -> Self:
        """Return the settings of the paper, with changes: those of the published tables."""
        return cls.preset(PAPER, **changes)

    @property
    def monitor(self) -> str:
        """Validation metric that selects the epoch whose weights are saved."""
        return "rmse" if self.feedback == "explicit" else "ndcg@100"

    def resolved(self, stats: Stats) -> Self:
        """Return these hyper-parameters with a number for each word that depends on the data, such as ``"auto"``.

        Called before `build`. By default each ``"auto"`` is computed by its rule in `rules`.
        """
        words = {name: rule(stats) for name, rule in self.rules.items() if getattr(self, name) == AUTO}
        return dataclasses.replace(self, **words) if words else self

    @abstractmethod
    def build(self, shape: Shape) -> "Model":
        """Return the untrained network for data of this size."""

    def memory(self, shape: Shape) -> int:
        """Return the least number of bytes that a fit needs; 0 makes no statement.

        A fit that needs more memory than is free is refused before it begins.
        """
        return 0

    def operations(self, shape: Shape, nnz: int) -> float:
        """Return a rough number of floating-point operations of a fit to ``nnz`` interactions; 0 makes no statement.

        From it a tuner predicts how long a fit takes, before it has fitted the model for the first time.
        """
        return 0.0


def known(value: NumberT | Auto) -> NumberT:
    """Return a number that is no longer ``"auto"``.

    Raises
    ------
    ConfigError
        If the spec was not resolved.
    """
    if isinstance(value, str):
        raise ConfigError(f"a hyper-parameter is still {value!r}; call resolved(Stats(matrix)) of the spec first")
    return value


class Model(nn.Module, ABC):
    """Network of a recommender. It works on tensors, and knows neither ids nor files.

    A subclass must implement `learn`, `encode`, `decode` and `item_vectors`. The other methods are optional: by default
    they do nothing or raise `UnsupportedError`.
    """

    knows_users: ClassVar[bool] = False
    """True if the network has weights for each training user; ``Rows.positions`` says which user a row belongs to."""
    learns_from_features: ClassVar[bool] = False
    """True if the model needs item features to be fitted."""

    @abstractmethod
    def encode(self, x: Rows) -> Tensor:
        """Return the codes of ``n`` rows, ``(n, latent)``."""

    @abstractmethod
    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the scores of the items in the slice ``items`` for the codes ``z``, ``(n, number of these items)``.

        The caller may overwrite the scores. They may share memory with the codes, but not with the weights.
        """

    def forward(self, x: Rows) -> Tensor:
        """Return the scores of all items, ``(n, n_items)``."""
        return self.decode(self.encode(x))

    @abstractmethod
    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Fit the network to the training rows.

        Parameters
        ----------
        rows
            The training histories, one row per user.
        run
            Run settings: seed, device, precision and threads.
        validate
            Function that returns validation metrics of the network in its current state; None without validation users.

        Returns
        -------
        History
            Losses and metrics of each epoch; empty for a closed form.
        """

    def changed(self, spec: Spec, popularity: Tensor) -> "Model":
        """Return the network that a fit with ``spec`` gives, which differs in `Spec.free` from that of this fit.

        Parameters
        ----------
        popularity
            Number of interactions of each item, ``(n_items,)``.

        Raises
        ------
        UnsupportedError
            If the model has no such hyper-parameters.
        """
        raise UnsupportedError(f"{_name(self)} has no hyper-parameters that can be changed after a fit")

    def rate(self, z: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        """Return predicted ratings, ``(m,)``: entry ``j`` is for the code ``z[rows[j]]`` and the item ``items[j]``.

        Raises
        ------
        UnsupportedError
            If the scores of the model are not ratings.
        """
        raise UnsupportedError(f"{_name(self)} ranks items, but its scores are not ratings; use autorec")

    def check_loaded(self) -> None:
        """Raise a `ValueError` if loaded tensors do not fit together, such as positions out of bounds.

        Their names, shapes and types are checked before, and that their numbers are finite. Nothing else by default.
        """

    def item_tables(self) -> list[Tensor]:
        """Return the weights with one row per item, ``(n_items, d)`` each. A warm start overwrites them in place.

        For a layer that outputs mean and log-variance, return only the weights of the mean.
        """
        return []

    def start_from(self, features: Tensor, positions: Tensor) -> None:
        """Receive item features, ``(m, width)``, and the positions of their items, ``(m,)``; do nothing by default.

        Called before training, after the item tables were initialised with the features.
        """

    def do_without_features(self) -> None:
        """Raise `ConfigError` if the model cannot be fitted without item features."""
        if self.learns_from_features:
            raise ConfigError(f"{_name(self)} needs item features; give ", Argument("item_features"))

    def item_weights(self) -> Tensor:
        """Return all weights that score an item, one row per item, ``(n_items, p)``.

        Raises
        ------
        UnsupportedError
            If the model cannot score cold items.
        """
        raise UnsupportedError(f"{_name(self)} cannot score cold items; use ease or mult_vae")

    def score_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        """Return the scores of ``m`` cold items, ``(n, m)``.

        For the weights that `item_weights` returns, the scores are those of `decode`.

        Parameters
        ----------
        x, z
            ``n`` rows and their codes.
        weights
            ``(m, p)``: a row for each cold item, in the form of `item_weights`.
        """
        raise UnsupportedError(f"{_name(self)} cannot score cold items; use ease or mult_vae")

    def weights_of(self, features: Tensor) -> Tensor:
        """Return the weights of cold items, ``(m, p)``, computed from their features, ``(m, width)``.

        Only models that learn from features (`learns_from_features`) implement it.
        """
        raise UnsupportedError(f"{_name(self)} does not learn from item features")

    @abstractmethod
    def item_vectors(self) -> Tensor:
        """Return a vector for each item, ``(n_items, d)``. The cosine of two vectors is the similarity of the items."""


def _name(network: nn.Module) -> str:
    return type(network).__module__.rpartition(".")[2]
