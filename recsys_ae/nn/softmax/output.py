"""Softmax output over the items, trained on all items or on a sample."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from recsys_ae.errors import Argument, ConfigError
from recsys_ae.nn.head import LinearHead
from recsys_ae.nn.layers import initialise, linear
from recsys_ae.nn.model import Shape, known
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.softmax.losses import measured_cells, multinomial, sampled_multinomial
from recsys_ae.nn.softmax.sampling import Sampler
from recsys_ae.nn.training.model import TrainableModel, TrainableSpec
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class SoftmaxSpec(TrainableSpec):
    """Hyper-parameters of a model with a softmax over the items."""

    sampled_items: int = hp(
        0,
        "number of items in the sampled softmax, drawn by popularity for each batch; an update changes only their "
        "weights and those of the batch's items, so its cost does not grow with the catalog; 0 uses all items",
        low=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sampled_items and self.optimizer not in ("adam", "adam_norm_grad"):
            raise ConfigError(
                Argument("optimizer", self.optimizer),
                " cannot update single rows of the weights, as ",
                Argument("sampled_items", self.sampled_items),
                " requires; set ",
                Argument("optimizer", "adam"),
                " or ",
                Argument("sampled_items", 0),
            )
        if self.sampled_items and self.anchor_l2:
            raise ConfigError(
                Argument("anchor_l2", self.anchor_l2),
                " updates all items, but ",
                Argument("sampled_items", self.sampled_items),
                " only a few; set one of them to 0",
            )

    def batch_memory(self, shape: Shape) -> int:
        """Return the bytes of the logits held at a time, by the fit that begins on ``shape.device``."""
        n, columns = min(known(self.batch_size), shape.n_rows), shape.width
        if 0 < self.sampled_items < columns:
            return 4 * n * self.sampled_items
        return 4 * min(n * columns, max(measured_cells(shape.device), columns))


class SoftmaxOutput(nn.Linear):
    """Output layer whose ``weight`` is ``(n_items, inputs)``, one row per item.

    Parameters
    ----------
    samples
        Number of sampled items in the loss; 0, or the number of items or more, is the full softmax.
    """

    def __init__(self, inputs: int, outputs: int, samples: int = 0) -> None:
        super().__init__(inputs, outputs)
        initialise(self)
        self.samples = samples if samples < outputs else 0
        self.rowwise = self.samples > 0
        self.sampler: Sampler | None = None

    def prepare(self, rows: Rows) -> None:
        """Count the interactions of each item in the training rows, for a sampled softmax."""
        if self.samples:
            self.sampler = Sampler(torch.bincount(rows.indices, minlength=rows.width), self.samples)

    def nll(self, hidden: Tensor, targets: Rows, generator: torch.Generator) -> Tensor:
        """Return −Σ_i x_i log softmax(W h + b)_i, mean over rows (Liang et al. 2018, eq. 2), or an estimate of it."""
        if not self.samples:
            return multinomial(hidden, self.weight, self.bias, targets)
        if self.sampler is None:
            raise RuntimeError("call prepare() before a sampled loss")
        return sampled_multinomial(hidden, self.weight, self.bias, targets, *self.sampler.draw(generator))


class Decoder(nn.Module):
    """Decoder: linear layers of these widths with tanh after each, and a softmax over the items."""

    def __init__(self, widths: Sequence[int], outputs: int, samples: int = 0) -> None:
        super().__init__()
        pairs = itertools.pairwise(widths)
        self.hidden = nn.Sequential(*(layer for pair in pairs for layer in (linear(*pair), nn.Tanh())))
        self.output = SoftmaxOutput(widths[-1], outputs, samples)

    def forward(self, z: Tensor) -> Tensor:
        """Map ``(n, widths[0])`` codes to the logits of all items."""
        logits: Tensor = self.output(self.hidden(z))
        return logits

    def nll(self, z: Tensor, targets: Rows, generator: torch.Generator) -> Tensor:
        """Return the loss of codes, mean over rows; see `SoftmaxOutput.nll`."""
        return self.output.nll(self.hidden(z), targets, generator)


SpecT = TypeVar("SpecT", bound=SoftmaxSpec)


class SoftmaxModel(LinearHead, TrainableModel[SpecT], Generic[SpecT]):
    """Model with a softmax over the items. The scores are the logits."""

    decoder: Decoder | SoftmaxOutput

    @property
    def output(self) -> SoftmaxOutput:
        """The output layer."""
        return self.decoder if isinstance(self.decoder, SoftmaxOutput) else self.decoder.output

    def hidden(self, z: Tensor) -> Tensor:
        """Return the last hidden layer of the decoder, or the code if the decoder has none."""
        return z if isinstance(self.decoder, SoftmaxOutput) else self.decoder.hidden(z)

    def head(self) -> tuple[Tensor, Tensor]:
        """Return the weights and biases of the output layer."""
        return self.output.weight, self.output.bias

    def begin(self, rows: Rows) -> None:
        """Count the interactions of each item, for a sampled softmax."""
        self.output.prepare(rows)
