"""The split of "Variational autoencoders for collaborative filtering" (Liang et al., WWW 2018), draw by draw.

Published numbers on it are comparable only if the users, the items and the targets are the same, so the legacy
generator is called exactly as often, and in the same order, as in the procedure of the paper.
"""

import numpy as np
import pandas as pd

from recsys_ae.data.interactions import Ids, Interactions
from recsys_ae.data.splits.holdout import Holdout, Split, hold_out, training_part

SEED = 98765
"""The seed behind the paper's numbers."""

FOLD_IN = 0.8
LEAST = 5
"""Users with fewer interactions on known items have no targets."""


def split_liang2018(data: Interactions, n_valid: int, n_test: int, seed: int = SEED) -> Split:
    """Split users as the paper does: rows in the drawn order, items in the order of their first appearance."""
    ascending = _ascending(data.users)
    drawn = np.random.RandomState(seed).permutation(data.shape[0])
    n_train = data.shape[0] - n_valid - n_test
    parts = np.split(ascending[drawn], [n_train, n_train + n_valid])
    # The items of training users number from their first row in the source.
    train = data.select_users(parts[0])
    appearance = train.matrix.indices[np.argsort(train.order, kind="stable")]
    items = train.items[pd.unique(appearance)]
    train = training_part(data, train, "held-out users", items=items)
    rank = np.empty(len(ascending), np.int64)
    rank[ascending] = np.arange(len(ascending))
    valid, test = (
        _fold_in(data.select_users(part), rank[part], items, seed) if len(part) else None for part in parts[1:]
    )
    return Split.of(train, valid, test)


def _fold_in(data: Interactions, rank: np.ndarray, items: Ids, seed: int) -> Holdout:
    """Hide a fifth of each user's interactions; ``rank`` is each row's place among the ascending ids."""
    known = data.take(items.get_indexer(data.items)[data.matrix.indices] >= 0)
    target = np.zeros(known.nnz, dtype=bool)
    random = np.random.RandomState(seed)
    for row in np.argsort(rank):
        start, end = known.matrix.indptr[row : row + 2]
        n = int(end - start)
        if n >= LEAST:
            in_source_order = start + np.argsort(known.order[start:end], kind="stable")
            target[in_source_order[random.choice(n, int(0.2 * n), replace=False)]] = True
    # Unknown items go before the targets are drawn: all of them count, for each might have been one.
    held = hold_out(known, ~target, target, items)
    return Holdout(held.histories, held.targets, held.users, data.nnz - known.nnz)


def _ascending(users: Ids) -> np.ndarray:
    """Return the positions of the ids in ascending order; ids that do not compare keep their order."""
    try:
        return np.asarray(users.argsort(), dtype=np.int64)
    except TypeError:
        return np.arange(len(users), dtype=np.int64)
