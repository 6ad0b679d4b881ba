"""A network that scores further items beside those that it was trained on."""

import dataclasses

import torch
from torch import Tensor

from recsys_ae.nn.history import History
from recsys_ae.nn.model import ALL, Model, Validate
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run


class Extended(Model):
    """The items of a network, and behind them others of which only the weights are known.

    Rows have columns for both; those of the others are empty, since nobody has touched them.

    Parameters
    ----------
    weights
        ``(m, p)``, as ``item_weights`` of the network has them for its own items.
    """

    def __init__(self, network: Model, n_items: int, weights: Tensor) -> None:
        super().__init__()
        self.network, self.n_items, self.weights = network, n_items, weights

    def encode(self, x: Rows) -> Tensor:
        """Return the network's code, and the scores of the items that it does not know."""
        own = dataclasses.replace(x, width=self.n_items)
        codes = self.network.encode(own)
        new = self.network.score_new(own, codes, self.weights)
        return torch.cat([codes, new.to(codes.dtype)], dim=1)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the scores of a block of items, which may reach from the one kind into the other."""
        codes, new = z.tensor_split([z.shape[1] - len(self.weights)], dim=1)
        start, stop, _ = items.indices(self.n_items + len(self.weights))
        parts = []
        if start < self.n_items:
            parts.append(self.network.decode(codes, slice(start, min(stop, self.n_items))))
        if stop > self.n_items:
            parts.append(new[:, max(0, start - self.n_items) : stop - self.n_items])
        return torch.cat(parts, dim=1)

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Refuse: what is learnt is learnt by the network itself."""
        raise TypeError("a network extended by cold items cannot be trained")

    def item_vectors(self) -> Tensor:
        """Return those of the network."""
        return self.network.item_vectors()
