"""How features become what a network sees; learnt from the training rows and kept with the network."""

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from recsys_ae.data.parsing import listing
from recsys_ae.features.data.features import IMAGE, Features

Scale: TypeAlias = Literal["auto", "none", "standard", "min-max", "tf-idf"]

CELLS = 2**20
"""Values that are measured at a time, so that what is found on the way takes little room beside them."""


class Scaling(nn.Module):
    """(x − centre) / spread for each column; words are weighed by their rarity, and the words of a row have length 1.

    A missing value becomes the mean of its column. A column that is constant in the training is 0 from then on. All
    pixels of an image, and all steps of a column of a sequence, are scaled alike.
    """

    centre: Tensor
    spread: Tensor
    fill: Tensor
    counted: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.register_buffer("fill", torch.zeros(width))
        self.register_buffer("counted", torch.zeros(width, dtype=torch.bool))

    @classmethod
    def of(cls, features: Features, scale: Scale, *, bounded: bool) -> Self:
        """Learn from the training rows; ``bounded``: ``auto`` shall make values from 0 to 1."""
        made, found = cls(features.width), Columns.of(features)
        words = np.zeros(features.width, bool)
        if scale == "auto":
            words = words if features.counted is None else features.counted
            scale = _usual(features, found, bounded=bounded)
        elif scale == "tf-idf":
            words = ~words
        centre, spread = np.zeros(features.width), np.ones(features.width)
        if scale == "standard":
            centre, spread = found.mean.copy(), found.deviation.copy()
        elif scale == "min-max":
            centre, spread = found.low.copy(), found.high - found.low
        centre[words] = 0
        # Smoothed as if one more row had every word: ln((1 + n) / (1 + n_j)) + 1.
        spread[words] = 1 / (np.log((1 + len(features)) / (1 + found.used[words])) + 1)
        for name, values in (("centre", centre), ("spread", spread), ("fill", found.mean), ("counted", words)):
            getattr(made, name).copy_(torch.from_numpy(np.asarray(values)))
        return made

    def forward(self, x: Tensor, *, holes: bool = True) -> Tensor:
        """Map raw ``(n, width)`` values to what the network sees; without ``holes`` none is missing."""
        factor = torch.where(self.spread > 0, 1 / self.spread, 0)
        known = torch.where(x.isnan(), self.fill, x) if holes else x
        seen = (known - self.centre).mul_(factor)
        if not self.counted.any():
            return seen
        lengths = (seen.square() @ self.counted.float()).sqrt().clamp_min(1e-12)
        return seen.mul_(torch.where(self.counted, 1 / lengths.unsqueeze(1), 1))

    def undo(self, seen: Tensor) -> Tensor:
        """Map what a network gives back to raw values; of words, to counts in a row whose weights have length 1."""
        return seen * self.spread + self.centre


@dataclass(frozen=True)
class Columns:
    """What is known of each column, ``(width,)`` float64 each; ``used``: how many rows are not 0 in it."""

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    used: np.ndarray
    missing: int

    @classmethod
    def of(cls, features: Features) -> Self:
        """Measure columns, of an image all pixels at once, of a sequence each column over all its steps."""
        if isinstance(features.matrix, csr_matrix):
            return cls._of_sparse(features.matrix)
        table, tiled = features.matrix, 1
        if len(features.form) == IMAGE:
            table, tiled = table.reshape(-1, 1), features.width
        elif features.lengths is not None:
            steps, width = features.form
            inside = np.arange(steps) < features.lengths[:, None]
            table, tiled = table.reshape(-1, steps, width)[inside], steps
        parts = [table[start : start + _starts(table).step] for start in _starts(table)]
        found = [_counted(part) for part in parts]
        n, total, used = (np.sum([one[place] for one in found], axis=0) for place in range(3))
        low, high = (
            np.where(n, end([one[3 + place] for one in found], axis=0), 0.0)
            for place, end in enumerate((np.min, np.max))
        )
        mean = total / np.maximum(n, 1)
        squares = sum(np.square(np.where(np.isnan(part), 0, part - mean)).sum(axis=0) for part in parts)
        deviation = np.sqrt(squares / np.maximum(n, 1))
        deviation[low == high] = 0  # not what rounding leaves of it
        missing = table.size - int(n.sum())
        low, high, mean, deviation, used = (np.tile(each, tiled) for each in (low, high, mean, deviation, used))
        return cls(low, high, mean, deviation, used, missing)

    @classmethod
    def _of_sparse(cls, matrix: csr_matrix) -> Self:
        missing = np.isnan(matrix.data)
        n = np.maximum(matrix.shape[0] - np.bincount(matrix.indices[missing], minlength=matrix.shape[1]), 1)
        exact = csr_matrix(matrix, dtype=np.float64)
        low, high = (np.asarray(end(axis=0).todense()).ravel() for end in (exact.nanmin, exact.nanmax))
        exact = exact.copy()
        exact.data[missing] = 0
        mean = np.asarray(exact.sum(axis=0)).ravel() / n
        squares = np.asarray(exact.multiply(exact).sum(axis=0)).ravel() / n
        deviation = np.sqrt(np.maximum(squares - mean**2, 0))
        deviation[low == high] = 0
        exact.eliminate_zeros()
        return cls(low, high, mean, deviation, exact.getnnz(axis=0), int(missing.sum()))

    def remarks(self, features: Features) -> tuple[str, ...]:
        """Say what is missing and what is constant."""
        said = []
        if self.missing:
            said.append(f"{self.missing:,} values are missing: each is read as the mean of its column and not learnt")
        constant = np.flatnonzero(self.low == self.high)
        if len(constant) and not features.form:
            names = listing(features.columns[constant], 5)
            said.append(f"{len(constant):,} of {features.width:,} columns are constant and of no use: {names}")
        return tuple(said)


def _starts(table: np.ndarray) -> range:
    return range(0, max(1, len(table)), max(1, CELLS // table.shape[1]))


def _counted(part: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return of each column how many values are known, their sum, how many are not 0, the least and the largest."""
    known = ~np.isnan(part)
    low = np.where(known, part, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, part, -np.inf).max(axis=0, initial=-np.inf)
    total = np.where(known, part, 0).sum(axis=0, dtype=np.float64)
    return known.sum(axis=0), total, (known & (part != 0)).sum(axis=0), low, high


def _usual(features: Features, found: Columns, *, bounded: bool) -> Scale:
    """Return how features of this kind are scaled best, but for words."""
    in_unit = found.low.min(initial=0) >= 0 and found.high.max(initial=1) <= 1
    if len(features.form) == IMAGE:
        return "none" if in_unit else "min-max"
    if bounded:
        return "none" if in_unit else "min-max"
    # Beside rows of words of length 1, other columns must not weigh more.
    return "min-max" if features.sparse else "standard"
