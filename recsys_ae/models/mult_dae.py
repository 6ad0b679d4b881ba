"""Mult-DAE: a denoising autoencoder with a multinomial likelihood.

Liang, Krishnan, Hoffman, Jebara, "Variational Autoencoders for Collaborative Filtering", WWW 2018.

When to use: like Mult-VAE; it is simpler, trains faster, and is about as good.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from recsys_ae.nn.corruption import drop_entries
from recsys_ae.nn.layers import SparseEncoder
from recsys_ae.nn.model import AUTO, PAPER, Auto, Presets, Rules, Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.softmax.output import Decoder, SoftmaxModel, SoftmaxSpec
from recsys_ae.nn.training.model import BATCH_RULE, batch_size_of
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.nn.training.trainable import TrainingSpec
from recsys_ae.spec.hyper import hp, other_default


@dataclass(frozen=True, kw_only=True)
class MultDAE(SoftmaxSpec):
    """Hyper-parameters of Mult-DAE, with layers [items → 200 → items]."""

    rules: ClassVar[Rules] = {"batch_size": batch_size_of}
    presets: ClassVar[Presets] = {
        PAPER: {"l2": 2e-5, "batch_size": 500, "epochs": 200, "patience": 0, "ema_decay": 0.0},
    }

    latent: int = hp(200, "size of the code", low=1, search=("log", 32, 1024))
    hidden: tuple[int, ...] = hp(
        (), "widths of the encoder's hidden layers, mirrored in the decoder", low=1, search=("choice", ((), (600,)))
    )
    dropout: float = hp(0.5, "dropout rate of the input interactions", low=0, high=0.99, search=("linear", 0, 0.9))
    l2: float = other_default(TrainingSpec, "l2", 2e-4)
    batch_size: int | Auto = other_default(TrainingSpec, "batch_size", AUTO, BATCH_RULE)  # type: ignore[assignment]
    epochs: int = other_default(TrainingSpec, "epochs", 60)
    patience: int = other_default(TrainingSpec, "patience", 10)
    ema_decay: float = other_default(TrainingSpec, "ema_decay", 0.998)

    def build(self, shape: Shape) -> "MultDAENetwork":
        """Make the untrained network."""
        return MultDAENetwork(self, shape)


class MultDAENetwork(SoftmaxModel[MultDAE]):
    """Network with inputs of length 1, tanh layers and a softmax over all items."""

    def __init__(self, spec: MultDAE, shape: Shape) -> None:
        super().__init__(spec)
        widths = (*spec.hidden, spec.latent)
        self.encoder = SparseEncoder(shape.width, widths, rowwise=spec.sampled_items > 0)
        self.decoder = Decoder(widths[::-1], shape.width, spec.sampled_items)

    def encode(self, x: Rows) -> Tensor:
        """Return the code z = tanh(W x / ‖x‖ + b), after all layers of the encoder."""
        return torch.tanh(self.encoder(x.normalised()))

    def loss(self, x: Rows, step: Step) -> Loss:
        """Return −Σ_i x_i log π_i(z) with z from the corrupted row (eq. 2)."""
        corrupted = drop_entries(x.normalised(), self.spec.dropout, step.generator)
        nll = self.decoder.nll(torch.tanh(self.encoder(corrupted)), x, step.generator)
        return Loss(nll, {"nll": nll})

    def item_tables(self) -> list[Tensor]:
        """Return the weights of the input and of the output layer."""
        return [self.encoder.input.weight, self.output.weight]
