"""Mult-VAE: a variational autoencoder with a multinomial likelihood and an annealed KL term.

Liang, Krishnan, Hoffman, Jebara, "Variational Autoencoders for Collaborative Filtering", WWW 2018.

When to use: for few users, or many users on a GPU; for a million items with sampled_items=5000.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from recsys_ae.nn import losses
from recsys_ae.nn.corruption import drop_entries, gaussian_code
from recsys_ae.nn.layers import SparseEncoder
from recsys_ae.nn.model import AUTO, PAPER, Auto, Presets, Rules, Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.softmax.output import Decoder, SoftmaxModel, SoftmaxSpec
from recsys_ae.nn.training.model import BATCH_RULE, batch_size_of
from recsys_ae.nn.training.schedules import warm_up
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.nn.training.trainable import TrainingSpec
from recsys_ae.spec.hyper import hp, other_default


@dataclass(frozen=True, kw_only=True)
class MultVAE(SoftmaxSpec):
    """Hyper-parameters of Mult-VAE, with layers [items → 320 → items]; the paper has [items → 600 → 200 → 600 → items].

    The paper anneals over 40,000 of its 46,800 updates on ML-20M. As a share of the run, this holds for data and
    batches of every size.
    """

    rules: ClassVar[Rules] = {"batch_size": batch_size_of}
    presets: ClassVar[Presets] = {
        PAPER: {
            "latent": 200,
            "hidden": (600,),
            "dropout": 0.5,
            "beta": 0.2,
            "batch_size": 500,
            "epochs": 200,
            "patience": 0,
            "ema_decay": 0.0,
        },
    }

    latent: int = hp(320, "size of the code", low=1, search=("log", 32, 1024))
    hidden: tuple[int, ...] = hp(
        (),
        "widths of the encoder's hidden layers, mirrored in the decoder",
        low=1,
        search=("choice", ((), (600,))),
    )
    dropout: float = hp(0.3, "dropout rate of the input interactions", low=0, high=0.99, search=("linear", 0, 0.9))
    beta: float = hp(0.1, "weight of the KL term after annealing", low=0, search=("linear", 0, 1))
    anneal: float = hp(40_000 / 46_800, "share of the updates over which beta rises from 0", low=0, high=1,
                       search=("linear", 0, 1))  # fmt: skip

    batch_size: int | Auto = other_default(TrainingSpec, "batch_size", AUTO, BATCH_RULE)  # type: ignore[assignment]
    epochs: int = other_default(TrainingSpec, "epochs", 60)
    patience: int = other_default(TrainingSpec, "patience", 10)
    ema_decay: float = other_default(TrainingSpec, "ema_decay", 0.998)

    def build(self, shape: Shape) -> "MultVAENetwork":
        """Make the untrained network."""
        return MultVAENetwork(self, shape)


class MultVAENetwork(SoftmaxModel[MultVAE]):
    """Network with inputs of length 1, tanh layers, a Gaussian code and a softmax over all items."""

    def __init__(self, spec: MultVAE, shape: Shape) -> None:
        super().__init__(spec)
        self.encoder = SparseEncoder(shape.width, (*spec.hidden, 2 * spec.latent), rowwise=spec.sampled_items > 0)
        self.decoder = Decoder((spec.latent, *spec.hidden[::-1]), shape.width, spec.sampled_items)

    def encode(self, x: Rows) -> Tensor:
        """Return the mean of q(z | x), without noise or dropout."""
        mean: Tensor = self.encoder(x.normalised()).chunk(2, dim=1)[0]
        return mean

    def loss(self, x: Rows, step: Step) -> Loss:
        """Return E_q[−log p(x | z)] + β KL(q(z | x) ‖ N(0, I)) with one sample of z (eq. 5)."""
        corrupted = drop_entries(x.normalised(), self.spec.dropout, step.generator)
        noise = torch.randn(len(x), self.spec.latent, device=x.device, generator=step.generator)
        hidden, kl = step.run(self._hidden_and_kl, self.encoder.input(corrupted), noise)
        nll = self.output.nll(hidden, x, step.generator)
        beta = warm_up(step.update, self.spec.anneal * step.total, self.spec.beta)
        return Loss(nll + beta * kl, {"nll": nll, "kl": kl, "beta": beta})

    def _hidden_and_kl(self, first: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last hidden layer and KL(q(z | x) ‖ N(0, I)), from the first layer before tanh."""
        mean, log_variance = self.encoder.deeper(first).chunk(2, dim=1)
        hidden = self.hidden(gaussian_code(mean, log_variance, noise))
        return hidden, losses.gaussian_kl(mean, log_variance)

    def item_tables(self) -> list[Tensor]:
        """Return the weights of the input and of the output layer."""
        weight = self.encoder.input.weight
        return [weight if self.spec.hidden else weight[:, : self.spec.latent], self.output.weight]
