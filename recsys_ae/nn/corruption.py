"""Corruption of inputs and sampling of codes, with an explicit random generator."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from recsys_ae.nn.rows import Rows

Corruption: TypeAlias = Literal["gaussian", "masking", "salt-and-pepper"]


def drop_entries(x: Rows, rate: float, generator: torch.Generator) -> Rows:
    """Set each entry to 0 with probability ``rate`` and divide the others by 1 − rate (inverted dropout).

    Dropout leaves zeros as they are, so on sparse rows this is dropout of the whole input. A rate of 1 sets all entries
    to 0.
    """
    if rate == 0:
        return x
    if rate == 1:
        return x.with_values(torch.zeros_like(x.values))
    drawn = torch.rand(x.values.shape, device=x.device, generator=generator)
    return x.with_values(x.values * (drawn >= rate) / (1 - rate))


def gaussian_sample(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """Draw from N(mean, exp(log_variance)) with gradients to both (reparameterisation, Kingma & Welling 2014, §2.4)."""
    return gaussian_code(mean, log_variance, torch.randn(mean.shape, device=mean.device, generator=generator))


def gaussian_code(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Return the draw from N(mean, exp(log_variance)) that belongs to noise from N(0, I)."""
    return mean + noise * (0.5 * log_variance).exp()


def corrupt(x: Tensor, kind: str, level: float, generator: torch.Generator) -> Tensor:
    """Corrupt dense rows with the noise of a denoising autoencoder (Vincent et al. 2010, §3.3).

    ``gaussian`` adds N(0, level²); ``masking`` sets a share ``level`` of the values to 0; ``salt-and-pepper`` sets such
    a share to the lowest or the highest value of the batch, with equal probability.
    """
    if kind == "gaussian":
        return x + level * torch.randn(x.shape, device=x.device, generator=generator)
    hit = torch.rand(x.shape, device=x.device, generator=generator) < level
    if kind == "masking":
        return x.masked_fill(hit, 0.0)
    salt = torch.rand(x.shape, device=x.device, generator=generator) < 0.5
    return torch.where(hit, torch.where(salt, x.max(), x.min()), x)
