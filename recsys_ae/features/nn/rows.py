"""Feature rows on a device; batches of them are dense and scaled."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.rows import Rows


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Rows of features as they were read, and the scaling that turns them into the input of a network.

    Attributes
    ----------
    source
        ``(n, width)`` float32 with NaN for missing values, or the same as sparse rows.
    scaling
        Scaling of the values to the input of the network.
    form
        Form of a row, as in `Features`.
    lengths
        ``(n,)`` int64: the lengths of sequences, else None.
    holes
        True if any value is missing.
    words
        False if no column counts words.
    known_lengths
        ``lengths`` in the CPU's memory, if they are known.
    """

    source: Tensor | Rows
    scaling: Scaling
    form: tuple[int, ...] = ()
    lengths: Tensor | None = None
    holes: bool = False
    words: bool = True
    known_lengths: np.ndarray | None = None

    @classmethod
    def of(cls, features: Features, scaling: Scaling, device: torch.device) -> Self:
        """Put features on a device."""
        values = features.matrix
        if isinstance(values, csr_matrix):
            source: Tensor | Rows = Rows.from_matrix(canonical(values, "features", missing=True), device)
        else:
            source = torch.from_numpy(np.require(values, np.float32, "W")).to(device)
        holes = bool(np.isnan(values.data if isinstance(values, csr_matrix) else values).any())
        words, known = bool(scaling.counted.any()), None
        if features.lengths is not None:
            known = np.array(features.lengths, np.int64)
        lengths = None if known is None else torch.from_numpy(known).to(device)
        return cls(source, scaling, features.form, lengths, holes, words, known)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def device(self) -> torch.device:
        """Device of the rows."""
        return self.source.device

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.source.shape[1] if isinstance(self.source, Tensor) else self.source.width

    def take(self, positions: Tensor, places: np.ndarray | None = None) -> Self:
        """Return the rows at ``positions``, in that order.

        If ``places``, the positions in the CPU's memory, are passed, the CPU does not wait for a GPU.
        """
        source = self.source[positions] if isinstance(self.source, Tensor) else self.source.take(positions, places)
        lengths = None if self.lengths is None else self.lengths[positions]
        known = None if self.known_lengths is None or places is None else self.known_lengths[places]
        return dataclasses.replace(self, source=source, lengths=lengths, known_lengths=known)

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Self]:
        """Yield all rows in random order, ``size`` at a time."""
        order = torch.randperm(len(self), generator=generator, device=self.device)
        is_even = isinstance(self.source, Tensor) and self.lengths is None
        places = None if is_even else order.cpu().numpy()
        for start in range(0, len(self), size):
            batch = slice(start, start + size)
            yield self.take(order[batch], None if places is None else places[batch])

    def dense(self) -> Tensor:
        """Return the values as they were read, ``(n, width)``."""
        if isinstance(self.source, Tensor):
            return self.source
        table = torch.zeros(len(self), self.width, device=self.device)
        table[self.source.row_of_entry, self.source.indices.long()] = self.source.values
        return table

    @property
    def seen(self) -> Tensor:
        """Input of the network, ``(n, width)``: scaled values; missing ones are the column mean, padding is 0."""
        seen: Tensor = self.scaling(self.dense(), holes=self.holes, words=self.words)
        inside = self.inside
        return seen if inside is None else seen * inside

    @property
    def seen_and_known(self) -> tuple[Tensor, ...]:
        """`seen`, and `known` if some values are missing or padding: inputs of the dense part of a loss."""
        known = self.known
        return (self.seen,) if known is None else (self.seen, known)

    @property
    def inside(self) -> Tensor | None:
        """Mask of sequences, ``(n, width)``: 1 for steps, 0 for padding; None if rows are not sequences."""
        if self.lengths is None:
            return None
        width = self.form[1]
        return self.steps_inside.repeat_interleave(width, dim=1).float()

    @property
    def steps_inside(self) -> Tensor:
        """Mask of the steps that are not padding, ``(n, steps)`` bool."""
        if self.lengths is None:
            return torch.ones(len(self), self.form[0], dtype=torch.bool, device=self.device)
        return torch.arange(self.form[0], device=self.device) < self.lengths[:, None]

    @property
    def lengths_on_cpu(self) -> Tensor:
        """Number of steps of each sequence, ``(n,)``, in the CPU's memory."""
        if self.lengths is None:
            return torch.full((len(self),), self.form[0])
        return self.lengths.cpu() if self.known_lengths is None else torch.from_numpy(self.known_lengths)

    @property
    def known(self) -> Tensor | None:
        """Mask of the values, ``(n, width)``: 0 for missing values and padding, else 1; None if all are values."""
        if self.holes:
            return (~self.dense().isnan()).float()
        return self.inside
