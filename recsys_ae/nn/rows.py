"""Sparse rows on one device, in CSR form. No function makes the rows dense."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn import functional


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
    """

    indptr: Tensor
    indices: Tensor
    values: Tensor
    width: int
    positions: Tensor
    bounds: np.ndarray | None = None

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
        rows = torch.arange(len(self), device=self.device)
        return torch.repeat_interleave(rows, self.lengths, output_size=len(self.values))

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
        return Rows(indptr, self.indices[source], self.values[source], self.width, self.positions[positions], bounds)

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
        nonzero = self.values != 0
        counts = functional.pad(nonzero.cumsum(0, dtype=torch.int32), (1, 0))
        if self.device.type != "cpu":
            nonzero = nonzero.nonzero().squeeze(1)  # the only wait for a GPU; each index by a mask would be one
        elif int(counts[-1]) == len(nonzero):
            return self
        return dataclasses.replace(
            self, indptr=counts[self.indptr], indices=self.indices[nonzero], values=self.values[nonzero], bounds=None
        )

    def narrowed(self) -> tuple[Tensor, "Rows"]:
        """Return the columns that have entries, ``(k,)`` int64 and ascending, and the rows with only these columns."""
        columns, local_indices = torch.unique(self.indices, return_inverse=True)
        return columns.long(), dataclasses.replace(self, indices=local_indices.to(torch.int32), width=len(columns))

    def with_values(self, values: Tensor) -> "Rows":
        """Return the same entries with other values."""
        return dataclasses.replace(self, values=values)

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
        positions = torch.arange(self.width, device=self.device)
        if self.device.type == "cpu" and self.values.dtype in (torch.float32, torch.float64):
            # SciPy counts instead of sorting, which is several times faster.
            arrays = self.values.detach().numpy(), self.indices.numpy(), self.indptr.numpy()
            columns = csr_matrix(arrays, shape=(len(self), self.width)).tocsc()
            indptr, indices, values = map(torch.from_numpy, (columns.indptr, columns.indices, columns.data))
            return Rows(indptr, indices, values, len(self), positions)
        return self._transposed_by_sorting(positions)

    def _transposed_by_sorting(self, positions: Tensor) -> "Rows":
        order = torch.argsort(self.indices, stable=True)
        counts = torch.zeros(self.width, dtype=torch.int32, device=self.device)  # bincount would wait for a GPU
        counts.index_add_(0, self.indices, torch.ones_like(self.indices))
        return Rows(
            functional.pad(counts.cumsum(0, dtype=torch.int32), (1, 0)),
            self.row_of_entry[order].to(torch.int32),
            self.values[order],
            len(self),
            positions,
        )

    def product(self, dense: Tensor) -> Tensor:
        """Return the product with a dense ``(width, d)`` matrix, ``(n, d)``. No gradient passes."""
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
