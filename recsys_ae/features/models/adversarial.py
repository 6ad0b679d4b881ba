"""Adversarial autoencoder: a discriminator compares codes with draws from a prior, and the encoder learns to fool it.

Makhzani, Shlens, Jaitly, Goodfellow, Frey, "Adversarial Autoencoders", ICLR workshop 2016.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from recsys_ae.errors import Argument, ConfigError
from recsys_ae.features.nn.contract import FeatureShape, TrainableFeatureAutoencoder, TrainableFeatureSpec
from recsys_ae.features.nn.dense import Activation, Dense, Mirrored
from recsys_ae.features.nn.likelihoods import Likelihood, mean_of, reconstruction
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.training.steps import Loss, Phase, Step
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class Adversarial(TrainableFeatureSpec):
    """Hyper-parameters of the adversarial autoencoder."""

    hidden: tuple[int, ...] = hp((400,), "widths of the hidden layers before the code, mirrored by the decoder", low=1)
    critic: tuple[int, ...] = hp((256, 256), "widths of the discriminator's hidden layers", low=1)
    prior: Literal["gaussian", "mixture"] = hp(
        "gaussian", "prior of the codes: N(0, I), or a mixture of gaussians with means on a circle in two dimensions"
    )
    pace: float = hp(
        0.1, "learning rate of the encoder's updates against the discriminator, as a share of lr", low=0, high=10
    )
    components: int = hp(10, "number of gaussians in the mixture", low=1)
    radius: float = hp(4.0, "radius of the mixture's circle, in standard deviations", low=0)
    activation: Activation = hp("relu", "activation of the hidden layers; the code is linear")
    likelihood: Likelihood = hp(
        "gaussian", "loss of the values: gaussian is the squared error, bernoulli the cross-entropy (values 0 to 1)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.prior == "mixture" and self.latent < 2:
            raise ConfigError(
                Argument("prior", "mixture"),
                " places gaussians on a circle in two dimensions; set ",
                Argument("latent"),
                " to at least 2",
            )

    @property
    def constrained(self) -> bool:
        """True: the prior keeps the model from learning the identity."""
        return True

    def build(self, shape: FeatureShape) -> "AdversarialNetwork":
        """Return the untrained network."""
        return AdversarialNetwork(self, shape)


class AdversarialNetwork(TrainableFeatureAutoencoder[Adversarial]):
    """A dense autoencoder with a linear, deterministic code, and a discriminator of codes."""

    generative: ClassVar[bool] = True

    def __init__(self, spec: Adversarial, shape: FeatureShape) -> None:
        super().__init__(spec)
        self.layers = Mirrored(shape.width, spec.hidden, spec.latent, spec.activation, code="linear")
        self.discriminator = Dense((spec.latent, *spec.critic, 1), "relu")

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the code."""
        return self.layers.encode(x.seen)

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean of the likelihood."""
        return mean_of(self.spec.likelihood, self.layers.decode(z))

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw codes from the prior."""
        device = generator.device
        codes = torch.randn(n, self.spec.latent, device=device, generator=generator)
        if self.spec.prior == "mixture":
            components = torch.randint(self.spec.components, (n,), device=device, generator=generator)
            angles = components * (2 * math.pi / self.spec.components)
            codes[:, :2] += self.spec.radius * torch.stack([angles.cos(), angles.sin()], dim=1)
        return codes

    def phases(self) -> Sequence[Phase[FeatureRows]]:
        """Return the losses of each batch in their order: reconstruction, discriminator, generator (§2)."""
        return [
            Phase(self.loss, list(self.layers.parameters())),
            Phase(self.discrimination, list(self.discriminator.parameters())),
            Phase(self.generation, list(self.layers.encoder.parameters()), self.spec.pace),
        ]

    def loss(self, x: FeatureRows, step: Step) -> Loss:
        """Return −log p(x | z) without constants, summed over columns."""
        (error,) = step.run(self._error, *x.seen_and_known)
        return Loss(error, {"error": error})

    def discrimination(self, x: FeatureRows, step: Step) -> Loss:
        """Return −E_p[log D(z)] − E_q[log(1 − D(z))], the loss of the discriminator."""
        (total,) = step.run(self._discrimination, x.seen, self.draw(len(x), step.generator))
        return Loss(total, {"discriminator": total})

    def generation(self, x: FeatureRows, step: Step) -> Loss:
        """Return −E_q[log D(z)], a generator loss that does not saturate when the discriminator is sure."""
        (total,) = step.run(self._generation, x.seen)
        return Loss(total, {"generator": total})

    def _error(self, target: Tensor, known: Tensor | None = None) -> tuple[Tensor]:
        output = self.layers.decode(self.layers.encode(target))
        return (reconstruction(self.spec.likelihood, output, target, known).mean(),)

    def _discrimination(self, target: Tensor, true: Tensor) -> tuple[Tensor]:
        with torch.no_grad():
            false = self.layers.encode(target)
        return (_crossed(self.discriminator(true), 1) + _crossed(self.discriminator(false), 0),)

    def _generation(self, target: Tensor) -> tuple[Tensor]:
        return (_crossed(self.discriminator(self.layers.encode(target)), 1),)


def _crossed(logits: Tensor, truth: int) -> Tensor:
    """Return the mean cross-entropy of logits for the label ``truth``, 1 or 0."""
    return functional.softplus(-logits.float() if truth else logits.float()).mean()
