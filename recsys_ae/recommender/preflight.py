"""Checks of interactions and memory before a fit begins."""

from collections.abc import Mapping

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.parsing import shown
from recsys_ae.data.splits.split import Holdout
from recsys_ae.errors import DataError
from recsys_ae.nn.capacity import refuse_too_large
from recsys_ae.nn.footprint import memory
from recsys_ae.nn.model import Shape, Spec
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.softmax.output import SoftmaxSpec
from recsys_ae.nn.training.model import TrainableSpec


def check(spec: Spec, train: Interactions, run: Run, features: int = 0) -> None:
    """Raise if the data or the machine do not suffice for a model that is given so many features of each item.

    Raises
    ------
    DataError
        For ratings that do not differ when ratings are to be predicted, and for negative values elsewhere.
    TrainingError
        If there is too little memory; says how much is needed and how much there is.
    """
    name, values = spec.name(), train.matrix.data
    if spec.feedback == "explicit" and values.min() == values.max():
        raise DataError(
            f"all {train.nnz:,} ratings are {values[0]:g}, so there is nothing to predict; {name} needs ratings that "
            "differ: name their column, and set no rating threshold"
        )
    if spec.feedback == "implicit" and values.min() < 0:
        first = int(np.argmax(values < 0))
        user = train.users[int(np.searchsorted(train.matrix.indptr, first, side="right")) - 1]
        item = train.items[train.matrix.indices[first]]
        raise DataError(
            f"{int((values < 0).sum()):,} of {train.nnz:,} values are negative, the first {values[first]:g} of user "
            f"{shown(user)} and item {shown(item)}; {name} takes a value for how often something happened: keep "
            "ratings from a threshold on (MinRating, --min-rating)"
        )
    users, items = train.shape
    parts = memory(spec, Shape(users, items, features), train.nnz)
    refuse_too_large(name, f"{users:,} users and {items:,} items", parts, run, _way_out(spec, parts))


def _way_out(spec: Spec, parts: Mapping[str, int]) -> str:
    """Say what would need less memory."""
    if not isinstance(spec, TrainableSpec):
        return (
            "keep fewer items (--min-item-users), compute in single precision (--dtype float32), or use elsa, which "
            "needs memory for items × latent only"
        )
    largest = max(parts, key=lambda what: parts[what])
    changes = ["keep fewer items (--min-item-users)", "make latent or hidden smaller"]
    if largest == "outputs of a batch":
        changes.insert(0, "make batch_size smaller")
    if isinstance(spec, SoftmaxSpec) and not spec.sampled_items:
        changes.append("let samples stand for all items (--sampled-items 5000), whose gradients are sparse")
    return f"most of it is for the {largest}: {', or '.join(changes)}"


def refuse_other_items(valid: Holdout, n_items: int) -> None:
    """Raise if validation users come from another split than the training data."""
    if valid.histories.shape[1] != n_items:
        raise DataError(
            f"the validation users' items ({valid.histories.shape[1]:,}) are not those of the training data "
            f"({n_items:,}); make both with one split"
        )
