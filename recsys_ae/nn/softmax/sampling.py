"""Learning from some columns instead of all: which ones."""

import torch
from torch import Tensor
from torch.nn import functional

from recsys_ae.nn.rows import Rows


def negatives(x: Rows, per_entry: int, generator: torch.Generator) -> Rows:
    """Draw ``per_entry`` columns without an entry for each entry of a row, uniformly and with replacement.

    A row that has every column gets none. The columns of a row of ``x`` must ascend; those of the result do not.
    """
    unseen = x.width - x.lengths
    lengths = torch.where(unseen > 0, x.lengths * per_entry, 0)
    indptr = functional.pad(lengths.cumsum(0, dtype=torch.int32), (1, 0))
    rows = torch.repeat_interleave(torch.arange(len(x), device=x.device), lengths)
    drawn = torch.rand(len(rows), dtype=torch.float64, device=x.device, generator=generator)
    rank = (drawn * unseen[rows]).long()
    # Before the entry at place j of a row stand (its column − j) columns without one. So the column without an entry of
    # this rank lies behind all entries where that is at most the rank: no draw is ever rejected.
    owner = x.row_of_entry
    gaps = x.indices - (torch.arange(len(owner), device=x.device) - x.indptr[owner])
    passed = torch.searchsorted(owner * x.width + gaps, rows * x.width + rank, right=True)
    columns = rank + passed - x.indptr[rows]
    return Rows(indptr, columns.to(torch.int32), torch.ones_like(columns, dtype=x.values.dtype), x.width, x.positions)


class Sampler:
    """Draws a set of columns by their popularity, each at most once, at a cost that does not grow with their number.

    Systematic sampling (Madow 1949): the chances of all columns lie end to end on a line, in random order, and what
    stands at points one apart is drawn, from a random first point on. So a column is drawn with exactly its chance, and
    a sum over all columns is estimated without bias by that over the drawn ones, each term divided by its chance
    (Horvitz & Thompson 1952).

    Parameters
    ----------
    counts
        ``(width,)``: how often each column occurs. A chance grows with the count plus one, up to certainty.
    size
        How many columns are drawn, at most as many as there are.
    """

    def __init__(self, counts: Tensor, size: int) -> None:
        self.size = size
        order = torch.randperm(len(counts), generator=torch.Generator().manual_seed(0)).to(counts.device)
        chances = _chances(counts.double() + 1, size)
        self.chances = chances.float()
        self.order, self.ends = order, chances[order].cumsum(0)

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the columns drawn, ``(size,)`` int64 and ascending, and the chance that each had."""
        first = torch.rand(1, dtype=torch.float64, device=self.ends.device, generator=generator)
        points = first + torch.arange(self.size, device=self.ends.device)
        places = torch.searchsorted(self.ends, points, right=True).clamp_max(len(self.ends) - 1)
        drawn = self.order[places].sort().values
        return drawn, self.chances[drawn]


def _chances(weights: Tensor, size: int) -> Tensor:
    """Return numbers proportional to the weights that sum to ``size``, but none above 1."""
    ascending = weights.sort().values
    # With the c largest weights certain, the others share size − c; the least c for which none of them exceeds 1.
    below = ascending.cumsum(0).flip(0)
    certain = torch.arange(len(weights), device=weights.device)
    fits = ascending.flip(0) * (size - certain).clamp_min(0) <= below
    c = int(fits.nonzero()[0])
    return (weights * ((size - c) / below[c])).clamp_max(1.0)
