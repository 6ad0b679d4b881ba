"""Content kNN: a nearest-neighbour model that scores items by their feature similarity to the history.

The baseline ItemKNN-CBF of Ferrari Dacrema, Boglio, Cremonesi, Jannach, "A Troubling Analysis of Reproducibility and
Progress in Recommender Systems Research", TOIS 2021. It is better there than the published hybrid models. As in their
code, an item's score is a sum over its own nearest neighbours, not over those of the items of the history.

When to use: as the baseline that uses item features only.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.sparse import coo_matrix
from torch import Tensor

from recsys_ae.nn.history import History
from recsys_ae.nn.linear.neighbors import Neighbors
from recsys_ae.nn.model import Shape, Spec, Validate
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import hp

CHUNK = 512
"""Number of items that are compared with all others at a time."""

CELLS = 2**17
"""Similarities added to scores at a time; 2^22 of them, which do not fit into the caches, take twice as long."""


@dataclass(frozen=True, kw_only=True)
class ContentKNN(Spec):
    """Hyper-parameters of content kNN."""

    neighbors: int = hp(100, "number of most similar items kept per item", low=1, search=("log", 5, 1000))
    shrink: float = hp(
        0.0,
        "shrinkage added to the product of two items' feature norms, which makes items with small norms less similar",
        low=0,
        search=("linear", 0, 10),
    )

    def build(self, shape: Shape) -> "ContentKNNNetwork":
        """Make a network in which no item has a neighbour."""
        return ContentKNNNetwork(self, shape)


class ContentKNNNetwork(Neighbors):
    """Scores Σ_i x_i S_ij over the items i that are most similar to j, whether j is known or cold.

    The similarities S_ij = f_i · f_j / (‖f_i‖ ‖f_j‖ + shrink) of scaled features f are cut at 0. They are symmetric, so
    the stored row of an item holds the neighbours by which that item is scored.
    """

    learns_from_features: ClassVar[bool] = True
    features: Tensor

    def __init__(self, spec: ContentKNN, shape: Shape) -> None:
        super().__init__(shape.width, spec.neighbors)
        self.spec = spec
        self.register_buffer("features", torch.zeros(shape.width, shape.features))

    def start_from(self, features: Tensor, positions: Tensor) -> None:
        """Store the features, ``(n_items, width)``; items without features have zeros, and no similar items."""
        self.features = torch.zeros_like(self.features).index_copy_(0, positions, features)

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Compare each item with all others by features; interactions do not count."""
        triples = []
        for items in torch.split(torch.arange(len(self.features), device=rows.device), CHUNK):
            values, neighbors = self._nearest(self.features[items], self.neighbors.shape[1] + 1)
            triples.append((items.repeat_interleave(neighbors.shape[1]), neighbors.flatten(), values.flatten()))
        row, column, value = (torch.cat(columns).cpu().numpy() for columns in zip(*triples, strict=True))
        n = len(self.features)
        self.keep(coo_matrix((value.astype(np.float64), (row, column)), shape=(n, n)))
        return History()

    def encode(self, x: Rows) -> Tensor:
        """Return the scores, at the cost of the pairs of an entry and an item that has it as a neighbour."""
        width = x.width
        by_seen = self._by_seen()
        starts = x.row_of_entry * width
        ends = by_seen.lengths[x.indices].cumsum(0, dtype=torch.int64)
        cuts = torch.searchsorted(ends, CELLS * torch.arange(1, 1 + int(ends[-1:].sum()) // CELLS, device=x.device))
        scores = self.similarities.new_zeros(len(x) * width)
        for entries in torch.tensor_split(torch.arange(len(x.values), device=x.device), cuts.tolist()):
            scored = by_seen.take(x.indices[entries])
            entry = entries[scored.row_of_entry]
            scores.index_add_(0, starts[entry] + scored.indices, x.values[entry] * scored.values)
        return scores.view(len(x), width)

    def weights_of(self, features: Tensor) -> Tensor:
        """Return similarities of cold items to each item, ``(m, n_items)``; only the nearest are not 0."""
        values, neighbors = self._nearest(features, self.neighbors.shape[1])
        weights = values.new_zeros(len(values), len(self.features))
        return weights.scatter_(1, neighbors, values.clamp_min(0))

    def item_weights(self) -> Tensor:
        """Return the columns of S, as rows: an item's similarities to its neighbours."""
        n = len(self.neighbors)
        weights = self.similarities.new_zeros(n, n)
        return weights.scatter_add_(1, self.neighbors.long(), self.similarities)

    def score_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        """Return x · Wᵀ, where the rows of W are further columns of S."""
        return x.product(weights.T.contiguous())

    def _by_seen(self) -> Rows:
        """Return S as rows: for each item, the items that have it as a neighbour, and the similarities."""
        n, size = self.neighbors.shape
        positions = torch.arange(n, device=self.neighbors.device)
        indptr = size * torch.arange(n + 1, dtype=torch.int32, device=self.neighbors.device)
        of_targets = Rows(indptr, self.neighbors.view(-1), self.similarities.view(-1), n, positions)
        return of_targets.without_zeros().transposed()

    def _nearest(self, features: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Return the largest similarities to training items, and the positions of these items, ``(n, k)`` each."""
        norms = features.norm(dim=1, keepdim=True) * self.features.norm(dim=1)
        similarities = (features @ self.features.T) / (norms + self.spec.shrink).clamp_min(1e-12)
        values, neighbors = similarities.topk(min(k, similarities.shape[1]), dim=1)
        return values, neighbors
