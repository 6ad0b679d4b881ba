"""What is known of the items beside who touched them."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from recsys_ae.data.interactions import Ids
from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling

CHUNK = 1024
"""Rows that are made dense at a time."""


@dataclass(frozen=True, eq=False)
class ItemFeatures:
    """Scaled features of those items of a training that have some.

    Attributes
    ----------
    rows
        ``(m, width)``: the features; ``rows.scaling`` is how new items are scaled, too.
    positions
        ``(m,)`` int64, ascending: which items of the training they belong to.
    """

    rows: FeatureRows
    positions: Tensor

    @classmethod
    def of(cls, features: Features, items: Ids, device: torch.device) -> Self:
        """Take the rows of the items of a training, and learn from them how columns are scaled.

        Raises
        ------
        DataError
            Where no item has a row.
        """
        known = features.of(items)
        scaling = Scaling.of(known, "auto", bounded=False).to(device)
        positions = torch.from_numpy(items.get_indexer(known.ids)).to(device)
        return cls(FeatureRows.of(known, scaling, device), positions)

    def dense(self) -> Tensor:
        """``(m, width)``: the scaled features."""
        return dense(self.rows)


def dense(rows: FeatureRows) -> Tensor:
    """``(n, width)``: scaled features, made dense a few rows at a time."""
    result = torch.empty(len(rows), rows.width, device=rows.device)
    for part in torch.split(torch.arange(len(rows), device=rows.device), CHUNK):
        result[part] = rows.take(part).seen
    return result
