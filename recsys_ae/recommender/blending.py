"""Blending of fitted models: one model with the weighted mean of their scores."""

import math
import time
from collections.abc import Sequence

import pandas as pd

from recsys_ae.data.origin import FINGERPRINT, RECIPE
from recsys_ae.data.parsing import shown
from recsys_ae.data.splits.split import Holdout
from recsys_ae.errors import DataError
from recsys_ae.models.blend import Blend, network_of, text_of
from recsys_ae.nn.history import VALIDATION, History
from recsys_ae.ranking.score_fusion import Scale
from recsys_ae.recommender.metadata import KEPT, OF_REFIT
from recsys_ae.recommender.preflight import refuse_other_items
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.recommender.state import Fitted
from recsys_ae.recommender.validating import measure_on


def blend(
    models: Sequence[Recommender],
    valid: Holdout | None = None,
    *,
    scale: Scale = "standard",
    weights: Sequence[float] = (),
    monitor: str = "ndcg@100",
    seconds: float = math.inf,
) -> Recommender:
    """Return the blend of fitted models, a model that ranks items by the weighted mean of their scores.

    Parameters
    ----------
    models
        Two or more models, fitted on the same interactions. They stay as they are.
    valid
        Validation users on whom the weights are selected. Metrics on these users are then slightly optimistic.
    scale
        Scale on which scores are mixed: ``"standard"`` for standard deviations from each user's mean, ``"rank"`` for
        1 / (60 + rank).
    weights
        Weight of each model. By default the weights are selected on ``valid``, or are equal without ``valid``.
    monitor
        Metric that selects the weights.
    seconds
        Longest duration of the search for the weights.

    Returns
    -------
    Recommender
        The blend. It shares the networks of the models. Its metadata are those of the first model, and
        ``metadata["members"]`` has those of each.

    Raises
    ------
    NotFittedError
        If a model has not been fitted.
    ConfigError
        If there are fewer than two models, or not one weight for each.
    DataError
        If the models do not know the same items in the same order, were fitted on different interactions, or are on
        different devices.
    """
    started = time.perf_counter()
    networks = [model.network for model in models]  # raises if a model is not fitted
    spec = Blend(
        members=tuple(text_of(model.spec) for model in models), weights=tuple(weights), scale=scale, monitor=monitor
    )
    first, *other_models = models
    for number, model in enumerate(other_models, start=2):
        _refuse_misfit(model, f"model {number} ({model.spec.name()})", first)
    users = next((model.users for model in models if len(model.users)), pd.Index([]))
    if valid is not None:
        refuse_other_items(valid, len(first.items))
    popularity = first.parts.popularity
    network = network_of(spec, networks).eval()
    network.weights = network.weights.to(popularity.device)
    measure = measure_on(valid, spec, network, popularity, users)
    network.weigh(measure, seconds)
    history = History()
    if measure is not None:
        measured = {f"{VALIDATION}{name}": value for name, value in measure().items()}
        history = History.replayed([measured], spec.monitor)
    metadata = {
        **{name: fact for name, fact in first.metadata.items() if name not in OF_REFIT},
        "model": spec.name(),
        "split_fingerprint": None if valid is None else valid.fingerprint,
        "seconds": round(sum(model.metadata["seconds"] for model in models) + time.perf_counter() - started, 3),
        "members": [{**model.metadata, KEPT: model.history.kept_epoch} for model in models],
    }
    notes = {name: first.notes[name] for name in (RECIPE, FINGERPRINT) if name in first.notes}
    return Recommender.assembled(Fitted(spec, network, popularity, first.items, users, None, history, metadata, notes))


def _refuse_misfit(model: Recommender, name: str, first: Recommender) -> None:
    """Raise a `DataError` if a model cannot be blended with the first one; the message says how they differ."""
    origin = f"model 1 ({first.spec.name()})"
    if len(model.items) != len(first.items):
        raise DataError(
            f"{name} knows {len(model.items):,} items and {origin} {len(first.items):,}; fit both on the same split"
        )
    if not model.items.equals(first.items):
        position = next(
            i for i, (first_id, id) in enumerate(zip(first.items, model.items, strict=True)) if first_id != id
        )
        raise DataError(
            f"the items of {name} and of {origin} differ first at position {position:,}: "
            f"{shown(model.items[position])} and {shown(first.items[position])}; fit both on the same split"
        )
    if model.metadata["train_fingerprint"] != first.metadata["train_fingerprint"]:
        raise DataError(
            f"{name} was fitted on the interactions {model.metadata['train_fingerprint']} and {origin} on "
            f"{first.metadata['train_fingerprint']}: users, items or ratings differ; fit both on the same split"
        )
    device, first_device = (recommender.parts.popularity.device for recommender in (model, first))
    if device != first_device:
        raise DataError(f"{name} is on {device} and {origin} on {first_device}; load both on the same device")
