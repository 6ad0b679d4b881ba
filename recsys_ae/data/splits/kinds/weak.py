"""A random share of each user's interactions (weak generalisation)."""

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.assign import last_of_each, portion, split_by
from recsys_ae.data.splits.checks import active, checked_seed, shares
from recsys_ae.data.splits.holdout import Split


def split_interactions(data: Interactions, *, test: float = 0.2, valid: float = 0.1, seed: int = 0) -> Split:
    """Hold out a random share of every user's interactions (weak generalisation).

    The shares are of the user's interactions, at least one each where that leaves one to train on: a user with one
    interaction has no target, a user with two no validation target. Test histories are the training and validation
    interactions. ``valid=0`` makes no validation part.
    """
    shares(test=test, valid=valid)
    data = active(data)
    lengths = np.diff(data.matrix.indptr)
    n_test = portion(lengths, test)
    n_valid = portion(lengths, valid, besides=n_test)
    part = last_of_each(data, n_test, n_valid, np.random.default_rng(checked_seed(seed)).permutation(data.nnz))
    return split_by(data, part, "held-out interactions", valid=valid > 0)


def split(data: Interactions, *, split_seed: int = 0, valid_share: float = 0.1) -> Split:
    """Split as a recipe says."""
    return split_interactions(data, valid=valid_share, seed=split_seed)
