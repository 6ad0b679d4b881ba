"""A test part as published or in a file of its own."""

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.assign import TRAIN, holdouts, last_of_each, portion
from recsys_ae.data.splits.checks import active, checked_seed, shares
from recsys_ae.data.splits.holdout import Split, given_test, items_with_interactions


def split_given(
    train: Interactions,
    test: Interactions,
    *,
    valid: float = 0.1,
    seed: int = 0,
    read: Interactions | None = None,
) -> Split:
    """Keep a given training and test part; hold out a share of each user's training interactions for validation.

    The history of a test user is all their interactions in the given training part, and empty for a user who is not in
    it. The items are those of the given training part; test interactions with other items are dropped and counted.
    ``valid=0`` makes no validation part.

    Parameters
    ----------
    read
        The training part before a filter such as `MinInteractions` removed users. A test user who is not in ``train``
        then keeps their history in ``read``, on the items of ``train``.
    """
    shares(valid=valid)
    base, items = active(train), items_with_interactions(train)
    base = base.moved(items.get_indexer(base.items), items)
    test = active(test)
    test_users = given_test(base, test, read)
    lengths = np.diff(base.matrix.indptr)
    n_valid = portion(lengths, valid)
    assignment = last_of_each(
        base, 0 * lengths, n_valid, np.random.default_rng(checked_seed(seed)).permutation(base.nnz)
    )
    valid_users, _ = holdouts(base, assignment, base.items, valid=valid > 0)
    training = base.take(assignment == TRAIN, name="validation interactions" if valid else None)
    return Split.of(training, valid_users, test_users)


def split(
    data: Interactions,
    *,
    test: Interactions,
    read: Interactions | None,
    split_seed: int = 0,
    valid_share: float = 0.1,
) -> Split:
    """Split by the options of a recipe."""
    return split_given(data, test, valid=valid_share, seed=split_seed, read=read)
