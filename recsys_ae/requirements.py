"""What a model needs before it can be fitted: asked before anything is built."""

from collections.abc import Mapping

import numpy as np

from recsys_ae.datasets.columns import shown
from recsys_ae.datasets.interactions import Interactions
from recsys_ae.datasets.splitting import Holdout
from recsys_ae.errors import DataError, TrainingError
from recsys_ae.nn.autoencoder import Shape, Spec, TrainedSpec
from recsys_ae.nn.footprint import memory
from recsys_ae.nn.runtime import Run, free_memory
from recsys_ae.nn.softmax import SoftmaxSpec


def check(spec: Spec, train: Interactions, run: Run) -> None:
    """Raise if the data or the machine do not suffice for a model.

    Raises
    ------
    DataError
        For ratings that do not differ where ratings are to be predicted, and for negative values elsewhere.
    TrainingError
        Where there is too little memory; says how much is needed and how much there is.
    """
    name, values = spec.name(), train.matrix.data
    if spec.reads == "ratings" and values.min() == values.max():
        raise DataError(
            f"all {train.nnz:,} ratings are {values[0]:g}, so there is nothing to predict; {name} needs ratings that "
            "differ: name their column, and set no rating threshold"
        )
    if spec.reads == "interactions" and values.min() < 0:
        first = int(np.argmax(values < 0))
        user = train.users[int(np.searchsorted(train.matrix.indptr, first, side="right")) - 1]
        item = train.items[train.matrix.indices[first]]
        raise DataError(
            f"{int((values < 0).sum()):,} of {train.nnz:,} values are negative, the first {values[first]:g} of user "
            f"{shown(user)} and item {shown(item)}; {name} takes a value for how often something happened: keep "
            "ratings from a threshold on (MinRating, --min-rating)"
        )
    parts, free = memory(spec, Shape(*train.shape), train.nnz), free_memory(run.torch_device)
    needed = sum(parts.values())
    if free is not None and needed > free:
        users, items = train.shape
        raise TrainingError(
            f"{name} needs {needed / 2**30:,.1f} GiB for {users:,} users and {items:,} items, and {free / 2**30:,.1f} "
            f"GiB are free; {_way_out(spec, parts)}"
        )


def _way_out(spec: Spec, parts: Mapping[str, int]) -> str:
    """Say what would need less memory."""
    if not isinstance(spec, TrainedSpec):
        return (
            "keep fewer items (--min-item-users), compute in single precision (--dtype float32), or use elsa, which "
            "needs memory for items × latent only"
        )
    largest = max(parts, key=lambda what: parts[what])
    changes = ["keep fewer items (--min-item-users)", "make latent or hidden smaller"]
    if largest == "outputs of a batch":
        changes.insert(0, "make batch_size smaller")
    if isinstance(spec, SoftmaxSpec) and not spec.samples:
        changes.append("let samples stand for all items (--samples 5000), whose gradients are sparse")
    return f"most of it is for the {largest}: {', or '.join(changes)}"


def refuse_other_items(valid: Holdout, n_items: int) -> None:
    """Raise if validation users come from another split than the training data."""
    if valid.histories.shape[1] != n_items:
        raise DataError(
            f"the validation users' items ({valid.histories.shape[1]:,}) are not those of the training data "
            f"({n_items:,}); make both with one split"
        )
