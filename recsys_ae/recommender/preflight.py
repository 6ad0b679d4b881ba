"""What a model needs before it can be fitted: asked before anything is built."""

from collections.abc import Mapping

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.parsing import shown
from recsys_ae.data.splits.split import Holdout
from recsys_ae.errors import DataError, TrainingError
from recsys_ae.features.data.features import Features
from recsys_ae.features.nn import footprint as feature_footprint
from recsys_ae.features.nn.contract import FeatureShape, FeatureSpec
from recsys_ae.nn.footprint import memory
from recsys_ae.nn.model import Shape, Spec
from recsys_ae.nn.runtime import Run, free_memory
from recsys_ae.nn.softmax.output import SoftmaxSpec
from recsys_ae.nn.training.model import TrainableSpec
from recsys_ae.spec.hyper import describe


def check(spec: Spec, train: Interactions, run: Run, features: int = 0) -> None:
    """Raise if the data or the machine do not suffice for a model that is given so many features of each item.

    Raises
    ------
    DataError
        For ratings that do not differ where ratings are to be predicted, and for negative values elsewhere.
    TrainingError
        Where there is too little memory; says how much is needed and how much there is.
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
    _refuse_too_large(name, f"{users:,} users and {items:,} items", parts, run, _way_out(spec, parts))


def check_features(spec: FeatureSpec, features: Features, valid: Features | None, run: Run) -> None:
    """Raise if features are not what a model of them reads, or the machine does not suffice.

    Raises
    ------
    DataError
        Where there is nothing to learn from, and for rows that the model cannot read.
    TrainingError
        Where there is too little memory; says how much is needed and how much there is.
    """
    shape = FeatureShape(len(features), features.width, features.form)
    if 0 in shape[:2]:
        raise DataError(f"there is nothing to learn from: {shape.n_rows:,} rows of {shape.width:,} columns")
    spec.check(shape)
    parts = feature_footprint.memory(spec, features, valid)
    what = f"{shape.n_rows:,} rows of {shape.width:,} columns"
    _refuse_too_large(spec.name(), what, parts, run, _way_out_of_features(spec, parts))


def _refuse_too_large(name: str, what: str, parts: Mapping[str, int], run: Run, way_out: str) -> None:
    free, needed = free_memory(run.torch_device), sum(parts.values())
    if free is not None and needed > free:
        raise TrainingError(
            f"{name} needs {needed / 2**30:,.1f} GiB for {what}, and {free / 2**30:,.1f} GiB are free; {way_out}"
        )


def _way_out_of_features(spec: FeatureSpec, parts: Mapping[str, int]) -> str:
    """Say what would need less memory, by what most of it is for."""
    largest = max(parts, key=lambda what: parts[what])
    known = {one.name for one in describe(type(spec))}
    if largest == "features":
        change = "take fewer rows or columns, or smaller pictures (--image-size)"
    elif largest == "matrices of the closed form":
        change = "find the components by products (--solver randomised), or take fewer columns"
    elif largest in ("a batch", "what its gradient needs"):
        change = "make batch_size smaller (--batch-size), or pictures (--image-size)"
    else:
        sizes = [name for name in ("hidden", "channels", "width", "latent") if name in known]
        change = f"make {' or '.join(sizes)} smaller, or take fewer columns: pca reduces them"
    return f"most of it is for {largest}: {change}"


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
