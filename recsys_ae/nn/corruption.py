"""Noise on what a network reads; every function draws from the generator it is given."""

import torch
from torch import Tensor

from recsys_ae.nn.rows import Rows


def drop_entries(x: Rows, rate: float, generator: torch.Generator) -> Rows:
    """Set each entry to 0 with probability ``rate`` and divide the others by 1 − rate (inverted dropout).

    Entries that are 0 stay 0 under dropout, so on sparse rows this is dropout of the whole input. A rate of 1 leaves
    zeros.
    """
    if rate == 0:
        return x
    if rate == 1:
        return x.with_values(torch.zeros_like(x.values))
    drawn = torch.rand(x.values.shape, device=x.device, generator=generator)
    return x.with_values(x.values * (drawn >= rate) / (1 - rate))


def gaussian_sample(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """Draw from N(mean, exp(log_variance)) so that gradients pass (Kingma & Welling 2014, §2.4)."""
    noise = torch.randn(mean.shape, device=mean.device, generator=generator)
    return mean + noise * (0.5 * log_variance).exp()
