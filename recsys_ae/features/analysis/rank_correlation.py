"""Spearman's rank correlation of more pairs of numbers than memory holds, exact.

Pairs are dealt into buckets by their first number, each of which is sorted alone, which gives their first ranks; then
into buckets by their second number. What does not fit into memory lies in temporary files meanwhile.
"""

import math
import tempfile
from collections.abc import Iterator
from typing import Self

import numpy as np

from recsys_ae.errors import ConfigError

BYTES = 128
"""Bytes that ranking a bucket takes for each of its pairs, twice over, since buckets are not equally full."""


class RankCorrelation:
    """Spearman's ρ (1904), ties with the mean of their ranks, of ``n`` pairs that come in blocks.

    As a context it removes its files whatever happens.

    Parameters
    ----------
    first, second
        A sample of the numbers to come, by which buckets are bounded; a poor one costs memory only.
    memory
        Bytes; beyond that 16 for each pair lie on disk.
    """

    def __init__(self, n: int, first: np.ndarray, second: np.ndarray, memory: int) -> None:
        self.n = n
        many = max(1, math.ceil(n * BYTES / memory))
        self._first, self._second = (_Buckets(sample, many, memory // 4) for sample in (first, second))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (*self._first.files, *self._second.files):
            file.close()

    def add(self, first: np.ndarray, second: np.ndarray) -> None:
        """Take a block of pairs, ``(m,)`` each."""
        self._first.add(first, second)

    def value(self) -> float:
        """Return ρ of all pairs, NaN where one side is constant; the pairs are used up."""
        middle, before = (self.n + 1) / 2, 0
        for first, second in self._first.emptied():
            self._second.add(second, before + average_ranks(first) - middle)
            before += len(first)
        both = ones = others = 0.0
        before = 0
        for second, first_ranks in self._second.emptied():
            ranks = before + average_ranks(second) - middle
            before += len(second)
            both += float(first_ranks @ ranks)
            ones += float(first_ranks @ first_ranks)
            others += float(ranks @ ranks)
        return both / math.sqrt(ones * others) if ones and others else math.nan


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value from 1, equal ones with the mean of theirs, ``(n,)`` float64."""
    order = np.argsort(values)
    ordered = values[order]
    starts = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, [len(values)]))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((starts[:-1] + starts[1:] + 1) / 2, np.diff(starts))
    return ranks


class _Buckets:
    """Pairs parted by the size of their keys, in memory or else in files that vanish when they are closed."""

    def __init__(self, sample: np.ndarray, many: int, memory: int) -> None:
        self.edges = np.unique(np.quantile(sample, np.arange(1, many) / many))
        many = len(self.edges) + 1
        self.files = [tempfile.SpooledTemporaryFile(max_size=memory // many) for _ in range(many)]  # noqa: SIM115  closed by whom they serve

    def add(self, keys: np.ndarray, values: np.ndarray) -> None:
        where = np.searchsorted(self.edges, keys, side="right").astype(np.uint16)
        order = np.argsort(where, kind="stable")
        table = np.empty((len(keys), 2))
        table[:, 0], table[:, 1] = keys[order], values[order]
        ends = np.cumsum(np.bincount(where, minlength=len(self.files)))[:-1]
        try:
            for file, part in zip(self.files, np.split(table, ends), strict=True):
                file.write(part.tobytes())
        except OSError as error:
            raise ConfigError(
                f"pairs do not fit into {tempfile.gettempdir()} ({error}); set TMPDIR to a larger folder, allow more "
                "memory, or use fewer points"
            ) from error

    def emptied(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for file in self.files:
            with file:
                file.seek(0)
                table = np.frombuffer(file.read(), np.float64).reshape(-1, 2)
            if len(table):
                yield table[:, 0].copy(), table[:, 1].copy()
