"""Blending models that are already fitted."""

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
) -> Recommender:
    """Return the weighted mix of models fitted on the same data, as one model; the models stay as they are.

    Parameters
    ----------
    valid
        Users to choose the weights on. What is measured on them afterwards is a little too good.
    scale
        ``standard`` mixes scores in standard deviations from each user's mean, ``rank`` mixes 1 / (60 + rank).
    weights
        The weight of each model; without any they are chosen on ``valid``, and are equal without that.
    monitor
        The metric that they are chosen by.

    Raises
    ------
    DataError
        If the models do not know the same items in the same order, were not trained on the same interactions, or
        are on several devices.

    Notes
    -----
    The blend holds the networks of the models, not copies of them. Its facts are those of the first, with the facts
    of each in ``metadata["members"]``.
    """
    started = time.perf_counter()
    networks = [model.network for model in models]  # each must be fitted
    spec = Blend(
        members=tuple(text_of(model.spec) for model in models), weights=tuple(weights), scale=scale, monitor=monitor
    )
    first, *others = models
    for place, model in enumerate(others, start=2):
        _refuse_misfit(model, f"model {place} ({model.spec.name()})", first)
    users = next((model.users for model in models if len(model.users)), pd.Index([]))
    if valid is not None:
        refuse_other_items(valid, len(first.items))
    popularity = first.parts.popularity
    network = network_of(spec, networks).eval()
    network.weights = network.weights.to(popularity.device)
    measure = measure_on(valid, spec, network, popularity, users)
    network.weigh(measure)
    history = History()
    if measure is not None:
        measured = {f"{VALIDATION}{name}": value for name, value in measure().items()}
        history = History.replayed([measured], spec.monitor)
    metadata = {
        **first.metadata,
        "model": spec.name(),
        "split_fingerprint": None if valid is None else valid.fingerprint,
        "seconds": round(sum(model.metadata["seconds"] for model in models) + time.perf_counter() - started, 3),
        "members": [model.metadata for model in models],
    }
    notes = {name: first.notes[name] for name in (RECIPE, FINGERPRINT) if name in first.notes}
    return Recommender.assembled(Fitted(spec, network, popularity, first.items, users, None, history, metadata, notes))


def _refuse_misfit(model: Recommender, name: str, first: Recommender) -> None:
    """Raise if a model cannot be mixed with the first, and say where they differ."""
    origin = f"model 1 ({first.spec.name()})"
    if len(model.items) != len(first.items):
        raise DataError(
            f"{name} knows {len(model.items):,} items and {origin} {len(first.items):,}; fit both on the same split"
        )
    if not model.items.equals(first.items):
        place = next(i for i, (one, own) in enumerate(zip(first.items, model.items, strict=True)) if one != own)
        raise DataError(
            f"the items of {name} and of {origin} differ first at position {place:,}: {shown(model.items[place])} and "
            f"{shown(first.items[place])}; fit both on the same split"
        )
    if model.metadata["train_fingerprint"] != first.metadata["train_fingerprint"]:
        raise DataError(
            f"{name} was fitted on the interactions {model.metadata['train_fingerprint']} and {origin} on "
            f"{first.metadata['train_fingerprint']}: users, items or ratings differ; fit both on the same split"
        )
    one, other = (each.parts.popularity.device for each in (model, first))
    if one != other:
        raise DataError(f"{name} is on {one} and {origin} on {other}; load both on the same device")
