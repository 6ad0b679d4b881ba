"""Variational autoencoder: a gaussian code close to a prior, so that codes can be drawn and interpolated.

Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014; β: Higgins et al., ICLR 2017; importance-weighted
likelihood: Burda, Grosse, Salakhutdinov, ICLR 2016; one learnt variance: Rybkin, Daniilidis, Levine, ICML 2021.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from recsys_ae.features.nn.contract import FeatureShape, TrainableFeatureAutoencoder, TrainableFeatureSpec
from recsys_ae.features.nn.dense import Activation, Dense
from recsys_ae.features.nn.likelihoods import Likelihood, cross_entropy, gaussian_nll, mean_of
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn import losses
from recsys_ae.nn.corruption import gaussian_code, gaussian_sample
from recsys_ae.nn.training.schedules import warm_up
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp

FLOOR = -12.0
"""Smallest logarithm of a learnt variance: an exact reconstruction would have an infinite likelihood."""


@dataclass(frozen=True, kw_only=True)
class Variational(TrainableFeatureSpec):
    """Hyper-parameters of the variational autoencoder."""

    hidden: tuple[int, ...] = hp((400,), "widths of the hidden layers before the code, mirrored by the decoder", low=1)
    activation: Activation = hp("relu", "activation of the hidden layers")
    likelihood: Likelihood = hp("gaussian", "likelihood of the values; bernoulli needs values from 0 to 1")
    variance: Literal["learnt", "fixed"] = hp(
        "learnt", "variance of the gaussian likelihood: one learnt number for all columns, or fixed at 1"
    )
    beta: float = hp(1.0, "weight of the KL term after the warm-up", low=0, search=("log", 0.1, 10))
    warm_up: float = hp(0.2, "share of the updates in which beta rises from 0", low=0, high=1)
    monitor: str = hp("elbo", "validation metric that selects the epoch whose weights are saved")

    @property
    def constrained(self) -> bool:
        """True if the KL term keeps the model from learning the identity."""
        return self.beta > 0

    def build(self, shape: FeatureShape) -> "VariationalNetwork":
        """Return the untrained network."""
        return VariationalNetwork(self, shape)


class VariationalNetwork(TrainableFeatureAutoencoder[Variational]):
    """Dense layers to the mean and log variance of the code, and back from a code."""

    generative: ClassVar[bool] = True

    def __init__(self, spec: Variational, shape: FeatureShape) -> None:
        super().__init__(spec)
        self.encoder = Dense((shape.width, *spec.hidden, 2 * spec.latent), spec.activation)
        self.decoder = Dense((spec.latent, *spec.hidden[::-1], shape.width), spec.activation)
        learnt = spec.likelihood == "gaussian" and spec.variance == "learnt"
        self.log_variance = nn.Parameter(torch.zeros(())) if learnt else None

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the mean of q(z | x)."""
        return self._posterior(x.seen)[0]

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean of p(x | z)."""
        output: Tensor = self.decoder(z)
        return mean_of(self.spec.likelihood, output)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw codes from N(0, I)."""
        return torch.randn(n, self.spec.latent, device=generator.device, generator=generator)

    def loss(self, x: FeatureRows, step: Step) -> Loss:
        """Return E_q[−log p(x | z)] + β KL(q(z | x) ‖ N(0, I)) with one sample of z."""
        spec, inputs = self.spec, x.seen_and_known
        noise = torch.randn(len(x), spec.latent, device=x.device, generator=step.generator)
        nll, kl = step.run(self._nll_and_kl, noise, *inputs)
        beta = warm_up(step.update, spec.warm_up * step.total, spec.beta)
        return Loss(nll + beta * kl, {"nll": nll, "kl": kl, "beta": beta})

    def measures(self, x: FeatureRows, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the evidence lower bound of each row, with one sample of z and a β of 1."""
        mean, log_variance = self._posterior(x.seen)
        nll = self._nll(gaussian_sample(mean, log_variance, generator), x.seen, x.known)
        kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=1)
        return {"elbo": -nll - kl}

    def log_likelihood(self, x: FeatureRows, samples: int, generator: torch.Generator) -> Tensor:
        """Return log (1/K) Σ_k p(x | z_k) p(z_k) / q(z_k | x) with z_k from q, ``(n,)``; grows with K to log p(x)."""
        target, mask = x.seen, x.known
        mean, log_variance = self._posterior(target)
        weights = []
        for _ in range(samples):
            z = gaussian_sample(mean, log_variance, generator)
            prior = losses.gaussian_log_density(z, torch.zeros_like(z), torch.zeros_like(z)).sum(dim=1)
            posterior = losses.gaussian_log_density(z, mean, log_variance).sum(dim=1)
            weights.append(prior - posterior - self._nll(z, target, mask))
        return torch.logsumexp(torch.stack(weights), dim=0) - math.log(samples)

    def _nll_and_kl(self, noise: Tensor, target: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, log_variance = self._posterior(target)
        nll = self._nll(gaussian_code(mean, log_variance, noise), target, known).mean()
        return nll, losses.gaussian_kl(mean, log_variance)

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
        return mean, log_variance

    def _nll(self, z: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
        output: Tensor = self.decoder(z)
        if self.spec.likelihood == "bernoulli":
            return cross_entropy(output, x, mask)
        log_variance = output.new_zeros(()) if self.log_variance is None else self.log_variance.clamp_min(FLOOR)
        return gaussian_nll(output, log_variance, x, mask)
