"""A random share of each user's interactions (weak generalisation)."""

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.assign import last_of_each, portion, split_by
from recsys_ae.data.splits.checks import active, checked_seed, shares
from recsys_ae.data.splits.holdout import Split


def split_interactions(data: Interactions, *, test: float = 0.2, valid: float = 0.1, seed: int = 0) -> Split:
    """Hold out a random share of each user's interactions (weak generalisation).

    At least one interaction of each user is held out for each part, and one is always kept for training: a user with
    one interaction has no target, and a user with two has no validation target. Test histories are the training and
    validation interactions. ``valid=0`` makes no validation part.
    """
    shares(test=test, valid=valid)
    data = active(data)
    lengths = np.diff(data.matrix.indptr)
    n_test = portion(lengths, test)
    n_valid = portion(lengths, valid, besides=n_test)
    assignment = last_of_each(data, n_test, n_valid, np.random.default_rng(checked_seed(seed)).permutation(data.nnz))
    return split_by(data, assignment, "held-out interactions", valid=valid > 0)


def split(data: Interactions, *, split_seed: int = 0, valid_share: float = 0.1) -> Split:
    """Split by the options of a recipe."""
    return split_interactions(data, valid=valid_share, seed=split_seed)
