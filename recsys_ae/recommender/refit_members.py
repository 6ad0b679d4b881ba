"""Refit of a blend of fitted models: each member with its own seed and epoch, then the blend with its weights."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.origin import with_origin
from recsys_ae.errors import UnsupportedError
from recsys_ae.features.data.features import Features
from recsys_ae.models.blend import Blend
from recsys_ae.nn.checkpoints import session
from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.model import Shape, Stats
from recsys_ae.nn.run_metadata import identity_of_fit
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender import preflight
from recsys_ae.recommender.blending import blend
from recsys_ae.recommender.fitting import learn
from recsys_ae.recommender.metadata import fit_metadata, rules, tracked
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.recommender.refit_plan import SEEDS, Member, Plan


def refit_members(
    plan: Plan, data: Interactions, item_features: Features | None, run: Run, checkpoint: Checkpoint | Path | str | None
) -> Recommender:
    """Return the blend of the refitted members, which share one checkpoint."""
    if not isinstance(plan.spec, Blend):
        raise UnsupportedError(f"{plan.spec.name()} has no members")
    seeds = [(run.seed + member.seed - plan.seed) % SEEDS for member in plan.members]
    spec = plan.spec.resolved(Stats(data.matrix))
    features = {"item_features": None if item_features is None else item_features.fingerprint}
    preflight.refuse_other_types(data)
    preflight.check(spec, data, run, 0 if item_features is None else item_features.width)
    metadata = fit_metadata(spec, data, None, run) | {"member_seeds": seeds}

    def identity() -> Mapping[str, Any]:
        return identity_of_fit(spec, {**metadata, **features})

    models = []
    with session.of(checkpoint, identity, lambda: run.tracker.known_run_id) as checkpoints:
        run.tracker.parameters(tracked(spec, metadata))
        for position, (member, seed) in enumerate(zip(plan.members, seeds, strict=True)):
            run_of_member = dataclasses.replace(run.of_member(position), seed=seed, checkpoints=checkpoints)
            models.append(_refitted(member, data, item_features if member.has_features else None, run_of_member))
            checkpoints.seconds = 0.0  # the time before an interruption counts once
    blended = blend(models, scale=spec.scale, weights=spec.weights, monitor=spec.monitor)
    run.tracker.parameters({"blend_weights": blended.network.get_buffer("weights").tolist()})
    parts = dataclasses.replace(blended.parts, metadata=blended.metadata | metadata)
    return Recommender.assembled(parts, None if checkpoint is None else Checkpoint.of(checkpoint).folder)


def _refitted(member: Member, data: Interactions, item_features: Features | None, run: Run) -> Recommender:
    spec = member.spec.resolved(Stats(data.matrix))
    shape = Shape(*data.shape, 0 if item_features is None else item_features.width)
    parts = learn(spec, shape, data, None, item_features, run)
    metadata = fit_metadata(spec, data, None, run) | rules(member.spec, spec) | parts.metadata
    return Recommender.assembled(
        dataclasses.replace(parts, metadata=metadata, notes=with_origin({}, data.origin)),
    )
