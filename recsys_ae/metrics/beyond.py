"""Metrics of each user's list beyond accuracy: popularity, novelty, diversity and the tail."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae.metrics.catalog import Catalog

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists of a block of users.

    Attributes
    ----------
    items
        Item positions ``(n, k)``, -1 where a list ends.
    hits
        True for targets ``(n, k)``.
    targets
        ``(n, n_items)``.
    catalog
        The items.
    histories
        ``(n, n_items)``, or None.
    """

    items: NDArray[np.int64]
    hits: NDArray[np.bool_]
    targets: csr_matrix
    catalog: Catalog
    histories: csr_matrix | None

    @classmethod
    def of(
        cls,
        items: NDArray[np.int64],
        hits: NDArray[np.bool_],
        targets: csr_matrix,
        catalog: Catalog,
        histories: csr_matrix | None,
        block: slice,
    ) -> "Lists":
        """Return a block of the lists."""
        return cls(items, hits, targets, catalog, None if histories is None else histories[block])

    def mean(self, numbers: Values, k: int) -> Values:
        """Return the mean over each list of a number of each item, ``(n_items,)``; NaN for empty lists."""
        listed = self.items[:, :k]
        inside = listed >= 0
        sums = np.where(inside, numbers[listed], 0.0).sum(axis=1)
        return np.asarray(sums / inside.sum(axis=1))


def _novelty(lists: Lists, k: int) -> Values:
    """Return the mean self-information of the items (Zhou et al. 2010)."""
    return lists.mean(lists.catalog.information, k)


def _popularity(lists: Lists, k: int) -> Values:
    """Return the mean share of the training users of the items."""
    return lists.mean(lists.catalog.shares, k)


def _popularity_lift(lists: Lists, k: int) -> Values:
    """Return the mean popularity of the list minus that of the history (Abdollahpouri et al. 2019)."""
    if lists.histories is None:
        raise RuntimeError("popularity_lift needs histories")
    histories, shares = lists.histories, lists.catalog.shares
    rows = np.repeat(np.arange(histories.shape[0]), np.diff(histories.indptr))
    sums = np.bincount(rows, shares[histories.indices], minlength=histories.shape[0])
    return np.asarray(_popularity(lists, k) - sums / np.diff(histories.indptr))


def _diversity(lists: Lists, k: int) -> Values:
    """Return 1 minus the mean cosine of all pairs (Smyth and McClave 2001): pairs add up to the square of the sum."""
    listed = lists.items[:, :k]
    inside = listed >= 0
    vectors = lists.catalog.vectors
    sums = np.zeros((len(listed), vectors.shape[1]), np.float32)
    alone = np.zeros(len(listed))
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    for position in range(listed.shape[1]):
        column, present = listed[:, position], inside[:, position]
        sums += np.where(present[:, None], vectors[column], 0.0)
        alone += np.where(present, squares[column], 0.0)
    n = inside.sum(axis=1)
    together = np.einsum("ij,ij->i", sums, sums, dtype=np.float64)
    pairs = n * (n - 1.0)
    return np.where(pairs > 0, 1 - (together - alone) / np.maximum(pairs, 1), np.nan)


def _tail_ndcg(lists: Lists, k: int) -> Values:
    """Return ndcg with the targets in the tail as the only ones; NaN for users without any."""
    tail, targets = lists.catalog.tail, lists.targets
    rows = np.repeat(np.arange(targets.shape[0]), np.diff(targets.indptr))
    counts = np.bincount(rows, tail[targets.indices], minlength=targets.shape[0]).astype(np.int64)
    hits = lists.hits[:, :k] & tail[lists.items[:, :k]]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.append(0.0, np.cumsum(discounts))[np.minimum(counts, k)]
    return np.asarray((hits * discounts[: hits.shape[1]]).sum(axis=1) / ideal)


KINDS: dict[str, Callable[[Lists, int], Values]] = {
    "tail_ndcg": _tail_ndcg,
    "novelty": _novelty,
    "popularity": _popularity,
    "popularity_lift": _popularity_lift,
    "diversity": _diversity,
}
"""Function of each kind: of the lists of some users, and k."""
