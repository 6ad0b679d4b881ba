"""Metric of a search for each validation user."""

from typing import Any

import numpy as np

from recsys_ae.data.splits.split import Split
from recsys_ae.metrics import errors_per_user, parse, per_user, smaller_is_better
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.tuning.pruning import Values


def measured(model: Recommender, split: Split, metric: str) -> Values:
    """Return the metric of a fitted recommender for each validation user of a split."""
    valid = split.valid
    if valid is None:
        raise RuntimeError("a search needs validation users")
    known: dict[str, Any] = {"users": valid.users} if model.knows_users else {}
    if smaller_is_better(metric):
        targets = valid.targets
        rows = np.repeat(np.arange(targets.shape[0]), np.diff(targets.indptr))
        predicted = model.predict(valid.histories, (rows, targets.indices.astype(np.int64)), **known)
        return errors_per_user(predicted, targets, [metric])[metric]
    items, _ = model.recommend(valid.histories, parse(metric).k, **known)
    return per_user(items, valid.targets, [metric])[metric]
