"""Item kNN: an item's score is the sum of its similarities to the history, with the package implicit.

Sarwar, Karypis, Konstan, Riedl, "Item-Based Collaborative Filtering Recommendation Algorithms", WWW 2001; Deshpande,
Karypis, "Item-Based Top-N Recommendation Algorithms", TOIS 2004.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy.sparse import coo_matrix, csr_matrix
from torch import Tensor

from recsys_ae.errors import UnsupportedError
from recsys_ae.hyper import hp
from recsys_ae.nn import foreign
from recsys_ae.nn.autoencoder import ALL, Autoencoder, Shape, Spec, Validate
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, free_memory

CELLS = 2**22
"""Similarities added to scores at a time: 48 MiB with their places."""


@dataclass(frozen=True, kw_only=True)
class ItemKNN(Spec):
    """Hyper-parameters of item kNN."""

    weighting: Literal["cosine", "tfidf", "bm25"] = hp("cosine", "how a user's interaction counts before items meet")
    neighbors: int = hp(100, "how many most similar items are kept of each item", low=1, search=("log", 10, 1000))
    k1: float = hp(1.2, "bm25: from which value on more of it counts little", low=0, search=("log", 0.1, 100))
    b: float = hp(0.75, "bm25: how much an item's popularity counts against it", low=0, high=1,
                  search=("linear", 0, 1))  # fmt: skip

    def build(self, shape: Shape) -> "ItemKNNNetwork":
        """Make a model in which no item has a neighbour."""
        return ItemKNNNetwork(self, shape)


class ItemKNNNetwork(Autoencoder):
    """score = x · S with the item-item similarities S, of which each row keeps the largest.

    No item is its own neighbour: what somebody has seen is scored by the rest of the history, as in EASE.
    """

    neighbors: Tensor
    similarities: Tensor

    def __init__(self, spec: ItemKNN, shape: Shape) -> None:
        super().__init__()
        self.spec = spec
        size = shape.width, min(spec.neighbors, shape.width - 1)
        self.register_buffer("neighbors", torch.zeros(size, dtype=torch.int32))
        self.register_buffer("similarities", torch.zeros(size))

    def encode(self, x: Rows) -> Tensor:
        """Return x · S, at the cost of history × neighbours."""
        scores = self.similarities.new_zeros(len(x) * x.width)
        starts = x.row_of_entry * x.width
        size = max(1, CELLS // max(1, self.neighbors.shape[1]))
        for start in range(0, len(x.values), size):
            part = slice(start, start + size)
            items = x.indices[part]
            places = starts[part, None] + self.neighbors[items]
            scores.scatter_add_(0, places.view(-1), (x.values[part, None] * self.similarities[items]).view(-1))
        return scores.view(len(x), x.width)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the columns asked for."""
        return z[:, items]

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> list[dict[str, float]]:
        """Weigh the interactions, multiply XᵀX row by row, and keep of each row what is largest."""
        with foreign.needed("implicit", "item_knn"):
            from implicit import nearest_neighbours as implicit  # noqa: PLC0415
        found = implicit.all_pairs_knn(
            _weighted(foreign.matrix(rows), self.spec, implicit),
            self.neighbors.shape[1] + 1,  # one more, since an item is most similar to itself
            show_progress=False,
            num_threads=run.threads or torch.get_num_threads(),
        )
        neighbors, similarities = _table(found, self.neighbors.shape[1])
        self.neighbors = torch.from_numpy(neighbors).to(rows.device)
        self.similarities = torch.from_numpy(similarities).to(rows.device)
        return []

    def item_vectors(self) -> Tensor:
        """Return the rows of S, dense, each item being as similar to itself as to its nearest neighbour."""
        n = len(self.neighbors)
        free = free_memory(self.neighbors.device)
        if free is not None and 4 * n * n > free // 2:
            raise UnsupportedError(
                f"item_knn compares items by all their similarities, which takes {4 * n * n / 2**30:,.1f} GiB for "
                f"{n:,} items, and {free / 2**30:,.1f} GiB are free; use another model for similar items"
            )
        vectors = torch.zeros(n, n, device=self.neighbors.device)
        vectors.scatter_add_(1, self.neighbors.long(), self.similarities)
        vectors.diagonal().copy_(vectors.amax(dim=1))
        return vectors


def _weighted(matrix: csr_matrix, spec: ItemKNN, implicit: Any) -> csr_matrix:
    """Return the weighted users × items in double precision."""
    items = matrix.T.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        if spec.weighting == "bm25":
            weighted = implicit.bm25_weight(items, spec.k1, spec.b)
        else:
            weighted = implicit.normalize(implicit.tfidf_weight(items) if spec.weighting == "tfidf" else items)
    # 0 / 0: an item that only users have who count nothing, since they have all items but one.
    weighted.data = np.nan_to_num(weighted.data)
    return csr_matrix(weighted.T)


def _table(found: coo_matrix, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each item its most similar others and how similar they are, ``(n_items, size)``; zeros fill up."""
    others = (found.row != found.col) & (found.data > 0)
    row, column, value = found.row[others], found.col[others], found.data[others]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    kept = rank < size
    neighbors = np.zeros((found.shape[0], size), np.int32)
    similarities = np.zeros((found.shape[0], size), np.float32)
    neighbors[row[kept], rank[kept]] = column[kept]
    similarities[row[kept], rank[kept]] = value[kept]
    return neighbors, similarities
