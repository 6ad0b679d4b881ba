"""Validation of a recommender during its fit: metrics and users."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recsys_ae import metrics
from recsys_ae.data.id_matching import match
from recsys_ae.data.interactions import Ids
from recsys_ae.data.splits.split import Holdout
from recsys_ae.nn.model import Model, Spec, Validate
from recsys_ae.ranking.rank import validation


def monitors(spec: Spec) -> tuple[str, ...]:
    """Return the names of the validation metrics: the default ones and the monitors of the model."""
    usual = metrics.ERRORS if spec.feedback == "explicit" else metrics.DEFAULT
    of_model = getattr(spec, "monitors", (spec.monitor,))
    return tuple(dict.fromkeys((*usual, *of_model)))


def measure_on(
    valid: Holdout | None,
    spec: Spec,
    network: Model,
    popularity: Tensor,
    users: Ids,
    receive: Callable[[Mapping[str, NDArray[np.float64]]], None] | None = None,
) -> Validate | None:
    """Return a function that evaluates the network on validation users; None without validation users.

    Validation users who are among the training ``users`` are evaluated with what the model has learnt of them.
    ``receive`` is called with the metrics of each user.
    """
    if valid is None:
        return None
    return validation(network, popularity, valid, monitors(spec), match(users, valid.users), receive)
