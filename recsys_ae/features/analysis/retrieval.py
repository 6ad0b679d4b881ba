"""Retrieval by example: rows with codes near that of a query, and their labels."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.distances import Points, slices

Metric: TypeAlias = Literal["euclidean", "cosine"]
BLOCK = 2**22
"""Number of distances in memory at a time: 32 MiB."""


def nearest(codes: np.ndarray, queries: np.ndarray, k: int, *, metric: Metric = "euclidean") -> np.ndarray:
    """Return the positions of the k codes nearest to each query ``(m, latent)``, the nearest first, ``(m, k)``.

    Equally near codes are in the order of their positions. A query that is one of the codes finds itself.
    """
    if not 1 <= k <= len(codes):
        raise ConfigError(f"k = {k} neighbours of {len(codes):,} codes: expected 1 to {len(codes):,}")
    positions = [_smallest(block, k) for _, block in _distances(codes, queries, metric)]
    return np.concatenate(positions) if positions else np.empty((0, k), np.int64)


def retrieval(
    codes: np.ndarray,
    labels: np.ndarray,
    *,
    k: int = 10,
    queries: np.ndarray | None = None,
    metric: Metric = "euclidean",
) -> dict[str, float]:
    """Return ``precision@k`` and ``map``, the means of `each_query` over queries with a label that another row has."""
    metrics = each_query(codes, labels, k=k, queries=queries, metric=metric)
    return {str(name): float(metrics[name].mean()) for name in metrics}


def each_query(
    codes: np.ndarray,
    labels: np.ndarray,
    *,
    k: int = 10,
    queries: np.ndarray | None = None,
    metric: Metric = "euclidean",
) -> pd.DataFrame:
    """Rank all other rows by the distance of their codes from that of a query; rows with its label are relevant.

    Returns
    -------
    pandas.DataFrame
        A row for each query, with its position as index: ``precision@k``, the share of the k nearest rows that are
        relevant, and ``map``, the average precision: the mean of the precisions at all relevant rows (Manning,
        Raghavan, Schütze 2008, section 8.4). NaN if no other row has the label of the query.

    Parameters
    ----------
    queries
        Positions of rows, ``(m,)``; the default is every row.
    """
    n, labels = len(codes), np.asarray(labels)
    if labels.shape != (n,):
        raise DataError(f"there are {n:,} codes, but labels of shape {labels.shape}; expected one for each code")
    if not 1 <= k < n:
        raise ConfigError(f"k = {k} of {n - 1:,} other rows: expected 1 to {n - 1:,}")
    chosen = np.arange(n) if queries is None else np.asarray(queries)
    metrics = np.empty((len(chosen), 2))
    for rows, block in _distances(codes, np.asarray(codes)[chosen], metric):
        positions = chosen[rows]
        block[np.arange(len(positions)), positions] = np.inf
        order = np.argsort(block, axis=1, kind="stable")[:, : n - 1]
        relevant = labels[order] == labels[positions, None]
        n_relevant = relevant.sum(axis=1)
        precision = np.cumsum(relevant, axis=1) / np.arange(1, n)
        metrics[rows, 0] = np.where(n_relevant > 0, precision[:, k - 1], np.nan)
        metrics[rows, 1] = (precision * relevant).sum(axis=1) / np.where(n_relevant > 0, n_relevant, np.nan)
    return pd.DataFrame(metrics, index=pd.Index(chosen, name="query"), columns=[f"precision@{k}", "map"])


def _distances(codes: np.ndarray, queries: np.ndarray, metric: Metric) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield slices of the queries, and values that grow with their distances from all codes, ``(block, n)``."""
    if metric == "euclidean":
        points = Points.of(codes, name="codes")
        query_points = Points.of(queries, like=points, name="queries")
    elif metric == "cosine":
        unit_codes, unit_queries = _unit(codes), _unit(queries)
    else:
        raise ConfigError(f"metric = {metric!r} is not euclidean or cosine")
    for rows in slices(len(queries), max(1, BLOCK // len(codes))):
        yield (
            rows,
            query_points.squared(rows, points) if metric == "euclidean" else 1 - unit_queries[rows] @ unit_codes.T,
        )


def _unit(rows: np.ndarray) -> np.ndarray:
    """Return rows scaled to length 1; a row of zeros stays zero and is similar to no row."""
    exact = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    units: np.ndarray = np.divide(exact, lengths, out=np.zeros_like(exact), where=lengths > 0)
    return units


def _smallest(distances: np.ndarray, k: int) -> np.ndarray:
    """Return the positions of the k smallest values of each row, ``(m, k)``; equal values in their order."""
    limits = np.partition(distances, k - 1, axis=1)[:, k - 1]
    positions = np.empty((len(distances), k), np.int64)
    for index, (row, limit) in enumerate(zip(distances, limits, strict=True)):
        candidates = np.flatnonzero(row <= limit)
        positions[index] = candidates[np.argsort(row[candidates], kind="stable")[:k]]
    return positions
