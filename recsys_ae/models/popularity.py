"""Popularity: a baseline that ranks items by their number of training users, the same for everybody.

When to use: as the least that every other model must exceed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from recsys_ae.errors import UnsupportedError
from recsys_ae.nn.history import History
from recsys_ae.nn.model import ALL, Model, Shape, Spec, Validate
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run


@dataclass(frozen=True, kw_only=True)
class Popularity(Spec):
    """Hyper-parameters of Popularity: none."""

    def build(self, shape: Shape) -> "PopularityNetwork":
        """Make a network with counts of 0."""
        return PopularityNetwork(shape)


class PopularityNetwork(Model):
    """An autoencoder with an empty code, whose output is one bias per item."""

    counts: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(shape.width))

    def encode(self, x: Rows) -> Tensor:
        """Return empty codes, ``(n, 0)``."""
        return self.counts.new_empty(len(x), 0)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the counts, repeated for each row."""
        return self.counts[items].repeat(len(z), 1)

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Count the training rows that contain each item."""
        self.counts = rows.with_values((rows.values != 0).float()).column_sums()
        return History()

    def item_vectors(self) -> Tensor:
        """Raise `UnsupportedError`, because counts cannot compare items."""
        raise UnsupportedError("popularity cannot compare items; use another model for similar items")
