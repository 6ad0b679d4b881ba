"""The items in the training data: how popular they are, and how alike."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae.errors import Argument, DataError

HEAD = 0.8
"""Share of all interactions that the most popular items have; the others are the tail."""
SIZE = 128
"""Length of the vectors of the items, if none are given."""
BLOCK = 8192
"""Users whose interactions are projected at a time."""


class Catalog:
    """The items in the training data, for metrics beyond accuracy.

    Parameters
    ----------
    matrix
        Training interactions ``(n_users, n_items)``, such as ``split.train.matrix``. Every stored entry counts once.
    vectors
        Vectors of the items ``(n_items, size)``, for the diversity of lists. By default items are alike that have users
        in common: the vectors are random projections of the columns of ``matrix``, whose cosines are those of the
        columns, with an error of about 0.06 for a pair, which a mean over lists makes small.
    """

    def __init__(self, matrix: csr_matrix, vectors: NDArray[np.float32] | None = None) -> None:
        self._matrix, self._given = matrix, vectors
        if vectors is not None and (vectors.ndim != 2 or len(vectors) != matrix.shape[1]):
            expected = f" have the shape {vectors.shape}; expected a row for each of the {matrix.shape[1]:,} items"
            raise DataError(Argument("vectors"), expected)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Number of training users of each item, ``(n_items,)``."""
        return np.bincount(self._matrix.indices, minlength=self._matrix.shape[1])

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Share of the training users of each item, ``(n_items,)``."""
        shares: NDArray[np.float64] = self.counts / max(1, self._matrix.shape[0])
        return shares

    @cached_property
    def information(self) -> NDArray[np.float64]:
        """Self-information of each item in bits, ``(n_items,)``; an item without users has that of one with one."""
        least = 1 / max(1, self._matrix.shape[0])
        information: NDArray[np.float64] = -np.log2(np.maximum(self.shares, least))
        return information

    @cached_property
    def tail(self) -> NDArray[np.bool_]:
        """True for items of the tail, ``(n_items,)``: those after the most popular ones, which have `HEAD`."""
        order = np.argsort(-self.counts, kind="stable")
        before = np.cumsum(self.counts[order]) - self.counts[order]
        tail = np.empty(len(order), bool)
        tail[order] = before >= HEAD * self.counts.sum()
        return tail

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """Vectors of the items of length 1, or 0 for items without any, ``(n_items, size)``."""
        vectors = self._projected() if self._given is None else np.asarray(self._given, np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)

    def _projected(self) -> NDArray[np.float32]:
        entries = np.ones(self._matrix.nnz, np.float32), self._matrix.indices, self._matrix.indptr
        ones = csr_matrix(entries, shape=self._matrix.shape)
        n_users, n_items = ones.shape
        if n_users <= SIZE:
            return np.asarray(ones.T.toarray(), np.float32)
        generator = np.random.default_rng(0)
        vectors = np.zeros((n_items, SIZE), np.float32)
        for start in range(0, n_users, BLOCK):
            block = ones[start : start + BLOCK]
            vectors += block.T @ generator.standard_normal((block.shape[0], SIZE), np.float32)
        return vectors
