"""A test part as published or in a file of its own."""

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.assign import TRAIN, holdouts, last_of_each, portion
from recsys_ae.data.splits.checks import active, checked_seed, shares
from recsys_ae.data.splits.holdout import Split, given_test, touched


def split_given(
    train: Interactions,
    test: Interactions,
    *,
    valid: float = 0.1,
    seed: int = 0,
    read: Interactions | None = None,
) -> Split:
    """Take training and test part as the publisher gives them; validation is a share of each user's training part.

    Test histories are all the given training interactions of the user, none for a user who is not in training. The
    items are those of the given training part: test interactions with others are left out and counted. ``valid=0``
    makes no validation part.

    Parameters
    ----------
    read
        The training part before a filter such as `MinInteractions` took users away. A test user who is not in
        ``train`` then keeps the history that ``read`` has of them, on the items of ``train``.
    """
    shares(valid=valid)
    base = active(train).onto(touched(train))
    test = active(test)
    judged = given_test(base, test, read)
    lengths = np.diff(base.matrix.indptr)
    n_valid = portion(lengths, valid)
    part = last_of_each(base, 0 * lengths, n_valid, np.random.default_rng(checked_seed(seed)).permutation(base.nnz))
    validated, _ = holdouts(base, part, base.items, valid=valid > 0)
    learnt = base.take(part == TRAIN, name="validation interactions" if valid else None)
    return Split.of(learnt, validated, judged)


def split(
    data: Interactions,
    *,
    test: Interactions,
    read: Interactions | None,
    split_seed: int = 0,
    valid_share: float = 0.1,
) -> Split:
    """Split as a recipe says."""
    return split_given(data, test, valid=valid_share, seed=split_seed, read=read)
