"""Negative sampling and popularity-proportional item sampling."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recsys_ae.nn.rows import Rows, bounds_of


def negatives(x: Rows, per_entry: int, generator: torch.Generator) -> Rows:
    """Draw ``per_entry`` empty columns of the row for each entry, uniformly and with replacement.

    A full row gets none. The columns of each row of ``x`` must ascend; those of the result do not.
    """
    unseen = x.width - x.lengths
    lengths = torch.where(unseen > 0, x.lengths * per_entry, 0)
    indptr = functional.pad(lengths.cumsum(0, dtype=torch.int32), (1, 0))
    bounds = None
    if x.bounds is not None:
        counts = np.diff(x.bounds)
        bounds = bounds_of(np.where(counts < x.width, counts * per_entry, 0))
    entries = None if bounds is None else int(bounds[-1])
    rows = torch.repeat_interleave(torch.arange(len(x), device=x.device), lengths, output_size=entries)
    drawn = torch.rand(len(rows), dtype=torch.float64, device=x.device, generator=generator)
    rank = (drawn * unseen[rows]).long()
    # Before entry j of a row there are (its column − j) empty columns. So the empty column of this rank lies behind all
    # entries for which that number is at most the rank, and no draw is ever rejected.
    owner = x.row_of_entry
    gaps = x.indices - (torch.arange(len(owner), device=x.device) - x.indptr[owner])
    passed = torch.searchsorted(owner * x.width + gaps, rows * x.width + rank, right=True)
    columns = rank + passed - x.indptr[rows]
    ones = torch.ones_like(columns, dtype=x.values.dtype)
    return Rows(indptr, columns.to(torch.int32), ones, x.width, x.positions, bounds)


class Sampler:
    """Sampling of columns by popularity without replacement, at a cost that does not grow with the number of columns.

    Systematic sampling (Madow 1949): intervals as long as the columns' probabilities lie end to end in random order.
    The columns at points one apart, from a random start, are drawn. So each column is drawn with exactly its
    probability, and a sum over all columns is estimated without bias by the sum over the drawn ones, each term divided
    by its probability (Horvitz & Thompson 1952).

    Parameters
    ----------
    counts
        ``(width,)``: number of entries of each column. The probability is proportional to the count plus one, up to 1.
    size
        Number of columns to draw, at most the number of columns.
    """

    def __init__(self, counts: Tensor, size: int) -> None:
        self.size = size
        device, order = counts.device, torch.randperm(len(counts), generator=torch.Generator().manual_seed(0))
        # On the CPU: the last digits of a GPU's cumulative sums differ from run to run.
        chances = _chances(counts.cpu().double() + 1, size)
        self.chances = chances.float().to(device)
        self.order, self.ends = order.to(device), chances[order].cumsum(0).to(device)

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the drawn columns, ``(size,)`` int64 and ascending, and their probabilities, ``(size,)``."""
        start = torch.rand(1, dtype=torch.float64, device=self.ends.device, generator=generator)
        points = start + torch.arange(self.size, device=self.ends.device)
        positions = torch.searchsorted(self.ends, points, right=True).clamp_max(len(self.ends) - 1)
        drawn = self.order[positions].sort().values
        return drawn, self.chances[drawn]


def _chances(weights: Tensor, size: int) -> Tensor:
    """Return probabilities, at most 1 and with sum ``size``, that are otherwise proportional to the weights."""
    ascending = weights.sort().values
    # The c largest weights get probability 1, and the others share size − c; c is the least for which none exceeds 1.
    below = ascending.cumsum(0).flip(0)
    certain = torch.arange(len(weights), device=weights.device)
    fits = ascending.flip(0) * (size - certain).clamp_min(0) <= below
    c = int(fits.nonzero()[0])
    return (weights * ((size - c) / below[c])).clamp_max(1.0)
