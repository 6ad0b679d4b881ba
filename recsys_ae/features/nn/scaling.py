"""Scaling of features to the input of a network, learnt from the training rows and saved with the network."""

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
"""Values in a block of rows whose statistics are computed at a time, so that temporary arrays stay small."""


class Scaling(nn.Module):
    """(x − centre) / spread for each column; words are weighted by their rarity, and the words of a row have length 1.

    A missing value becomes the mean of its column. A column that is constant in the training rows is always 0. All
    pixels of an image are scaled alike, and so are all steps of a column of a sequence.
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
        """Learn the scaling from the training rows; if ``bounded``, ``auto`` makes values from 0 to 1."""
        scaling, columns = cls(features.width), Columns.of(features)
        words = np.zeros(features.width, bool)
        if scale == "auto":
            words = words if features.counted is None else features.counted
            scale = _usual(features, columns, bounded=bounded)
        elif scale == "tf-idf":
            words = ~words
        centre, spread = np.zeros(features.width), np.ones(features.width)
        if scale == "standard":
            centre, spread = columns.mean.copy(), columns.deviation.copy()
        elif scale == "min-max":
            centre, spread = columns.low.copy(), columns.high - columns.low
        centre[words] = 0
        # Smoothed IDF, as if one more row had every word: ln((1 + n) / (1 + n_j)) + 1.
        spread[words] = 1 / (np.log((1 + len(features)) / (1 + columns.used[words])) + 1)
        for name, values in (("centre", centre), ("spread", spread), ("fill", columns.mean), ("counted", words)):
            getattr(scaling, name).copy_(torch.from_numpy(np.asarray(values)))
        return scaling

    def forward(self, x: Tensor, *, holes: bool = True, words: bool = True) -> Tensor:
        """Map raw values ``(n, width)`` to the input of the network.

        Without ``holes``, no value may be missing; without ``words``, no column may count a word.
        """
        factor = torch.where(self.spread > 0, 1 / self.spread, 0)
        filled = torch.where(x.isnan(), self.fill, x) if holes else x
        seen = (filled - self.centre).mul_(factor)
        if not words:
            return seen
        lengths = (seen.square() @ self.counted.float()).sqrt().clamp_min(1e-12)
        return seen.mul_(torch.where(self.counted, 1 / lengths.unsqueeze(1), 1))

    def undo(self, seen: Tensor) -> Tensor:
        """Map the output of a network to raw values; words get the counts of a row whose weights have length 1."""
        return seen * self.spread + self.centre


@dataclass(frozen=True)
class Columns:
    """Statistics of the columns, ``(width,)`` float64 each; ``used`` is the number of rows that are not 0."""

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    used: np.ndarray
    missing: int

    @classmethod
    def of(cls, features: Features) -> Self:
        """Compute the statistics: of all pixels of images together, and of each column of sequences over all steps."""
        if isinstance(features.matrix, csr_matrix):
            return cls._of_sparse(features.matrix)
        table, tiled = features.matrix, 1
        if len(features.form) == IMAGE:
            table, tiled = table.reshape(-1, 1), features.width
        elif features.lengths is not None:
            steps, width = features.form
            inside = np.arange(steps) < features.lengths[:, None]
            table, tiled = table.reshape(-1, steps, width)[inside], steps
        blocks = [table[start : start + _starts(table).step] for start in _starts(table)]
        counts = [_counted(block) for block in blocks]
        n, total, used = (np.sum([count[index] for count in counts], axis=0) for index in range(3))
        low, high = (
            np.where(n, end([count[3 + index] for count in counts], axis=0), 0.0)
            for index, end in enumerate((np.min, np.max))
        )
        mean = total / np.maximum(n, 1)
        squares = sum(np.square(np.where(np.isnan(block), 0, block - mean)).sum(axis=0) for block in blocks)
        deviation = np.sqrt(squares / np.maximum(n, 1))
        deviation[low == high] = 0  # without rounding errors
        missing = table.size - int(n.sum())
        low, high, mean, deviation, used = (np.tile(values, tiled) for values in (low, high, mean, deviation, used))
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
        """Return remarks about missing values and constant columns."""
        remarks = []
        if self.missing:
            remarks.append(
                f"{self.missing:,} values are missing: each is read as the mean of its column and not learnt"
            )
        constant = np.flatnonzero(self.low == self.high)
        if len(constant) and not features.form:
            names = listing(features.columns[constant], 5)
            remarks.append(f"{len(constant):,} of {features.width:,} columns are constant and of no use: {names}")
        return tuple(remarks)


def _starts(table: np.ndarray) -> range:
    return range(0, max(1, len(table)), max(1, CELLS // table.shape[1]))


def _counted(block: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the number of values of each column, their sum, the number other than 0, the smallest and the largest."""
    present = ~np.isnan(block)
    low = np.where(present, block, np.inf).min(axis=0, initial=np.inf)
    high = np.where(present, block, -np.inf).max(axis=0, initial=-np.inf)
    total = np.where(present, block, 0).sum(axis=0, dtype=np.float64)
    return present.sum(axis=0), total, (present & (block != 0)).sum(axis=0), low, high


def _usual(features: Features, columns: Columns, *, bounded: bool) -> Scale:
    """Return the scaling that ``auto`` chooses for columns other than words."""
    in_unit = columns.low.min(initial=0) >= 0 and columns.high.max(initial=1) <= 1
    if len(features.form) == IMAGE:
        return "none" if in_unit else "min-max"
    if bounded:
        return "none" if in_unit else "min-max"
    # The words of a row have length 1, and other columns must not weigh more.
    return "min-max" if features.sparse else "standard"
