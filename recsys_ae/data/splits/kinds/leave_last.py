"""Each user's latest interactions."""

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.assign import last_of_each, split_by
from recsys_ae.data.splits.checks import active, known_times
from recsys_ae.data.splits.holdout import Split
from recsys_ae.errors import Argument, DataError


def split_last(data: Interactions, *, n_test: int = 1, n_valid: int = 1) -> Split:
    """Hold out the latest interactions of each user; among equal times, the last in the source is the latest.

    Each user keeps at least one interaction for training, so users with few interactions have fewer targets, or none.
    Test histories are the training and validation interactions. ``n_valid=0`` makes no validation part.
    """
    if n_test < 1 or n_valid < 0:
        expected = ": expected at least 1 and at least 0"
        raise DataError(Argument("n_test", n_test), " and ", Argument("n_valid", n_valid), expected)
    data = active(data)
    times = known_times(data)
    available = np.diff(data.matrix.indptr) - 1
    n_tests = np.minimum(n_test, available)
    rank = np.empty(data.nnz, np.int64)
    rank[np.lexsort((data.order, times))] = np.arange(data.nnz)
    assignment = last_of_each(data, n_tests, np.minimum(n_valid, available - n_tests), rank)
    return split_by(data, assignment, "latest interactions of each user", valid=n_valid > 0)


def split(data: Interactions) -> Split:
    """Split by the options of a recipe."""
    return split_last(data)
