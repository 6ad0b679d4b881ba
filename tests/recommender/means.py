"""Test model of ratings with parameters of each training user, whose predictions can be computed by hand."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from recsys_ae.nn.history import History
from recsys_ae.nn.model import ALL, Model, Shape, Spec, Validate
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class Means(Spec):
    """Predicts the mean rating of the item plus the offset of a training user from the global mean."""

    feedback: ClassVar[Literal["implicit", "explicit"]] = "explicit"
    shift: float = hp(0.0, "added to every rating")

    def build(self, shape: Shape) -> "MeansNetwork":
        return MeansNetwork(self, shape)


class MeansNetwork(Model):
    """Network of `Means`; unknown users have the offset 0, whatever their history."""

    knows_users = True
    users: Tensor
    items: Tensor

    def __init__(self, spec: Means, shape: Shape) -> None:
        super().__init__()
        self.shift = spec.shift
        self.register_buffer("users", torch.zeros(shape.n_rows))
        self.register_buffer("items", torch.zeros(shape.width))

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        mean = rows.values.mean()
        counts = torch.bincount(rows.indices, minlength=rows.width).clamp_min(1)
        self.items = torch.bincount(rows.indices, rows.values, minlength=rows.width).float() / counts
        sums = torch.bincount(rows.row_of_entry, rows.values - mean, minlength=len(rows)).float()
        self.users = sums / rows.lengths.clamp_min(1)
        return History()

    def encode(self, x: Rows) -> Tensor:
        offsets = torch.where(x.positions >= 0, self.users[x.positions.clamp_min(0)], 0.0)
        return offsets.unsqueeze(1)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        return z + self.items[items] + self.shift

    def rate(self, z: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        return z[rows, 0] + self.items[items] + self.shift

    def item_vectors(self) -> Tensor:
        return self.items.unsqueeze(1)
