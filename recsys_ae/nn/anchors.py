"""L2 penalty that holds item embeddings near where they began."""

import torch
from torch import Tensor


class Anchors:
    """Where tables ``(n_items, d)`` began, and what it costs to leave it.

    Parameters
    ----------
    positions
        ``(m,)`` int64: the items that are held.
    """

    def __init__(self, tables: list[Tensor], positions: Tensor) -> None:
        self.positions = positions
        self.starts = [table.detach().index_select(0, positions) for table in tables]

    def cost(self, tables: list[Tensor]) -> Tensor:
        """Return the sum of the squared distances of all rows of the tables from their starts."""
        moved = [
            (table.index_select(0, self.positions) - start).square().sum()
            for table, start in zip(tables, self.starts, strict=True)
        ]
        return torch.stack(moved).sum()
