"""H+Vamp (Gated): a variational autoencoder with two latent codes, gated layers and a learned prior (VampPrior).

Kim, Suh, "Enhancing VAEs for Collaborative Filtering: Flexible Priors & Gating Mechanisms", RecSys 2019. The VampPrior
is Tomczak & Welling, "VAE with a VampPrior", AISTATS 2018.

When to use: to compare with a deep variational model with a learned prior.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_ae.nn import losses
from recsys_ae.nn.corruption import drop_entries, gaussian_code
from recsys_ae.nn.head import LinearHead
from recsys_ae.nn.layers import Gated, columns, linear, start_by_fan_in
from recsys_ae.nn.model import ALL, PAPER, Presets, Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.training.model import TrainableModel, TrainableSpec
from recsys_ae.nn.training.optimizers import Optimizer
from recsys_ae.nn.training.schedules import warm_up
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class HVamp(TrainableSpec):
    """Hyper-parameters of H+Vamp (Gated); the defaults are those of the authors' command for Netflix.

    The authors anneal over the first 100 of 400 epochs, and stop after 50 epochs without a better result.
    """

    presets: ClassVar[Presets] = {PAPER: {}}

    latent: int = hp(200, "size of each of the two codes", low=1, search=("log", 32, 512))
    width: int = hp(600, "width of the hidden layers", low=1, search=("log", 64, 2048))
    pseudo_inputs: int = hp(
        1000, "number of pseudo-inputs, the learned rows that define the prior", low=1, search=("log", 100, 2000)
    )
    likelihood: Literal["bernoulli", "multinomial"] = hp(
        "bernoulli",
        "likelihood of the items of a row: one Bernoulli variable per item, or a multinomial over all",
        search=("choice", ("bernoulli", "multinomial")),
    )
    dropout: float = hp(0.5, "dropout rate of the input interactions", low=0, high=0.99, search=("linear", 0, 0.9))
    beta: float = hp(0.3, "weight of the KL term after annealing", low=0, search=("linear", 0, 1))
    anneal: float = hp(
        0.25, "share of the updates over which beta rises from 0", low=0, high=1, search=("linear", 0, 1)
    )
    epochs: int = hp(400, "number of passes over the training rows (epochs)", low=1)
    batch_size: int = hp(
        200, "number of rows in a batch; each batch is one update of the weights", low=1, search=("log", 64, 4096)
    )
    optimizer: Optimizer = hp(
        "adam_norm_grad", "optimizer of the weights; adam_norm_grad is Adam with gradients of norm 1"
    )
    lr: float = hp(5e-4, "learning rate of the optimizer", low=0, search=("log", 1e-4, 1e-2))

    def build(self, shape: Shape) -> "HVampNetwork":
        """Make the untrained network."""
        return HVampNetwork(self, shape)


class HVampNetwork(LinearHead, TrainableModel[HVamp]):
    """Encoder q(z₂ | x) q(z₁ | x, z₂) and model p(z₂) p(z₁ | z₂) p(x | z₁, z₂), on inputs of length 1."""

    def __init__(self, spec: HVamp, shape: Shape) -> None:
        super().__init__(spec)
        items, width, latent = shape.width, spec.width, spec.latent
        self.z2_of_x = nn.Sequential(Gated(items, width, sparse=True), Gated(width, width), Gaussian(width, latent))
        self.z1_of_x, self.z1_of_z2 = Gated(items, width, sparse=True), Gated(latent, width)
        self.z1_of_both = nn.Sequential(Gated(2 * width, width), Gaussian(width, latent))
        self.z1_prior = nn.Sequential(Gated(latent, width), Gated(width, width), Gaussian(width, latent))
        self.x_of_z1, self.x_of_z2, self.x_of_both = Gated(latent, width), Gated(latent, width), Gated(2 * width, width)
        self.output = linear(width, items)
        start_by_fan_in(self, normal=True)
        self.pseudo_inputs = nn.Parameter(torch.empty(spec.pseudo_inputs, items))
        nn.init.normal_(self.pseudo_inputs, mean=0.05, std=0.01)

    def encode(self, x: Rows) -> Tensor:
        """Return the means of z₁ (given that of z₂) and of z₂, ``(n, 2 · latent)``, without noise or dropout."""
        clean = x.normalised()
        z2, _ = self.z2_of_x(clean)
        z1, _ = self._z1(self.z1_of_x(clean), z2)
        return torch.cat([z1, z2], dim=1)

    def head(self) -> tuple[Tensor, Tensor]:
        """Return the weights and biases of the logits of p(x | z₁, z₂)."""
        return self.output.weight, self.output.bias

    def loss(self, x: Rows, step: Step) -> Loss:
        """Return E_q[−log p(x | z₁, z₂)] + β E_q[log q(z₁, z₂ | x) − log p(z₁, z₂)] with one sample per code."""
        clean, rate, draws = x.normalised(), self.spec.dropout, step.generator
        size = len(x), self.spec.latent
        read2 = self.z2_of_x[0](drop_entries(clean, rate, draws))
        noise2 = torch.randn(size, device=x.device, generator=draws)
        read1 = self.z1_of_x(drop_entries(clean, rate, draws))
        noise1 = torch.randn(size, device=x.device, generator=draws)
        hidden, kl, kl2 = step.run(self._hidden_and_kl, read2, noise2, read1, noise1, self._read_pseudo_inputs(draws))
        likelihood = losses.bernoulli if self.spec.likelihood == "bernoulli" else losses.multinomial
        nll = likelihood(columns(*self.head(), hidden, ALL), x)
        beta = warm_up(step.update, self.spec.anneal * step.total, self.spec.beta)
        return Loss(nll + beta * kl, {"nll": nll, "kl": kl, "kl2": kl2, "beta": beta})

    def _hidden_and_kl(
        self, read2: Tensor, noise2: Tensor, read1: Tensor, noise1: Tensor, of_pseudo_inputs: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the last hidden layer, the KL term and its part of z₂, from the first layers of both encoders."""
        mean2, log_variance2 = self._z2(read2)
        z2 = gaussian_code(mean2, log_variance2, noise2)
        mean1, log_variance1 = self._z1(read1, z2)
        z1 = gaussian_code(mean1, log_variance1, noise1)
        hidden = self.hidden(torch.cat([z1, z2], dim=1))
        density = losses.gaussian_log_density
        kl1 = (density(z1, mean1, log_variance1) - density(z1, *self.z1_prior(z2))).sum(dim=1)
        mixture = losses.mixture_log_density(z2, *self._z2(of_pseudo_inputs))
        kl2 = density(z2, mean2, log_variance2).sum(dim=1) - mixture
        return hidden, (kl1 + kl2).mean(), kl2.mean()

    def item_tables(self) -> list[Tensor]:
        """Return the weights of both first layers, without their gates, and of the output layer."""
        return [self.z2_of_x.get_parameter("0.value.weight"), self.z1_of_x.value.weight, self.output.weight]

    def hidden(self, z: Tensor) -> Tensor:
        """Return the last hidden layer of the decoder, computed from both codes."""
        z1, z2 = z.chunk(2, dim=1)
        hidden: Tensor = self.x_of_both(torch.cat([self.x_of_z1(z1), self.x_of_z2(z2)], dim=1))
        return hidden

    def _z2(self, read: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and log-variance of q(z₂ | x) from the first layer."""
        mean, log_variance = self.z2_of_x[2](self.z2_of_x[1](read))
        return mean, log_variance

    def _z1(self, read: Tensor, z2: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and log-variance of q(z₁ | x, z₂) from the first layer."""
        hidden = torch.cat([read, self.z1_of_z2(z2)], dim=1)
        mean, log_variance = self.z1_of_both(hidden)
        return mean, log_variance

    def _read_pseudo_inputs(self, generator: torch.Generator) -> Tensor:
        """Return the first layer for the pseudo-inputs u_k, which get dropout, but no normalisation."""
        rate, inputs = self.spec.dropout, self.pseudo_inputs.clamp(0, 1)
        if rate > 0:
            drawn = torch.rand(inputs.shape, device=inputs.device, generator=generator)
            inputs = inputs * (drawn >= rate) / (1 - rate)
        read: Tensor = self.z2_of_x[0](inputs)
        return read


class Gaussian(nn.Module):
    """The mean and the log-variance of a normal distribution, the latter between −12 and 4."""

    def __init__(self, inputs: int, latent: int) -> None:
        super().__init__()
        self.mean, self.log_variance = linear(inputs, latent), linear(inputs, latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(n, inputs)`` to two tensors ``(n, latent)``."""
        return self.mean(x), functional.hardtanh(self.log_variance(x), -12, 4)
