"""A random tenth of all ratings for validation, and a tenth for test."""

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.assign import TEST, TRAIN, VALID, holdouts
from recsys_ae.data.splits.checks import checked_seed, shares
from recsys_ae.data.splits.holdout import Split

RATED = True
"""All ratings are unchanged unless the recipe sets a threshold, because the error of predicted ratings is measured."""


def split_ratings(data: Interactions, *, test: float = 0.1, valid: float = 0.1, seed: int = 0) -> Split:
    """Hold out a random share of all ratings, to measure the error of predicted ratings.

    Unlike the other splits it keeps users and items without training ratings, because each held-out rating is
    predicted. Test histories are the training and validation ratings. ``valid=0`` makes no validation part.
    """
    shares(test=test, valid=valid)
    drawn = np.random.default_rng(checked_seed(seed)).permutation(data.nnz)
    n_test, n_valid = round(test * data.nnz), round(valid * data.nnz)
    assignment = np.zeros(data.nnz, np.int8)
    assignment[drawn[:n_test]] = TEST
    assignment[drawn[n_test : n_test + n_valid]] = VALID
    train = data.take(assignment == TRAIN, name="held-out ratings")
    return Split.of(train, *holdouts(data, assignment, data.items, valid=valid > 0))


def split(data: Interactions, *, split_seed: int = 0, valid_share: float = 0.1) -> Split:
    """Split by the options of a recipe."""
    return split_ratings(data, valid=valid_share, seed=split_seed)
