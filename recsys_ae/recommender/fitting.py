"""Fit of a recommender: from interactions to its fitted state."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from recsys_ae.cold_start import cold_start
from recsys_ae.cold_start.cold_start import ColdStart
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Holdout
from recsys_ae.errors import DataError
from recsys_ae.features.data.features import Features
from recsys_ae.nn.checkpoints import session
from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.history import VALIDATION
from recsys_ae.nn.model import Shape, Spec, Stats
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.run_metadata import identity_of_fit
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender import preflight
from recsys_ae.recommender.metadata import fit_metadata, members_metadata, rules, tracked
from recsys_ae.recommender.state import Fitted
from recsys_ae.recommender.validating import measure_on


def fitted(
    given: Spec,
    train: Interactions,
    valid: Holdout | None,
    item_features: Features | None,
    run: Run,
    checkpoint: Checkpoint | Path | str | None,
) -> Fitted:
    """Return the state of a recommender after its fit; see `Recommender.fit` for arguments and errors."""
    preflight.refuse_other_types(train, valid)
    if train.nnz == 0:
        raise DataError("the training data have no interactions; check the filters and the split")
    if valid is not None:
        preflight.refuse_other_items(valid, train.shape[1])
    shape = Shape(*train.shape, 0 if item_features is None else item_features.width)
    spec = given.resolved(Stats(train.matrix))
    preflight.check(spec, train, run, shape.features)
    metadata = fit_metadata(spec, train, valid, run) | rules(given, spec)

    def identity() -> Mapping[str, Any]:
        features = None if item_features is None else item_features.fingerprint
        return identity_of_fit(spec, {**metadata, "item_features": features})

    with session.of(checkpoint, identity, lambda: run.tracker.known_run_id) as checkpoints:
        run.tracker.parameters(tracked(spec, metadata))
        learnt = learn(spec, shape, train, valid, item_features, dataclasses.replace(run, checkpoints=checkpoints))
    return dataclasses.replace(learnt, metadata=metadata | learnt.metadata)


def learn(
    spec: Spec,
    shape: Shape,
    train: Interactions,
    valid: Holdout | None,
    item_features: Features | None,
    run: Run,
) -> Fitted:
    """Return the state after the fit, with the metadata that are known only then."""
    started, device = time.perf_counter() - run.checkpoints.seconds, run.torch_device
    with run.settings(spec.name()):
        network = spec.build(shape).to(device)
        start = cold_start.begin(network, item_features, train.items, run)
        rows = Rows.from_matrix(train.matrix, device)
        popularity = rows.with_values(torch.ones_like(rows.values)).column_sums()
        users = train.users if network.knows_users else pd.Index([])
        measure = measure_on(valid, spec, network, popularity, users, run.validated)
        history = network.learn(rows, run, measure)
        cold_ranking = None if start is None else ColdStart.learn(network, rows, start, run.generator())
        if measure is not None and not history:
            history.append({f"{VALIDATION}{name}": value for name, value in measure().items()})
            history.update_best(spec.monitor)
            run.tracker.metrics(history[0], step=1)
    metadata = {"seconds": round(time.perf_counter() - started, 3), **members_metadata(history)}
    metadata |= {} if start is None else start.metadata
    learnt = network.eval(), popularity, train.items, users, cold_ranking
    return Fitted(spec, *learnt, history, metadata, {})
