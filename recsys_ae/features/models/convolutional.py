"""Convolutional autoencoder: convolutions halve the sides of an image or row down to the code, and double them back.

Masci, Meier, Cireşan, Schmidhuber, "Stacked Convolutional Auto-Encoders for Hierarchical Feature Extraction", ICANN
2011. It may also be trained as a denoising or a variational autoencoder.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_ae.errors import Argument, DataError, UnsupportedError
from recsys_ae.features.data.features import IMAGE
from recsys_ae.features.nn.contract import FeatureShape, TrainableFeatureAutoencoder, TrainableFeatureSpec
from recsys_ae.features.nn.convolution import Doublings, Halvings, halved
from recsys_ae.features.nn.likelihoods import Likelihood, mean_of, reconstruction
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn import losses
from recsys_ae.nn.corruption import Corruption, corrupt, gaussian_code
from recsys_ae.nn.layers import linear
from recsys_ae.nn.training.schedules import warm_up
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class Convolutional(TrainableFeatureSpec):
    """Hyper-parameters of the convolutional autoencoder."""

    reads: ClassVar[tuple[int, ...]] = (0, IMAGE)

    channels: tuple[int, ...] = hp(
        (16, 32), "channels after each convolution, which halves the sides of its input", low=1
    )
    down: Literal["strided", "pooled"] = hp("strided", "halving of the sides by strided convolution, or by max-pooling")
    up: Literal["transposed", "unpooled"] = hp(
        "transposed", "doubling of the sides by transposed convolution, or by repeated values and a convolution"
    )
    code: Literal["plain", "denoising", "variational"] = hp(
        "plain", "kind of autoencoder: plain, denoising (corrupted input) or variational (gaussian code)"
    )
    corruption: Corruption = hp("masking", "kind of corruption of the input (denoising)")
    level: float = hp(
        0.3,
        "standard deviation of gaussian noise, or the share of values that are corrupted (denoising)",
        low=0,
        high=1,
    )
    beta: float = hp(1.0, "weight of the KL term after the warm-up (variational)", low=0)
    warm_up: float = hp(0.2, "share of the updates in which beta rises from 0 (variational)", low=0, high=1)
    likelihood: Likelihood = hp(
        "gaussian", "loss of the values: gaussian is the squared error, bernoulli the cross-entropy (values 0 to 1)"
    )

    @property
    def constrained(self) -> bool:
        """True if noise or the KL term keeps the model from learning the identity."""
        return (self.code == "denoising" and self.level > 0) or (self.code == "variational" and self.beta > 0)

    def check(self, shape: FeatureShape) -> None:
        """Raise if a side is too short to be halved that often."""
        super().check(shape)
        sides = shape.form[1:] or (shape.width,)
        for times, current in enumerate(halved(sides, len(self.channels))[:-1]):
            if min(current) < 2:
                size = " × ".join(map(str, sides))
                raise DataError(
                    f"rows of size {size} cannot be halved {len(self.channels)} times: after {times} times a side is "
                    "1; give ",
                    Argument("channels"),
                    f" at most {times} numbers",
                )

    def kept(self, shape: FeatureShape, network: nn.Module) -> int:
        """Count the outputs of the convolutions, also before pooling and after the repetition of values."""
        sides = halved(shape.form[1:] or (shape.width,), len(self.channels))
        areas = [math.prod(size) for size in sides]
        down = sum(channels * area for channels, area in zip(self.channels, areas[1:], strict=True))
        above = sum(channels * area for channels, area in zip(self.channels, areas, strict=False))
        pooled, unpooled = self.down == "pooled", self.up == "unpooled"
        return (4 + pooled) * down + 2 * (pooled + unpooled) * above + 4 * shape.width + 4 * self.latent

    def build(self, shape: FeatureShape) -> "ConvolutionalNetwork":
        """Return the untrained network."""
        return ConvolutionalNetwork(self, shape)


class ConvolutionalNetwork(TrainableFeatureAutoencoder[Convolutional]):
    """Convolutions to a dense code and back; the columns of a table are one channel, side by side."""

    def __init__(self, spec: Convolutional, shape: FeatureShape) -> None:
        super().__init__(spec)
        self.form = shape.form or (1, shape.width)
        channels, sides = (self.form[0], *spec.channels), halved(self.form[1:], len(spec.channels))
        self.smallest = (channels[-1], *sides[-1])
        outputs = 2 * spec.latent if spec.code == "variational" else spec.latent
        self.down = Halvings(channels, len(sides[0]), pooled=spec.down == "pooled")
        self.to_code = linear(math.prod(self.smallest), outputs)
        self.from_code = linear(spec.latent, math.prod(self.smallest))
        self.up = Doublings(channels, sides, unpooled=spec.up == "unpooled")

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the code; for a variational code its mean."""
        return self._code(x.seen)[:, : self.spec.latent]

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean of the likelihood."""
        return mean_of(self.spec.likelihood, self._back(z))

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw codes from N(0, I), the prior of a variational code."""
        if self.spec.code != "variational":
            variational = Argument("code", "variational")
            raise UnsupportedError(Argument("code", self.spec.code), " is not generative; fit with ", variational)
        return torch.randn(n, self.spec.latent, device=generator.device, generator=generator)

    def loss(self, x: FeatureRows, step: Step) -> Loss:
        """Return −log p(x | z) without constants, summed over columns; plus β KL for a variational code."""
        spec, inputs = self.spec, x.seen_and_known
        if spec.code == "variational":
            noise = torch.randn(len(x), spec.latent, device=x.device, generator=step.generator)
            error, kl = step.run(self._error_and_kl, noise, *inputs)
            beta = warm_up(step.update, spec.warm_up * step.total, spec.beta)
            return Loss(error + beta * kl, {"error": error, "kl": kl, "beta": beta})
        read = inputs[0]
        if spec.code == "denoising":
            read = corrupt(read, spec.corruption, spec.level, step.generator)
        (error,) = step.run(self._error, read, *inputs)
        return Loss(error, {"error": error})

    def _error(self, read: Tensor, target: Tensor, known: Tensor | None = None) -> tuple[Tensor]:
        return (reconstruction(self.spec.likelihood, self._back(self._code(read)), target, known).mean(),)

    def _error_and_kl(self, noise: Tensor, target: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, log_variance = self._code(target).float().chunk(2, dim=1)
        output = self._back(gaussian_code(mean, log_variance, noise))
        error = reconstruction(self.spec.likelihood, output, target, known).mean()
        # −log p with variance 1, without the constant
        error = error / 2 if self.spec.likelihood == "gaussian" else error
        return error, losses.gaussian_kl(mean, log_variance)

    def _code(self, x: Tensor) -> Tensor:
        code: Tensor = self.to_code(self.down(x.reshape(-1, *self.form)).flatten(1))
        return code

    def _back(self, z: Tensor) -> Tensor:
        small = functional.relu(self.from_code(z)).reshape(-1, *self.smallest)
        rows: Tensor = self.up(small).flatten(1)
        return rows
