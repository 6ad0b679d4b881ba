"""RecVAE: a variational autoencoder with a composite prior, whose encoder and linear decoder are trained in turn.

Shenbin, Alekseev, Tutubalina, Malykh, Nikolenko, "RecVAE: A New Variational Autoencoder for Top-N Recommendations with
Implicit Feedback", WSDM 2020.

Two details differ from the authors' code (https://github.com/ilya-shenbin/RecVAE). There the old posterior of the first
encoder passes is that of a second, random network; here it is that of the encoder before its first update. There
validation follows each cycle of encoder and decoder passes; here it follows each pass, so the kept weights may be those
after a pass of the encoder that the decoder has not followed yet.

When to use: in place of Mult-VAE on large data: better on ML-1M, worse on smaller sets.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from recsys_ae.nn import losses
from recsys_ae.nn.corruption import drop_entries, gaussian_code, gaussian_sample
from recsys_ae.nn.history import History
from recsys_ae.nn.layers import DenselySummed, linear, start_by_fan_in
from recsys_ae.nn.model import AUTO, PAPER, Auto, Presets, Rules, Shape, Validate, known
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.softmax.output import SoftmaxModel, SoftmaxOutput, SoftmaxSpec
from recsys_ae.nn.training.model import BATCH_RULE, batch_size_of
from recsys_ae.nn.training.schedules import Schedule
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.nn.training.trainable import TrainingSpec
from recsys_ae.spec.hyper import hp, other_default

STANDARD, OLD, WIDE = 3 / 20, 3 / 4, 1 / 10
"""Weights of the components of the composite prior, as in the authors' code."""
WIDE_LOG_VARIANCE = 10.0


@dataclass(frozen=True, kw_only=True)
class RecVAE(SoftmaxSpec):
    """Hyper-parameters of RecVAE; the preset ``"paper"`` has the paper's for ML-20M.

    ``epochs`` counts passes over the training rows. An epoch of the paper has three passes that train the encoder and
    one that trains the decoder, so its 50 epochs are 200 passes. The paper's gamma is 0.0035 for Netflix and 0.01 for
    the Million Song Dataset.
    """

    rules: ClassVar[Rules] = {"batch_size": batch_size_of}
    presets: ClassVar[Presets] = {
        PAPER: {
            "layers": 5,
            "lr": 5e-4,
            "lr_schedule": "constant",
            "batch_size": 500,
            "epochs": 200,
            "patience": 0,
            "ema_decay": 0.0,
        },
    }

    latent: int = hp(200, "size of the code", low=1, search=("log", 32, 1024))
    width: int = hp(600, "width of the encoder's layers", low=1, search=("log", 64, 2048))
    layers: int = hp(1, "number of the encoder's layers", low=1, high=1000, search=("int", 1, 7))
    ln_eps: float = hp(
        1e-5, "epsilon that layer normalisation adds to the variance; 0.1 in the authors' later code", low=0
    )
    dropout: float = hp(
        0.5,
        "dropout rate of the input interactions while the encoder is trained",
        low=0,
        high=0.99,
        search=("linear", 0, 0.9),
    )
    gamma: float = hp(0.005, "weight of a row's KL term per interaction of the row", low=0, search=("log", 1e-3, 2e-2))
    encoder_epochs: int = hp(3, "number of consecutive passes that train the encoder", low=1)
    decoder_epochs: int = hp(1, "number of passes after these that train the decoder", low=1)
    lr: float = other_default(TrainingSpec, "lr", 1e-3)
    lr_schedule: Schedule = other_default(TrainingSpec, "lr_schedule", "cosine")
    batch_size: int | Auto = other_default(TrainingSpec, "batch_size", AUTO, BATCH_RULE)  # type: ignore[assignment]
    epochs: int = other_default(TrainingSpec, "epochs", 80)
    patience: int = other_default(TrainingSpec, "patience", 16)
    ema_decay: float = other_default(TrainingSpec, "ema_decay", 0.998)

    def build(self, shape: Shape) -> "RecVAENetwork":
        """Make the untrained network."""
        return RecVAENetwork(self, shape)


