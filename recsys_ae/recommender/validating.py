"""Validation of a recommender: which metrics are measured while it is fitted, and on which users."""

from torch import Tensor

from recsys_ae import metrics
from recsys_ae.data.interactions import Ids
from recsys_ae.data.splits.split import Holdout
from recsys_ae.nn.model import Model, Spec, Validate
from recsys_ae.ranking.rank import validation


def monitors(spec: Spec) -> tuple[str, ...]:
    """Return the names of the metrics: the usual ones, and those that the model asks for."""
    usual = metrics.ERRORS if spec.feedback == "explicit" else metrics.DEFAULT
    asked = getattr(spec, "monitors", (spec.monitor,))
    return tuple(dict.fromkeys((*usual, *asked)))


def measure_on(valid: Holdout | None, spec: Spec, network: Model, popularity: Tensor, users: Ids) -> Validate | None:
    """Return what measures the network on validation users; None without them.

    Validation users that are among the training ``users`` are known to a model that tells these apart.
    """
    if valid is None:
        return None
    return validation(network, popularity, valid, monitors(spec), users.get_indexer(valid.users))
