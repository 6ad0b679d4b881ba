"""Item kNN: a nearest-neighbour model that scores items by similarity to the history, fitted by the package implicit.

Sarwar, Karypis, Konstan, Riedl, "Item-Based Collaborative Filtering Recommendation Algorithms", WWW 2001; Deshpande,
Karypis, "Item-Based Top-N Recommendation Algorithms", TOIS 2004.

When to use: as the simplest personal baseline; its neighbours explain its recommendations.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.models import _implicit
from recsys_ae.nn.history import History
from recsys_ae.nn.linear.neighbors import Neighbors
from recsys_ae.nn.model import AUTO, PAPER, Auto, Presets, Rules, Shape, Spec, Validate, known
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.threads import usable_threads
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class ItemKNN(Spec):
    """Hyper-parameters of item kNN; the preset ``"paper"`` has the papers' cosine."""

    rules: ClassVar[Rules] = {"b": lambda stats: round(min(0.75, 0.25 + stats.users_per_item / 50), 3)}
    presets: ClassVar[Presets] = {PAPER: {"weighting": "cosine", "neighbors": 100, "k1": 1.2, "b": 0.75}}

    weighting: Literal["cosine", "tfidf", "bm25"] = hp(
        "bm25",
        "weighting of the interactions before items are compared",
        search=("choice", ("cosine", "tfidf", "bm25")),
    )
    neighbors: int = hp(1000, "number of most similar items kept per item", low=1, search=("log", 10, 1000))
    k1: float = hp(
        0.8,
        "saturation k1 of BM25: values far above it add little",
        low=0,
        search=("log", 0.1, 100),
        search_if=("weighting", "bm25"),
    )
    b: float | Auto = hp(
        AUTO,
        "popularity correction b of BM25: 0 is none, 1 is full; auto is 0.25 + (mean number of users of an "
        "item) / 50, at most 0.75",
        low=0,
        high=1,
        search=("linear", 0, 1),
        search_if=("weighting", "bm25"),
    )

    def build(self, shape: Shape) -> "ItemKNNNetwork":
        """Make a network in which no item has a neighbour."""
        return ItemKNNNetwork(self, shape)

    def operations(self, shape: Shape, nnz: int) -> float:
        """Return those of the sparse product of the items; each is scattered in memory and counts tenfold."""
        return 20.0 * nnz * nnz / max(1, shape.n_rows)


class ItemKNNNetwork(Neighbors):
    """Item neighbourhoods by the interactions of the same users."""

    def __init__(self, spec: ItemKNN, shape: Shape) -> None:
        super().__init__(shape.width, spec.neighbors)
        self.spec = spec

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Weight the interactions, compute XᵀX row by row, and keep the largest similarities of each row."""
        with _implicit.needed("implicit", "item_knn"):
            from implicit import nearest_neighbours as implicit  # noqa: PLC0415
        similarities = implicit.all_pairs_knn(
            _weighted(_implicit.matrix(rows), self.spec, implicit),
            self.neighbors.shape[1] + 1,  # one more, since an item is most similar to itself
            show_progress=False,
            num_threads=usable_threads(run.threads),
        )
        self.keep(similarities)
        return History()


def _weighted(matrix: csr_matrix, spec: ItemKNN, implicit: Any) -> csr_matrix:
    """Return the weighted matrix of users × items in double precision."""
    items = matrix.T.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        if spec.weighting == "bm25":
            weighted = implicit.bm25_weight(items, spec.k1, known(spec.b))
        else:
            weighted = implicit.normalize(implicit.tfidf_weight(items) if spec.weighting == "tfidf" else items)
    # 0 / 0: an item whose users all have weight 0, because they have all items but one.
    weighted.data = np.nan_to_num(weighted.data)
    return csr_matrix(weighted.T)