class RecVAENetwork(SoftmaxModel[RecVAE]):
    """Network with inputs of length 1, densely summed layers, a Gaussian code and a linear softmax decoder."""

    training_tensors = ("_old",)
    _rows: Rows

    def __init__(self, spec: RecVAE, shape: Shape) -> None:
        super().__init__(spec)
        hidden = DenselySummed(
            shape.width, spec.width, spec.layers, sparse=True, rowwise=spec.sampled_items > 0, eps=spec.ln_eps
        )
        self.encoder = nn.Sequential(hidden, linear(spec.width, 2 * spec.latent))
        self.decoder = SoftmaxOutput(spec.latent, shape.width, spec.sampled_items)
        start_by_fan_in(self)
        self.trains_encoder = True
        self._old = torch.empty(0)  # not a buffer, since only training needs it

    def encode(self, x: Rows) -> Tensor:
        """Return the mean of q(z | x), without noise or dropout."""
        mean: Tensor = self.encoder(x.normalised()).chunk(2, dim=1)[0]
        return mean

    def begin_epoch(self, epoch: int) -> None:
        """Choose whether the encoder or the decoder is trained in this epoch (§ Alternating training).

        After the encoder's passes, its posteriors of all training rows are stored. The decoder is trained on these
        codes, and they are the old posterior of the encoder's next passes. So the decoder's passes do not run the
        encoder, and the encoder's passes do not run an old copy of it. The old posterior of the first passes is that of
        the encoder's random start.
        """
        turn = (epoch - 1) % (self.spec.encoder_epochs + self.spec.decoder_epochs)
        self.trains_encoder = turn < self.spec.encoder_epochs
        self.decoder.requires_grad_(not self.trains_encoder)
        if epoch == 1 or turn == self.spec.encoder_epochs:
            self._old = self._posteriors()

    def loss(self, x: Rows, step: Step) -> Loss:
        """Return E_q[−log p(x | z)] + γ Σ_i x_i KL(q(z | x) ‖ p(z | φ_old, x)) with one sample of z for both terms.

        The decoder is trained without dropout, and without the KL term, which does not depend on it.
        """
        old = self._old[x.positions]
        if not self.trains_encoder:
            mean, log_variance = old.chunk(2, dim=1)
            nll = self.decoder.nll(gaussian_sample(mean, log_variance, step.generator), x, step.generator)
            return Loss(nll, {"nll": nll})
        first = self.encoder.get_submodule("0.input")(drop_entries(x.normalised(), self.spec.dropout, step.generator))
        noise = torch.randn(len(x), self.spec.latent, device=x.device, generator=step.generator)
        z, weighted, kl = step.run(self._code_and_kl, first, noise, old, x.sums())
        nll = self.decoder.nll(z, x, step.generator)
        return Loss(nll + self.spec.gamma * weighted, {"nll": nll, "kl": kl})

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Train encoder and decoder in turn, then unfreeze all weights and drop the stored posteriors."""
        self._rows = rows
        history = super().learn(rows, run, validate)
        del self._rows
        self._old = torch.empty(0)
        self.requires_grad_(True)
        return history

    def _code_and_kl(self, first: Tensor, noise: Tensor, old: Tensor, sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return z, the mean of KL terms times sums of rows, and the mean of KL terms, from the first linear layer."""
        hidden: Any = self.encoder[0]
        mean, log_variance = self.encoder[1](hidden.after_input(first)).chunk(2, dim=1)
        z = gaussian_code(mean, log_variance, noise)
        code = z.view_as(z)  # before the KL terms, so that gradients are added in the order of a loss without graphs
        log_prior = composite_prior(z, *old.chunk(2, dim=1))
        kl = (losses.gaussian_log_density(z, mean, log_variance) - log_prior).sum(dim=1)
        return code, (sums * kl).mean(), kl.mean()

    @torch.no_grad()
    def _posteriors(self) -> Tensor:
        """Return mean and log-variance of q(z | x) of all training rows, ``(n_rows, 2 * latent)``."""
        rows = self._rows
        result = torch.empty(len(rows), 2 * self.spec.latent, device=rows.device)
        for chunk, part in rows.parts(known(self.spec.batch_size)):
            result[chunk] = self.encoder(part.normalised())
        return result

    def item_tables(self) -> list[Tensor]:
        """Return the weights of the encoder's first layer and of the decoder."""
        return [self.encoder.get_parameter("0.input.weight"), self.output.weight]


def composite_prior(z: Tensor, old_mean: Tensor, old_log_variance: Tensor) -> Tensor:
    """Return log p(z | φ_old, x) of each dimension (§ Composite prior).

    It is a mixture of the standard normal, the encoder's posterior before these passes, and a wide, almost flat normal.
    """
    zero = torch.zeros((), device=z.device)
    components = [
        math.log(STANDARD) + losses.gaussian_log_density(z, zero, zero),
        math.log(OLD) + losses.gaussian_log_density(z, old_mean, old_log_variance),
        math.log(WIDE) + losses.gaussian_log_density(z, zero, zero + WIDE_LOG_VARIANCE),
    ]
    density: Tensor = torch.logsumexp(torch.stack(components), dim=0)
    return density
