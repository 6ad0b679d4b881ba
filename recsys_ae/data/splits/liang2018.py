"""Split of "Variational autoencoders for collaborative filtering" (Liang et al., WWW 2018), reproduced draw by draw.

Published results are comparable only with the same users, items and targets. NumPy's legacy generator is therefore
called exactly as often, and in the same order, as in the authors' procedure.
"""

import numpy as np
import pandas as pd

from recsys_ae.data.interactions import Ids, Interactions
from recsys_ae.data.splits.holdout import Holdout, Split, hold_out, training_part

SEED = 98765
"""Seed of the paper's results."""

FOLD_IN = 0.8
LEAST = 5
"""Users with fewer interactions with known items have no targets."""


def split_liang2018(data: Interactions, n_valid: int, n_test: int, seed: int = SEED) -> Split:
    """Split users as in the paper: users in the drawn order, items in the order of their first appearance."""
    ascending = _ascending(data.users)
    drawn = np.random.RandomState(seed).permutation(data.shape[0])
    n_train = data.shape[0] - n_valid - n_test
    groups = np.split(ascending[drawn], [n_train, n_train + n_valid])
    # Items of training users are ordered by their first row in the source.
    train = data.select_users(groups[0])
    appearance = train.matrix.indices[np.argsort(train.order, kind="stable")]
    items = train.items[pd.unique(appearance)]
    train = training_part(data, train, "held-out users", items=items)
    rank = np.empty(len(ascending), np.int64)
    rank[ascending] = np.arange(len(ascending))
    valid, test = (
        _fold_in(data.select_users(group), rank[group], items, seed) if len(group) else None for group in groups[1:]
    )
    return Split.of(train, valid, test)


def _fold_in(data: Interactions, rank: np.ndarray, items: Ids, seed: int) -> Holdout:
    """Hide a fifth of each user's interactions; ``rank`` is the position of each row's id among the sorted ids."""
    on_known_items = data.take(items.get_indexer(data.items)[data.matrix.indices] >= 0)
    target = np.zeros(on_known_items.nnz, dtype=bool)
    random = np.random.RandomState(seed)
    for row in np.argsort(rank):
        start, end = on_known_items.matrix.indptr[row : row + 2]
        n = int(end - start)
        if n >= LEAST:
            in_source_order = start + np.argsort(on_known_items.order[start:end], kind="stable")
            target[in_source_order[random.choice(n, int(0.2 * n), replace=False)]] = True
    # Unknown items are removed before targets are drawn, so each of them counts: it might have been a target.
    holdout = hold_out(on_known_items, ~target, target, items)
    return Holdout(holdout.histories, holdout.targets, holdout.users, data.nnz - on_known_items.nnz)


def _ascending(users: Ids) -> np.ndarray:
    """Return the positions of the ids in ascending order; ids that cannot be compared keep their order."""
    try:
        return np.asarray(users.argsort(), dtype=np.int64)
    except TypeError:
        return np.arange(len(users), dtype=np.int64)
