"""Interactions in the shape of large data sets, drawn in seconds: for timings, not for quality."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae import Interactions

SLOPE = 0.9  # of the items' popularity by rank, as in MovieLens
SPREAD = 1.0  # standard deviation of the logarithm of the users' numbers of items


def interactions(users: int, items: int, wanted: int, seed: int = 0) -> Interactions:
    """Return about ``wanted`` interactions; every user has at least one, and some items are far more popular."""
    matrix = draw(users, items, wanted, seed)
    return Interactions(matrix, pd.RangeIndex(users), pd.RangeIndex(items))


def draw(users: int, items: int, wanted: int, seed: int = 0) -> csr_matrix:
    """Return the same as a matrix; popular items that are drawn twice by a user are missing from the wanted number."""
    rng = np.random.default_rng(seed)
    share = np.exp(SPREAD * rng.standard_normal(users))
    counts = np.clip(np.rint(share * (wanted / share.sum())), 1, max(1, items // 2)).astype(np.int64)
    popularity = np.cumsum((np.arange(items) + 10.0) ** -SLOPE)
    ranks = np.searchsorted(popularity, rng.random(counts.sum()) * popularity[-1], side="right")
    order = rng.permutation(items)  # so that popular items lie anywhere
    keys = np.repeat(np.arange(users), counts) * items + order[np.minimum(ranks, items - 1)]
    keys.sort()  # `np.unique` takes fifty times as long
    keys = keys[np.append(True, keys[1:] > keys[:-1])]
    rows, columns = np.divmod(keys, items)
    indptr = np.append(0, np.cumsum(np.bincount(rows, minlength=users)))
    matrix = csr_matrix((np.ones(len(keys), np.float32), columns.astype(np.int32), indptr), shape=(users, items))
    matrix.has_canonical_format = True
    return matrix
