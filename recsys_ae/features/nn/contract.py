"""Contract of feature autoencoders: rows to codes, and codes to rows."""

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
    """Size of the training features, and the form of a row (`Features.form`)."""

    n_rows: int
    width: int
    form: Form


@dataclass(frozen=True, kw_only=True)
class FeatureSpec(Identity, ABC):
    """Hyper-parameters of a feature autoencoder."""

    reads: ClassVar[tuple[int, ...]] = (0, SEQUENCE, IMAGE)
    """Numbers of dimensions that a row may have; the row of a table has 0."""

    latent: int = hp(64, "dimensions of the code", low=1, search=("log", 8, 256))
    scale: Scale = hp("auto", "scaling of columns; auto chooses by their values and the likelihood, tf-idf for words")

    @property
    def monitor(self) -> str:
        """Validation metric by which fits are compared."""
        return "rmse"

    @abstractmethod
    def build(self, shape: FeatureShape) -> "FeatureAutoencoder":
        """Return the untrained network."""

    @property
    def bounded(self) -> bool:
        """True if values must lie between 0 and 1, as for the bernoulli likelihood."""
        return getattr(self, "likelihood", "gaussian") == "bernoulli"

    @property
    def constrained(self) -> bool:
        """True if something besides a small code keeps the model from learning the identity."""
        return False

    def memory(self, shape: FeatureShape) -> int:
        """Return the bytes that a closed form needs besides the features; 0 if unknown."""
        return 0

    def check(self, shape: FeatureShape) -> None:
        """Raise if the model cannot read rows of this shape."""
        if len(shape.form) not in self.reads:
            read = " or ".join(FORMS[dimensions] for dimensions in self.reads)
            raise DataError(f"{self.name()} reads {read}, but these features are {FORMS[len(shape.form)]}")

    def remarks(self, shape: FeatureShape) -> tuple[str, ...]:
        """Return remarks for the user about learning from rows of this shape."""
        if self.latent < shape.width or self.constrained:
            return ()
        return (
            f"the code has {self.latent:,} dimensions for {shape.width:,} columns, so {self.name()} can learn to copy "
            "its input; lower latent, or use denoising or sparse",
        )


@dataclass(frozen=True, kw_only=True)
class TrainableFeatureSpec(TrainingSpec, FeatureSpec):
    """Hyper-parameters of a feature autoencoder that is trained by gradient descent."""

    epochs: int = hp(100, "number of passes over the training rows (epochs)", low=1)
    batch_size: int = hp(
        128, "number of rows in a batch; each batch is one update of the weights", low=1, search=("log", 32, 1024)
    )
    monitor: str = hp("rmse", "validation metric that selects the epoch whose weights are saved")

    def kept(self, shape: FeatureShape, network: nn.Module) -> int:
        """Return an upper bound of the numbers per row of a batch that are stored for the gradient.

        The default counts the inputs and outputs of dense layers, with tied weights those of the decoder, too.
        """
        ways = 2 if getattr(self, "tied", False) else 1
        return ways * sum(sum(weight.shape) for weight in network.parameters() if weight.ndim > 1)


class FeatureAutoencoder(nn.Module, ABC):
    """A network on tensors: from scaled values to codes, and back to scaled values."""

    generative: ClassVar[bool] = False
    """True if codes can be drawn from a prior."""

    @abstractmethod
    def encode(self, x: FeatureRows) -> Tensor:
        """Return the codes of the rows, ``(n, latent)``, without noise."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Return the rows that are decoded from codes, ``(n, width)``."""

    def decode_as(self, z: Tensor, x: FeatureRows) -> Tensor:
        """Decode codes; sequences get the lengths of the rows of x at the same positions."""
        return self.decode(z)

    def forward(self, x: FeatureRows) -> Tensor:
        """Return the reconstruction of the rows."""
        return self.decode(self.encode(x))

    @abstractmethod
    def learn(self, rows: FeatureRows, run: Run, validate: Validate | None = None) -> History:
        """Fit to the rows; return the metrics of each epoch (empty for a closed form)."""

    def measures(self, x: FeatureRows, generator: torch.Generator) -> dict[str, Tensor]:
        """Return validation metrics besides the error, ``(n,)`` each; none by default."""
        return {}

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw codes from the prior, ``(n, latent)``."""
        raise UnsupportedError(
            f"{type(self).__module__.rpartition('.')[2]} is not generative; use variational or adversarial"
        )

    def log_likelihood(self, x: FeatureRows, samples: int, generator: torch.Generator) -> Tensor:
        """Return an estimate of log p(x), ``(n,)``, which improves with the number of samples."""
        raise UnsupportedError(f"{type(self).__module__.rpartition('.')[2]} has no likelihood; use variational")


SpecT = TypeVar("SpecT", bound=TrainableFeatureSpec)


class TrainableFeatureAutoencoder(Trainable[FeatureRows, SpecT], FeatureAutoencoder, Generic[SpecT]):
    """A feature autoencoder that is trained by gradient descent."""

    def learn(self, rows: FeatureRows, run: Run, validate: Validate | None = None) -> History:
        """Train with the common loop of this package."""
        return loop.train(self, rows, run, validate)


def refuse_unbounded(spec: FeatureSpec, features: Features, low: float, high: float) -> None:
    """Raise if values for the bernoulli likelihood lie outside 0 to 1."""
    if spec.bounded and (low < 0 or high > 1):
        raise DataError(
            "the bernoulli likelihood needs values from 0 to 1, but with ",
            Argument("scale", spec.scale),
            f" the values of these {len(features):,} rows go from {low:.4g} to {high:.4g}; use ",
            Argument("scale", "min-max"),
            " or ",
            Argument("likelihood", "gaussian"),
        )
