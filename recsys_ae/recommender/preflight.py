"""Checks of interactions and memory before a fit begins."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.parsing import shown
from recsys_ae.data.splits.split import Holdout
from recsys_ae.errors import Argument, DataError, Message
from recsys_ae.nn.capacity import refuse_too_large
from recsys_ae.nn.footprint import memory
from recsys_ae.nn.model import Shape, Spec
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.softmax.output import SoftmaxSpec
from recsys_ae.nn.training.model import TrainableSpec


def check(spec: Spec, train: Interactions, run: Run, features: int = 0) -> None:
    """Check that a model can be fitted to the data on this machine; ``features`` is the number of item features.

    Raises
    ------
    DataError
        If all ratings are equal and the model predicts ratings, or if values are negative and the model reads counts.
    TrainingError
        If memory does not suffice; the message says how much is needed and how much is free.
    """
    name, values = spec.name(), train.matrix.data
    if spec.feedback == "explicit" and values.min() == values.max():
        raise DataError(
            f"all {train.nnz:,} ratings are {values[0]:g}, so there is nothing to predict; {name} needs ratings that "
            "differ: name the column of the ratings, and do not set ",
            Argument("min_rating"),
        )
    if spec.feedback == "implicit" and values.min() < 0:
        first = int(np.argmax(values < 0))
        user = train.users[int(np.searchsorted(train.matrix.indptr, first, side="right")) - 1]
        item = train.items[train.matrix.indices[first]]
        raise DataError(
            f"{int((values < 0).sum()):,} of {train.nnz:,} values are negative, the first {values[first]:g} of user "
            f"{shown(user)} and item {shown(item)}; {name} reads values as counts of interactions: keep only "
            "ratings above a threshold with ",
            Argument("min_rating"),
        )
    users, items = train.shape
    bytes_needed = memory(spec, Shape(users, items, features, run.torch_device), train.nnz)
    refuse_too_large(name, f"{users:,} users and {items:,} items", bytes_needed, run, *_way_out(spec, bytes_needed))


def _way_out(spec: Spec, bytes_needed: Mapping[str, int]) -> Message:
    """Return the changes that need less memory."""
    fewer_items = "keep fewer items (", Argument("min_item_users"), ")"
    if not isinstance(spec, TrainableSpec):
        single = Argument("dtype", "float32")
        return *fewer_items, ", compute with ", single, ", or use elsa, which needs memory for items × latent only"
    largest = max(bytes_needed, key=lambda purpose: bytes_needed[purpose])
    changes: list[Message] = [fewer_items, ("lower ", Argument("latent"), " or ", Argument("hidden"))]
    if largest == "outputs of a batch":
        changes.insert(0, ("lower ", Argument("batch_size")))
    if isinstance(spec, SoftmaxSpec) and not spec.sampled_items:
        changes.append(("compute the loss on sampled items with ", Argument("sampled_items", 5000)))
    listed = [part for change in changes for part in (", or ", *change)][1:]
    return f"most of it is for {largest}: ", *listed


def refuse_other_types(train: Any, valid: Any = None) -> None:
    """Raise a `DataError` unless training data are interactions, and validation users a holdout."""
    if not isinstance(train, Interactions):
        raise DataError(
            f"train must be Interactions, not {type(train).__name__}; make them with Interactions.from_frame or "
            "Interactions.from_matrix"
        )
    if valid is not None and not isinstance(valid, Holdout):
        raise DataError(f"valid must be a Holdout such as split.valid, not {type(valid).__name__}")


def refuse_other_items(valid: Holdout, n_items: int) -> None:
    """Raise a `DataError` if the validation users have another number of items than the training data."""
    if valid.histories.shape[1] != n_items:
        raise DataError(
            f"the validation users have {valid.histories.shape[1]:,} items and the training data {n_items:,}; "
            "take both from the same split"
        )
