"""Sparse rows on one device, in CSR form. No function makes the rows dense."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from recsys_ae.nn.index_structure import IndexStructure


@dataclass(frozen=True, eq=False)
class Rows:
    """Sparse rows in CSR form.

    Attributes
    ----------
    indptr
        ``(n + 1,)`` int32: row ``r`` has the entries ``indptr[r]:indptr[r + 1]``.
    indices
        ``(nnz,)`` int32: the column of each entry.
    values
        ``(nnz,)`` float32.
    width
        The number of columns.
    positions
        ``(n,)`` int64: position of each row in the training matrix; −1 if the row is not in it.
    bounds
        ``indptr`` in the CPU's memory, if it is known. With it, the CPU does not wait for a GPU to learn how many
        entries some rows have.

    The rows of a batch (`take`, `as_batch`) keep what was computed from them as long as they live: their
    `IndexStructure`, which `with_values` shares, and their transpose. Other rows compute it whenever it is asked for.
    """

    indptr: Tensor
    indices: Tensor
    values: Tensor
    width: int
    positions: Tensor
    bounds: np.ndarray | None = None
    _structure: "IndexStructure | None" = field(default=None, init=False, repr=False)
    _results: dict[str, "Rows"] | None = field(default=None, init=False, repr=False)

    @classmethod
    def from_matrix(cls, matrix: csr_matrix, device: torch.device, positions: np.ndarray | None = None) -> "Rows":
        """Copy a canonical SciPy matrix to a device. Without ``positions`` it is the training matrix."""
        row_positions = np.arange(matrix.shape[0]) if positions is None else positions
        return cls(
            _tensor(matrix.indptr, np.int32, device),
            _tensor(matrix.indices, np.int32, device),
            _tensor(matrix.data, np.float32, device),
            matrix.shape[1],
            _tensor(row_positions, np.int64, device),
            matrix.indptr,
        )

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def device(self) -> torch.device:
        """Device of the rows."""
        return self.values.device

    @property
    def lengths(self) -> Tensor:
        """Number of entries of each row, ``(n,)`` int32."""
        return self.indptr[1:] - self.indptr[:-1]

    @property
    def row_of_entry(self) -> Tensor:
        """Row of each entry, ``(nnz,)`` int64."""
        return self.structure.rows

    @property
    def structure(self) -> "IndexStructure":
        """Row of each entry, and the order of the entries by columns; that of a batch is kept."""
        from recsys_ae.nn.index_structure import IndexStructure  # noqa: PLC0415

        return self._structure or IndexStructure(self.indptr, self.indices, self.width)

    def as_batch(self, structure: "IndexStructure | None" = None) -> "Rows":
        """Return the same rows, which keep what is computed from them; ``structure`` is theirs if it is known."""
        batch = dataclasses.replace(self)
        object.__setattr__(batch, "_structure", structure or self.structure)
        object.__setattr__(batch, "_results", {})
        return batch

    def take(self, positions: Tensor, places: np.ndarray | None = None) -> "Rows":
        """Return the rows at ``positions``, in that order.

        If ``places``, the positions in the CPU's memory, and `bounds` are known, the CPU does not wait for a GPU.
        """
        bounds, entries = None, None
        if places is not None and self.bounds is not None:
            bounds = bounds_of(self.bounds[places + 1] - self.bounds[places])
            entries = int(bounds[-1])
        lengths = self.lengths[positions]
        indptr = functional.pad(lengths.cumsum(0, dtype=torch.int32), (1, 0))
        shift = torch.repeat_interleave(self.indptr[positions] - indptr[:-1], lengths, output_size=entries)
        source = shift + torch.arange(len(shift), dtype=torch.int32, device=self.device)
        taken = Rows(indptr, self.indices[source], self.values[source], self.width, self.positions[positions], bounds)
        return taken.as_batch()

    def batches(self, size: int, generator: torch.Generator) -> Iterator["Rows"]:
        """Yield all rows in random order, ``size`` at a time. The CPU waits for a GPU only once, at the start."""
        order = torch.randperm(len(self), generator=generator, device=self.device)
        rows, places = self._with_bounds(), order.cpu().numpy()
        for start in range(0, len(self), size):
            batch = slice(start, start + size)
            yield rows.take(order[batch], places[batch])

    def parts(self, size: int) -> Iterator[tuple[slice, "Rows"]]:
        """Yield slices of at most ``size`` rows, in order, and the rows in them."""
        if 0 < len(self) <= size:
            yield slice(0, len(self)), self
            return
        rows = self._with_bounds()
        for start in range(0, len(self), size):
            chunk = slice(start, min(len(self), start + size))
            yield chunk, rows._between(chunk)

    def _with_bounds(self) -> "Rows":
        """Return the same rows with known bounds; if they are not known yet, the CPU waits for a GPU."""
        return self if self.bounds is not None else dataclasses.replace(self, bounds=self.indptr.cpu().numpy())

    def _between(self, chunk: slice) -> "Rows":
        """Return neighbouring rows; their entries are not copied."""
        if self.bounds is None:
            raise ValueError("the bounds of the rows are not known")
        ends = slice(chunk.start, chunk.stop + 1)
        first, last = self.bounds[chunk.start], self.bounds[chunk.stop]
        return Rows(
            self.indptr[ends] - self.indptr[chunk.start],
            self.indices[first:last],
            self.values[first:last],
            self.width,
            self.positions[chunk],
            self.bounds[ends] - first,
        )

    def without_zeros(self) -> "Rows":
        """Return the rows without entries that are 0."""
        return self._kept("without zeros", self._without_zeros)

    def _without_zeros(self) -> "Rows":
        is_nonzero = self.values != 0
        counts = functional.pad(is_nonzero.cumsum(0, dtype=torch.int32), (1, 0))
        chosen = is_nonzero
        if self.device.type != "cpu":
            chosen = is_nonzero.nonzero().squeeze(1)  # the only wait for a GPU; each index by a mask would be one
        elif int(counts[-1]) == len(is_nonzero):
            return self
        indptr, indices, values = counts[self.indptr], self.indices[chosen], self.values[chosen]
        rows = dataclasses.replace(self, indptr=indptr, indices=indices, values=values, bounds=None)
        if self._structure is None:
            return rows
        return rows.as_batch(self._structure.chosen(is_nonzero, indptr, indices))

    def narrowed(self) -> tuple[Tensor, "Rows"]:
        """Return the columns that have entries, ``(k,)`` int64 and ascending, and the rows with only these columns."""
        if self.device.type != "cpu":
            columns, local_indices = self.structure.distinct_columns()
            return columns.long(), self.renumbered(local_indices, len(columns))
        columns, local_indices = torch.unique(self.indices, return_inverse=True)
        return columns.long(), self.renumbered(local_indices.to(torch.int32), len(columns))

    def renumbered(self, indices: Tensor, width: int) -> "Rows":
        """Return the same entries in ``width`` columns, where larger columns have larger new numbers, ``indices``."""
        rows = dataclasses.replace(self, indices=indices, width=width)
        return rows if self._structure is None else rows.as_batch(self._structure.renumbered(indices, width))

    def with_values(self, values: Tensor) -> "Rows":
        """Return the same entries with other values."""
        rows = dataclasses.replace(self, values=values)
        return rows if self._structure is None else rows.as_batch(self._structure)

    def normalised(self) -> "Rows":
        """Return the rows divided by their Euclidean length; an empty row stays empty."""
        rows = self.row_of_entry
        squares = torch.zeros(len(self), device=self.device).index_add_(0, rows, self.values.square())
        return self.with_values(self.values * squares.clamp_min(torch.finfo(squares.dtype).tiny).rsqrt()[rows])

    def sums(self) -> Tensor:
        """Return the sum of each row, ``(n,)``."""
        return torch.zeros(len(self), device=self.device).index_add_(0, self.row_of_entry, self.values)

    def column_sums(self) -> Tensor:
        """Return the sum of each column, ``(width,)``, in the precision of the values."""
        return self.values.new_zeros(self.width).index_add_(0, self.indices, self.values)

    def transposed(self) -> "Rows":
        """Return the columns as rows."""
        return self._kept("transposed", self._transposed)

    def _transposed(self) -> "Rows":
        if self.device.type == "cpu" and self.values.dtype in (torch.float32, torch.float64):
            # SciPy counts instead of sorting, which is several times faster.
            arrays = self.values.detach().numpy(), self.indices.numpy(), self.indptr.numpy()
            columns = csr_matrix(arrays, shape=(len(self), self.width)).tocsc()
            indptr, indices, values = map(torch.from_numpy, (columns.indptr, columns.indices, columns.data))
            return Rows(indptr, indices, values, len(self), torch.arange(self.width))
        return self._transposed_by_sorting()

    def _transposed_by_sorting(self) -> "Rows":
        structure, positions = self.structure, torch.arange(self.width, device=self.device)
        values = self.values[structure.order]
        return Rows(structure.column_ends, structure.rows_by_column, values, len(self), positions)

    def _kept(self, name: str, compute: Callable[[], "Rows"]) -> "Rows":
        """Return a result; rows of a batch compute it once."""
        if self._results is None:
            return compute()
        result = self._results.get(name)
        if result is None:
            result = compute()
            if result is not self:  # rows that hold themselves would not be freed at once
                self._results[name] = result
        return result

    def product(self, dense: Tensor) -> Tensor:
        """Return the product with a dense ``(width, d)`` matrix, ``(n, d)``, in its dtype. No gradient passes.

        On a GPU, long rows are multiplied by cuSPARSE, whose last digits may change from run to run (`sparse_dense`).
        """
        if self.device.type != "cpu":
            from recsys_ae.nn.linear import sparse_dense  # noqa: PLC0415

            by_library = sparse_dense.product(self.indptr, self.indices, self.values, dense)
            if by_library is not None:
                return by_library
        return functional.embedding_bag(
            self.indices,
            dense,
            self.indptr,
            mode="sum",
            per_sample_weights=self.values.to(dense.dtype),
            include_last_offset=True,
        )


def bounds_of(lengths: np.ndarray) -> np.ndarray:
    """Return the ends of rows with these numbers of entries, after a 0, ``(n + 1,)`` int64."""
    bounds = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=bounds[1:])
    return bounds


def _tensor(values: np.ndarray, dtype: type, device: torch.device) -> Tensor:
    # PyTorch shares writable memory and warns of read-only memory, so read-only arrays are copied.
    return torch.from_numpy(np.require(values, dtype, "W")).to(device)
