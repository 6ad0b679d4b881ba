"""Rows of a study with their labels."""

from dataclasses import dataclass

import numpy as np

from recsys_ae.errors import DataError
from recsys_ae.features.data.features import Features

SEED = 0
"""Random seed of the draws of rows, the same for all seeds of the training."""


@dataclass(frozen=True, eq=False)
class Part:
    """Rows and, if there are any, their labels ``(n,)``; a row without a label has the empty text."""

    features: Features
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.features)

    def take(self, positions: np.ndarray) -> "Part":
        """Return the rows at these positions."""
        labels = None if self.labels is None else self.labels[positions]
        return Part(self.features.take(positions), labels)

    def drawn(self, n: int) -> "Part":
        """Return ``n`` rows drawn at random, in their order; all rows if there are no more, or if ``n`` is 0."""
        if not 0 < n < len(self):
            return self
        return self.take(np.sort(np.random.default_rng(SEED).permutation(len(self))[:n]))

    @property
    def told(self) -> np.ndarray:
        """The labels as text, ``(n,)``; a DataError if the rows have none."""
        if self.labels is None:
            raise DataError("there are no labels")
        return self.labels.astype(str)

    def of_labels(self, names: np.ndarray) -> "Part":
        """Return the rows with one of these labels, which are text."""
        return self._where(np.isin(self.told, names))

    def labelled(self) -> "Part":
        """Return the rows with a label."""
        return self._where(self.told != "")

    def _where(self, has: np.ndarray) -> "Part":
        return self if has.all() else self.take(np.flatnonzero(has))
