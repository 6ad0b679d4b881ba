"""Functions that split interactions into a training, a validation and a test part."""

from recsys_ae.data.splits.holdout import Holdout, Split
from recsys_ae.data.splits.kinds.given import split_given
from recsys_ae.data.splits.kinds.leave_last import split_last
from recsys_ae.data.splits.kinds.ratings import split_ratings
from recsys_ae.data.splits.kinds.strong import split_users
from recsys_ae.data.splits.kinds.time import split_time
from recsys_ae.data.splits.kinds.weak import split_interactions

__all__ = [
    "Holdout",
    "Split",
    "split_given",
    "split_interactions",
    "split_last",
    "split_ratings",
    "split_time",
    "split_users",
]
