"""Some of the rows of a study, with their labels."""

from dataclasses import dataclass

import numpy as np

from recsys_ae.errors import DataError
from recsys_ae.features.data.features import Features

SEED = 0
"""What rows are drawn with; the same for all seeds of the training."""


@dataclass(frozen=True, eq=False)
class Part:
    """Rows and, where there are any, their labels: ``(n,)``, the empty text where a row has none."""

    features: Features
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.features)

    def take(self, positions: np.ndarray) -> "Part":
        """Return the rows at these positions."""
        labels = None if self.labels is None else self.labels[positions]
        return Part(self.features.take(positions), labels)

    def drawn(self, n: int) -> "Part":
        """Return ``n`` rows drawn without looking, in their order; all where there are no more, or ``n`` is 0."""
        if not 0 < n < len(self):
            return self
        return self.take(np.sort(np.random.default_rng(SEED).permutation(len(self))[:n]))

    @property
    def told(self) -> np.ndarray:
        """The labels as text, ``(n,)``, where there are any."""
        if self.labels is None:
            raise DataError("there are no labels")
        return self.labels.astype(str)

    def of_labels(self, names: np.ndarray) -> "Part":
        """Return the rows that have one of these labels, given as text."""
        return self._where(np.isin(self.told, names))

    def labelled(self) -> "Part":
        """Return the rows that have a label."""
        return self._where(self.told != "")

    def _where(self, has: np.ndarray) -> "Part":
        return self if has.all() else self.take(np.flatnonzero(has))
