"""Item features of a fit, scaled and on the device."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from recsys_ae.data.interactions import Ids
from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling

CHUNK = 1024
"""Rows converted to dense at a time."""


@dataclass(frozen=True, eq=False)
class ItemFeatures:
    """Scaled features of the training items that have features.

    Attributes
    ----------
    rows
        ``(m, width)``: the features; ``rows.scaling`` also scales the features of cold items.
    positions
        ``(m,)`` int64, ascending: positions of their items in the training.
    """

    rows: FeatureRows
    positions: Tensor

    @classmethod
    def of(cls, features: Features, items: Ids, device: torch.device) -> Self:
        """Return the features of the training items, with a scaling of the columns learnt from them.

        Raises
        ------
        DataError
            If no item has features.
        """
        of_items = features.of(items)
        scaling = Scaling.of(of_items, "auto", bounded=False).to(device)
        positions = torch.from_numpy(items.get_indexer(of_items.ids)).to(device)
        return cls(FeatureRows.of(of_items, scaling, device), positions)

    def dense(self) -> Tensor:
        """Return the scaled features, ``(m, width)``."""
        return dense(self.rows)


def dense(rows: FeatureRows) -> Tensor:
    """Return scaled features, ``(n, width)``, converted to dense in blocks of rows."""
    result = torch.empty(len(rows), rows.width, device=rows.device)
    for chunk in torch.split(torch.arange(len(rows), device=rows.device), CHUNK):
        result[chunk] = rows.take(chunk).seen
    return result
