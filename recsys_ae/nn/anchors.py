"""L2 penalty on the distance of item embeddings from their initial values."""

import torch
from torch import Tensor


class Anchors:
    """Initial rows of item tables ``(n_items, d)``, and the penalty for leaving them.

    Parameters
    ----------
    positions
        ``(m,)`` int64: the items with a penalty.
    """

    def __init__(self, tables: list[Tensor], positions: Tensor) -> None:
        self.positions = positions
        self.starts = [table.detach().index_select(0, positions) for table in tables]

    def cost(self, tables: list[Tensor]) -> Tensor:
        """Return the sum of the squared distances of these items' rows from their initial values."""
        moved = [
            (table.index_select(0, self.positions) - start).square().sum()
            for table, start in zip(tables, self.starts, strict=True)
        ]
        return torch.stack(moved).sum()
