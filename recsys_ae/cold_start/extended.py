"""Network that also scores cold items."""

import dataclasses

import torch
from torch import Tensor

from recsys_ae.nn.history import History
from recsys_ae.nn.model import ALL, Model, Validate
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run


class Extended(Model):
    """Network over the items of another network, followed by cold items with given weights.

    Rows have columns for both. The columns of cold items are empty.

    Parameters
    ----------
    weights
        ``(m, p)``: weights of the cold items, in the form of the network's ``item_weights``.
    """

    def __init__(self, network: Model, n_items: int, weights: Tensor) -> None:
        super().__init__()
        self.network, self.n_items, self.weights = network, n_items, weights

    def encode(self, x: Rows) -> Tensor:
        """Return the network's codes, followed by the scores of the cold items."""
        trained_columns = dataclasses.replace(x, width=self.n_items)
        codes = self.network.encode(trained_columns)
        new = self.network.score_new(trained_columns, codes, self.weights)
        return torch.cat([codes, new.to(codes.dtype)], dim=1)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the scores of a slice of items, which may contain both kinds."""
        codes, new = z.tensor_split([z.shape[1] - len(self.weights)], dim=1)
        start, stop, _ = items.indices(self.n_items + len(self.weights))
        blocks = []
        if start < self.n_items:
            blocks.append(self.network.decode(codes, slice(start, min(stop, self.n_items))))
        if stop > self.n_items:
            blocks.append(new[:, max(0, start - self.n_items) : stop - self.n_items])
        return torch.cat(blocks, dim=1)

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Raise `TypeError`: only the inner network can be trained."""
        raise TypeError("a network extended by cold items cannot be trained")

    def item_vectors(self) -> Tensor:
        """Return the item vectors of the network, without cold items."""
        return self.network.item_vectors()
