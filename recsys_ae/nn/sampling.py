"""Learning from some columns of each row instead of all: which ones."""

import torch
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
