"""Where the bias of an output starts: near 0, or so that without any code the mean of each column comes out.

A layer that has to make up for the bias is driven into saturation by the first updates, and stays there.
"""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import torch
from torch import Tensor

from recsys_ae.features.nn.contract import TrainableFeatureAutoencoder, TrainableFeatureSpec
from recsys_ae.features.nn.dense import Mirrored
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.spec.hyper import hp

CHUNK = 1024
CLOSEST = 1e-3
"""How near 0 and 1 a mean may come, so that its log-odds stay small enough to be learnt away."""


@dataclass(frozen=True, kw_only=True)
class BiasedSpec(TrainableFeatureSpec):
    """The hyper-parameters of a model whose output's bias may start at the mean."""

    bias: Literal["zero", "mean"] = hp(
        "zero",
        "initial bias of the output: zero, or mean, which gives each column's mean and keeps layers from saturating",
    )


BiasedSpecT = TypeVar("BiasedSpecT", bound=BiasedSpec)


class BiasedAutoencoder(TrainableFeatureAutoencoder[BiasedSpecT], Generic[BiasedSpecT]):
    """A dense network that looks at the means of the columns before the first epoch."""

    layers: Mirrored

    @torch.no_grad()
    def begin(self, rows: FeatureRows) -> None:
        """Start the bias of the output where it is wanted."""
        if self.spec.bias == "mean":
            mean = column_means(rows)
            self.layers.output_bias.copy_(mean.clamp(CLOSEST, 1 - CLOSEST).logit() if self.spec.bounded else mean)


def column_means(rows: FeatureRows) -> Tensor:
    """Return the mean of what is known of each column, as the network sees it, ``(width,)``."""
    total = torch.zeros(rows.width, dtype=torch.float64, device=rows.device)
    count = torch.zeros_like(total)
    for positions in torch.split(torch.arange(len(rows), device=rows.device), CHUNK):
        part = rows.take(positions)
        known = torch.ones_like(part.seen) if part.known is None else part.known
        total += (part.seen * known).sum(dim=0, dtype=torch.float64)
        count += known.sum(dim=0, dtype=torch.float64)
    return (total / count.clamp_min(1)).float()
