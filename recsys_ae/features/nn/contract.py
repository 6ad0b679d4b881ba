"""The contract of a model of features: rows in, codes out, rows again."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from recsys_ae.errors import Argument, DataError, UnsupportedError
from recsys_ae.features.data.features import FORMS, IMAGE, SEQUENCE, Features, Form
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scale
from recsys_ae.nn.history import History
from recsys_ae.nn.model import Identity, Validate
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.training import loop
from recsys_ae.nn.training.trainable import Trainable, TrainingSpec
from recsys_ae.spec.hyper import hp


class FeatureShape(NamedTuple):
    """The size of the training features, and what a row is (`Features.form`)."""

    n_rows: int
    width: int
    form: Form


@dataclass(frozen=True, kw_only=True)
class FeatureSpec(Identity, ABC):
    """The hyper-parameters of a model of features."""

    reads: ClassVar[tuple[int, ...]] = (0, SEQUENCE, IMAGE)
    """How many dimensions a row may have; of a table's, none."""

    latent: int = hp(64, "dimensions of the code", low=1, search=("log", 8, 256))
    scale: Scale = hp("auto", "scaling of columns; auto chooses by their values and the likelihood, tf-idf for words")

    @property
    def monitor(self) -> str:
        """The measure on the validation rows that a fit is judged by."""
        return "rmse"

    @abstractmethod
    def build(self, shape: FeatureShape) -> "FeatureAutoencoder":
        """Make the untrained network."""

    @property
    def bounded(self) -> bool:
        """Whether values must lie between 0 and 1, as the bernoulli likelihood wants them."""
        return getattr(self, "likelihood", "gaussian") == "bernoulli"

    @property
    def constrained(self) -> bool:
        """Whether something else than a small code keeps the model from learning the identity."""
        return False

    def memory(self, shape: FeatureShape) -> int:
        """Return the bytes that a closed form needs beside the features; 0 says nothing."""
        return 0

    def check(self, shape: FeatureShape) -> None:
        """Raise if the model cannot read such rows."""
        if len(shape.form) not in self.reads:
            read = " or ".join(FORMS[one] for one in self.reads)
            raise DataError(f"{self.name()} reads {read}, but these features are {FORMS[len(shape.form)]}")

    def remarks(self, shape: FeatureShape) -> tuple[str, ...]:
        """Say what the user should know before such rows are learnt from."""
        if self.latent < shape.width or self.constrained:
            return ()
        return (
            f"the code has {self.latent:,} dimensions for {shape.width:,} columns, so {self.name()} can learn to copy "
            "its input; lower latent, or use denoising or sparse",
        )


@dataclass(frozen=True, kw_only=True)
class TrainableFeatureSpec(TrainingSpec, FeatureSpec):
    """The hyper-parameters of a model of features that is trained by gradient descent."""

    epochs: int = hp(100, "number of passes over the training rows (epochs)", low=1)
    batch_size: int = hp(
        128, "number of rows in a batch; each batch is one update of the weights", low=1, search=("log", 32, 1024)
    )
    monitor: str = hp("rmse", "validation metric that selects the epoch whose weights are saved")

    def kept(self, shape: FeatureShape, network: nn.Module) -> int:
        """Return how many numbers of each row of a batch wait for the gradient, at most.

        By default these are what dense layers read and give, of tied weights on the way back, too.
        """
        ways = 2 if getattr(self, "tied", False) else 1
        return ways * sum(sum(weight.shape) for weight in network.parameters() if weight.ndim > 1)


class FeatureAutoencoder(nn.Module, ABC):
    """A network that knows tensors only: values as the network sees them, codes, and values again."""

    generative: ClassVar[bool] = False
    """Whether codes can be drawn from a prior."""

    @abstractmethod
    def encode(self, x: FeatureRows) -> Tensor:
        """Return the codes of the rows, ``(n, latent)``, without noise."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Return the rows that codes stand for, ``(n, width)``."""

    def decode_as(self, z: Tensor, x: FeatureRows) -> Tensor:
        """Return the rows that codes stand for, each as long as that of x at its place, where lengths differ."""
        return self.decode(z)

    def forward(self, x: FeatureRows) -> Tensor:
        """Return the rows as the network gives them back."""
        return self.decode(self.encode(x))

    @abstractmethod
    def learn(self, rows: FeatureRows, run: Run, validate: Validate | None = None) -> History:
        """Fit to the rows; return what was measured in each epoch (nothing for a closed form)."""

    def measures(self, x: FeatureRows, generator: torch.Generator) -> dict[str, Tensor]:
        """Return what validation measures beside the error, ``(n,)`` each; nothing by default."""
        return {}

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw codes from the prior, ``(n, latent)``."""
        raise UnsupportedError(
            f"{type(self).__module__.rpartition('.')[2]} is not generative; use variational or adversarial"
        )

    def log_likelihood(self, x: FeatureRows, samples: int, generator: torch.Generator) -> Tensor:
        """Return an estimate of log p(x), ``(n,)``, that gets better with the number of samples."""
        raise UnsupportedError(f"{type(self).__module__.rpartition('.')[2]} has no likelihood; use variational")


SpecT = TypeVar("SpecT", bound=TrainableFeatureSpec)


class TrainableFeatureAutoencoder(Trainable[FeatureRows, SpecT], FeatureAutoencoder, Generic[SpecT]):
    """An autoencoder of features that learns by gradient descent."""

    def learn(self, rows: FeatureRows, run: Run, validate: Validate | None = None) -> History:
        """Train with the one loop of this package."""
        return loop.train(self, rows, run, validate)


def refuse_unbounded(spec: FeatureSpec, features: Features, low: float, high: float) -> None:
    """Raise if the bernoulli likelihood would be asked about values outside 0 to 1."""
    if spec.bounded and (low < 0 or high > 1):
        raise DataError(
            "the bernoulli likelihood needs values from 0 to 1, but with ",
            Argument("scale", spec.scale),
            f" the values of these {len(features):,} rows go from {low:.4g} to {high:.4g}; use ",
            Argument("scale", "min-max"),
            " or ",
            Argument("likelihood", "gaussian"),
        )
