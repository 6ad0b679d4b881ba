"""Nearest-neighbour scoring: each item keeps its most similar items."""

import numpy as np
import torch
from scipy.sparse import coo_matrix
from torch import Tensor

from recsys_ae.errors import UnsupportedError
from recsys_ae.nn.model import ALL, Model
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import free_memory

CELLS = 2**22
"""Similarities added to scores at a time: 48 MiB with their positions."""


class Neighbors(Model):
    """Item-neighbourhood model: score = x · S with item-item similarities S, only the largest of each row.

    No item is its own neighbour: an item of the history is scored by the other items of the history, as in EASE.
    """

    neighbors: Tensor
    similarities: Tensor

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        shape = width, min(size, width - 1)
        self.register_buffer("neighbors", torch.zeros(shape, dtype=torch.int32))
        self.register_buffer("similarities", torch.zeros(shape))

    def encode(self, x: Rows) -> Tensor:
        """Return x · S, at the cost of entries × neighbours."""
        scores = self.similarities.new_zeros(len(x) * x.width)
        starts = x.row_of_entry * x.width
        size = max(1, CELLS // max(1, self.neighbors.shape[1]))
        for start in range(0, len(x.values), size):
            entries = slice(start, start + size)
            items = x.indices[entries]
            positions = starts[entries, None] + self.neighbors[items]
            scores.scatter_add_(0, positions.view(-1), (x.values[entries, None] * self.similarities[items]).view(-1))
        return scores.view(len(x), x.width)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the scores of the slice of items."""
        return z[:, items]

    def check_loaded(self) -> None:
        """Raise a `ValueError` if a neighbour is no item."""
        if ((self.neighbors < 0) | (self.neighbors >= len(self.neighbors))).any():
            raise ValueError("a neighbour is not one of the items")

    def keep(self, pairs: coo_matrix) -> None:
        """Keep the largest similarities of each item, out of those of all pairs of items, ``(n_items, n_items)``."""
        device = self.neighbors.device
        self.neighbors, self.similarities = (
            torch.from_numpy(table).to(device) for table in _table(pairs, self.neighbors.shape[1])
        )

    def item_vectors(self) -> Tensor:
        """Return S, dense; the similarity of an item to itself is set to that of its nearest neighbour."""
        n = len(self.neighbors)
        free = free_memory(self.neighbors.device)
        if free is not None and 4 * n * n > free // 2:
            raise UnsupportedError(
                f"finding similar items needs {4 * n * n / 2**30:,.1f} GiB for the similarities of {n:,} items, "
                f"and {free / 2**30:,.1f} GiB are free; use another model for similar items"
            )
        vectors = torch.zeros(n, n, device=self.neighbors.device)
        vectors.scatter_add_(1, self.neighbors.long(), self.similarities)
        vectors.diagonal().copy_(vectors.amax(dim=1))
        return vectors


def _table(pairs: coo_matrix, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the most similar items of each item and their similarities, ``(n_items, size)``, padded with zeros."""
    positive = (pairs.row != pairs.col) & (pairs.data > 0)
    row, column, value = pairs.row[positive], pairs.col[positive], pairs.data[positive]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    nearest = rank < size
    neighbors = np.zeros((pairs.shape[0], size), np.int32)
    similarities = np.zeros((pairs.shape[0], size), np.float32)
    neighbors[row[nearest], rank[nearest]] = column[nearest]
    similarities[row[nearest], rank[nearest]] = value[nearest]
    return neighbors, similarities
