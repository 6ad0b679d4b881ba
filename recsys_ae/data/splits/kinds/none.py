"""No interactions (all are for training)."""

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.holdout import Split

JOINS = True
"""The interactions of a given test part are for training, too."""


def split(data: Interactions) -> Split:
    """Return a split with all data for training."""
    return Split.of(data, None, None)
