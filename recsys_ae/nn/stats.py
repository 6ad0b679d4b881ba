"""Counts of the training data, for hyper-parameters that depend on them."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


class Stats:
    """How often each item and each user occurs in the training data; counted when it is asked for."""

    def __init__(self, matrix: csr_matrix) -> None:
        self._matrix = matrix

    @cached_property
    def items(self) -> NDArray[np.int64]:
        """The number of interactions of each item, ``(n_items,)``."""
        return np.bincount(self._matrix.indices, minlength=self._matrix.shape[1])

    @cached_property
    def users(self) -> NDArray[np.int64]:
        """The number of interactions of each user, ``(n_users,)``."""
        return np.diff(self._matrix.indptr).astype(np.int64)
