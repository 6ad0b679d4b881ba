"""Search by example: which rows have a code like that of another, and whether they share its label."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.distances import Points, slices

Likeness: TypeAlias = Literal["euclidean", "cosine"]
BLOCK = 2**22
"""Distances held at a time: 32 MiB."""


def nearest(codes: np.ndarray, queries: np.ndarray, k: int, *, metric: Likeness = "euclidean") -> np.ndarray:
    """Return the positions of the k codes nearest to each query ``(m, latent)``, the nearest first, ``(m, k)``.

    Of equally near codes the first ones come first. A query that is one of the codes finds itself.
    """
    if not 1 <= k <= len(codes):
        raise ConfigError(f"k = {k} neighbours of {len(codes):,} codes: expected 1 to {len(codes):,}")
    found = [_first(block, k) for _, block in _distances(codes, queries, metric)]
    return np.concatenate(found) if found else np.empty((0, k), np.int64)


def retrieval(
    codes: np.ndarray,
    labels: np.ndarray,
    *,
    k: int = 10,
    queries: np.ndarray | None = None,
    metric: Likeness = "euclidean",
) -> dict[str, float]:
    """Return ``precision@k`` and ``map``, the means of `each_query` over the queries whose label another row has."""
    found = each_query(codes, labels, k=k, queries=queries, metric=metric)
    return {str(name): float(found[name].mean()) for name in found}


def each_query(
    codes: np.ndarray,
    labels: np.ndarray,
    *,
    k: int = 10,
    queries: np.ndarray | None = None,
    metric: Likeness = "euclidean",
) -> pd.DataFrame:
    """Rank all other rows by how near their codes are to that of a query; right are those with its label.

    Returns
    -------
    pandas.DataFrame
        A row for each query, called by its position: ``precision@k``, the share of the k nearest that are right, and
        ``map``, the precision down to each right row, averaged over all right rows (Manning, Raghavan, Schütze 2008,
        section 8.4). NaN where no other row has the query's label.

    Parameters
    ----------
    queries
        Positions of rows, ``(m,)``; the default is every row.
    """
    n, known = len(codes), np.asarray(labels)
    if known.shape != (n,):
        raise DataError(f"there are {n:,} codes, but labels of shape {known.shape}; expected one for each code")
    if not 1 <= k < n:
        raise ConfigError(f"k = {k} of {n - 1:,} other rows: expected 1 to {n - 1:,}")
    chosen = np.arange(n) if queries is None else np.asarray(queries)
    found = np.empty((len(chosen), 2))
    for part, block in _distances(codes, np.asarray(codes)[chosen], metric):
        own = chosen[part]
        block[np.arange(len(own)), own] = np.inf
        order = np.argsort(block, axis=1, kind="stable")[:, : n - 1]
        right = known[order] == known[own, None]
        many = right.sum(axis=1)
        precision = np.cumsum(right, axis=1) / np.arange(1, n)
        found[part, 0] = np.where(many > 0, precision[:, k - 1], np.nan)
        found[part, 1] = (precision * right).sum(axis=1) / np.where(many > 0, many, np.nan)
    return pd.DataFrame(found, index=pd.Index(chosen, name="query"), columns=[f"precision@{k}", "map"])


def _distances(codes: np.ndarray, queries: np.ndarray, metric: Likeness) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of numbers that grow with the distance of queries from all codes, ``(block, n)``."""
    if metric == "euclidean":
        points = Points.of(codes, what="codes")
        others = Points.of(queries, like=points, what="queries")
    elif metric == "cosine":
        unit, turned = _unit(codes), _unit(queries)
    else:
        raise ConfigError(f"metric = {metric!r} is not euclidean or cosine")
    for part in slices(len(queries), max(1, BLOCK // len(codes))):
        yield part, (others.squared(part, points) if metric == "euclidean" else 1 - turned[part] @ unit.T)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Return rows of length 1; a row of zeros stays one, which is like nothing."""
    exact = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    found: np.ndarray = np.divide(exact, lengths, out=np.zeros_like(exact), where=lengths > 0)
    return found


def _first(distances: np.ndarray, k: int) -> np.ndarray:
    """Return the positions of the k least of each row, the least first, of equals the first ones."""
    last = np.partition(distances, k - 1, axis=1)[:, k - 1]
    found = np.empty((len(distances), k), np.int64)
    for place, (row, most) in enumerate(zip(distances, last, strict=True)):
        among = np.flatnonzero(row <= most)
        found[place] = among[np.argsort(row[among], kind="stable")[:k]]
    return found
