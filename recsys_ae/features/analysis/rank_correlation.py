"""Exact Spearman rank correlation of more pairs of numbers than fit into memory.

Pairs are put into buckets by their first number, and each bucket is sorted separately, which gives the first ranks. The
second ranks follow in the same way. Pairs that do not fit into memory are kept in temporary files.
"""

import math
import tempfile
from collections.abc import Iterator
from typing import Self

import numpy as np

from recsys_ae.errors import ConfigError

BYTES = 128
"""Bytes per pair for ranking a bucket, times two, because buckets are not equally full."""


class RankCorrelation:
    """Spearman's ρ (1904) of ``n`` pairs that are added in blocks; ties have the mean of their ranks.

    It is a context manager that always removes its files.

    Parameters
    ----------
    first, second
        Samples of both numbers, which set the bounds of the buckets; a poor sample costs only memory.
    memory
        Bytes in memory; beyond that, pairs take 16 bytes each on disk.
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
        """Add a block of pairs, ``(m,)`` each."""
        self._first.add(first, second)

    def value(self) -> float:
        """Return ρ of all pairs, NaN if one side is constant; this removes the pairs."""
        middle, before = (self.n + 1) / 2, 0
        for first, second in self._first.emptied():
            self._second.add(second, before + average_ranks(first) - middle)
            before += len(first)
        products = first_squares = second_squares = 0.0
        before = 0
        for second, first_ranks in self._second.emptied():
            ranks = before + average_ranks(second) - middle
            before += len(second)
            products += float(first_ranks @ ranks)
            first_squares += float(first_ranks @ first_ranks)
            second_squares += float(ranks @ ranks)
        defined = first_squares and second_squares
        return products / math.sqrt(first_squares * second_squares) if defined else math.nan


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks of values, from 1; equal values have the mean of their ranks, ``(n,)`` float64."""
    order = np.argsort(values)
    ordered = values[order]
    starts = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, [len(values)]))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((starts[:-1] + starts[1:] + 1) / 2, np.diff(starts))
    return ranks


class _Buckets:
    """Pairs in buckets by the size of their keys, in memory or in files that are removed when closed."""

    def __init__(self, sample: np.ndarray, many: int, memory: int) -> None:
        self.edges = np.unique(np.quantile(sample, np.arange(1, many) / many))
        many = len(self.edges) + 1
        self.files = [tempfile.SpooledTemporaryFile(max_size=memory // many) for _ in range(many)]  # noqa: SIM115  closed by the caller

    def add(self, keys: np.ndarray, values: np.ndarray) -> None:
        where = np.searchsorted(self.edges, keys, side="right").astype(np.uint16)
        order = np.argsort(where, kind="stable")
        table = np.empty((len(keys), 2))
        table[:, 0], table[:, 1] = keys[order], values[order]
        ends = np.cumsum(np.bincount(where, minlength=len(self.files)))[:-1]
        try:
            for file, pairs in zip(self.files, np.split(table, ends), strict=True):
                file.write(pairs.tobytes())
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
