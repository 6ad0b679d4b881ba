"""Index structure of sparse rows: the row of each entry, and the order of the entries by columns."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional


class IndexStructure:
    """What the places of the entries determine, whatever their values; each part is computed once, on first access.

    The rows of a batch share it with the same rows with other values, so that a batch is sorted once, and not by every
    sparse layer. It is freed with the last of these rows.

    Parameters
    ----------
    indptr, indices, width
        Those of the rows.
    order, rows
        Functions that compute these attributes faster than from the indices.
    """

    def __init__(
        self,
        indptr: Tensor,
        indices: Tensor,
        width: int,
        order: Callable[[], Tensor] | None = None,
        rows: Callable[[], Tensor] | None = None,
    ) -> None:
        self._indptr, self._indices, self._width = indptr, indices, width
        self._order, self._rows = order, rows

    @cached_property
    def rows(self) -> Tensor:
        """Row of each entry, ``(nnz,)`` int64."""
        if self._rows is not None:
            return self._rows()
        positions = torch.arange(len(self._indptr) - 1, device=self._indices.device)
        lengths = self._indptr[1:] - self._indptr[:-1]
        return torch.repeat_interleave(positions, lengths, output_size=len(self._indices))

    @cached_property
    def order(self) -> Tensor:
        """Positions of the entries, sorted by column and then by row, ``(nnz,)`` int64."""
        return torch.argsort(self._indices, stable=True) if self._order is None else self._order()

    @cached_property
    def rows_by_column(self) -> Tensor:
        """Row of each entry in this order, ``(nnz,)`` int32."""
        return self.rows[self.order].to(torch.int32)

    @cached_property
    def column_ends(self) -> Tensor:
        """The entries of column c are ``column_ends[c]:column_ends[c + 1]`` in this order, ``(width + 1,)`` int32."""
        counts = torch.zeros(self._width, dtype=torch.int32, device=self._indices.device)
        counts.index_add_(0, self._indices, torch.ones_like(self._indices))  # bincount would wait for a GPU
        return functional.pad(counts.cumsum(0, dtype=torch.int32), (1, 0))

    def renumbered(self, indices: Tensor, width: int) -> "IndexStructure":
        """Return the structure of the same entries if larger columns have larger new numbers."""
        return IndexStructure(self._indptr, indices, width, lambda: self.order, lambda: self.rows)

    def chosen(self, chosen: Tensor, indptr: Tensor, indices: Tensor) -> "IndexStructure":
        """Return the structure of the chosen entries, which need not be sorted again.

        ``chosen`` is true for each chosen entry, ``(nnz,)``; ``indptr`` and ``indices`` are those of the result.
        """

        def order() -> Tensor:
            new_positions = (chosen.cumsum(0) - 1)[self.order]
            places = torch.where(chosen[self.order], chosen[self.order].cumsum(0) - 1, len(indices))
            # All others go to one more place, so that the CPU need not wait to learn how many are chosen.
            return new_positions.new_empty(len(indices) + 1).scatter_(0, places, new_positions)[:-1]

        return IndexStructure(indptr, indices, self._width, order)

    def distinct_columns(self) -> tuple[Tensor, Tensor]:
        """Return the columns with entries, ``(k,)`` and ascending, and the position of each entry's column in them.

        The CPU waits for a GPU once.
        """
        columns = self._indices[self.order]
        is_first = functional.pad(columns[1:] != columns[:-1], (min(1, len(columns)), 0), value=True)
        places = torch.empty_like(self._indices)
        places[self.order] = is_first.cumsum(0, dtype=torch.int32) - 1
        return columns[is_first.nonzero().squeeze(1)], places
