"""Initial bias of the output: near 0, or such that the output without a code is the mean of each column.

If the bias starts near 0, the first updates can drive a layer that compensates for it into saturation, where it stays.
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
"""Smallest distance of a mean from 0 and 1, so that its log-odds stay small enough to be changed by training."""


@dataclass(frozen=True, kw_only=True)
class BiasedSpec(TrainableFeatureSpec):
    """Hyper-parameters of a model whose output bias may start at the mean."""

    bias: Literal["zero", "mean"] = hp(
        "zero",
        "initial bias of the output: zero, or mean, which gives each column's mean and keeps layers from saturating",
    )


BiasedSpecT = TypeVar("BiasedSpecT", bound=BiasedSpec)


class BiasedAutoencoder(TrainableFeatureAutoencoder[BiasedSpecT], Generic[BiasedSpecT]):
    """A dense network whose output bias may start at the means of the columns."""

    layers: Mirrored

    @torch.no_grad()
    def begin(self, rows: FeatureRows) -> None:
        """Set the output bias before the first epoch, as the hyper-parameter ``bias`` says."""
        if self.spec.bias == "mean":
            mean = column_means(rows)
            self.layers.output_bias.copy_(mean.clamp(CLOSEST, 1 - CLOSEST).logit() if self.spec.bounded else mean)


def column_means(rows: FeatureRows) -> Tensor:
    """Return the mean of the scaled values of each column, without missing ones, ``(width,)``."""
    total = torch.zeros(rows.width, dtype=torch.float64, device=rows.device)
    count = torch.zeros_like(total)
    for positions in torch.split(torch.arange(len(rows), device=rows.device), CHUNK):
        chunk = rows.take(positions)
        mask = torch.ones_like(chunk.seen) if chunk.known is None else chunk.known
        total += (chunk.seen * mask).sum(dim=0, dtype=torch.float64)
        count += mask.sum(dim=0, dtype=torch.float64)
    return (total / count.clamp_min(1)).float()
