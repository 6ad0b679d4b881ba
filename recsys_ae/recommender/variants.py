"""Fitted recommenders with other values of the hyper-parameters that need no further fit."""

import dataclasses
from typing import Any

from recsys_ae.data.splits.split import Holdout
from recsys_ae.nn.history import VALIDATION, History
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.recommender.validating import measure_on


def changed(model: Recommender, values: dict[str, Any], valid: Holdout | None, run: Run) -> Recommender:
    """Return the recommender that a fit with these values of `Spec.free` gives, without that fit.

    The model must have been fitted with 0 for each of them, and without item features.

    Parameters
    ----------
    valid
        Validation users, on whom the result is measured.
    run
        Run settings, whose receiver ``validated`` gets the validation metrics of each user.
    """
    parts = model.parts
    spec = dataclasses.replace(parts.spec, **values)
    network = parts.network.changed(spec, parts.popularity)
    history, measure = History(), measure_on(valid, spec, network, parts.popularity, parts.users, run.validated)
    if measure is not None:
        measured = {f"{VALIDATION}{name}": value for name, value in measure().items()}
        history = History.replayed([measured], spec.monitor)
    return Recommender.assembled(dataclasses.replace(parts, spec=spec, network=network, history=history))
