"""Metadata of a fit to interactions, which are saved with the model."""

from collections.abc import Mapping
from typing import Any

from recsys_ae.data.fingerprint import fingerprint
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Holdout
from recsys_ae.nn.history import History
from recsys_ae.nn.loading import check_remarks, fact
from recsys_ae.nn.model import Shape, Spec
from recsys_ae.nn.run_metadata import run_metadata
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import flatten

KEPT = "kept_epoch"
"""Key of the epoch whose weights are saved, for each member of a blend; None for a model without epochs."""

REFIT = "refit"
"""Key of what a refit says of the model that it was made from."""

FEATURES_LATER = "features_after_fit"
"""Key of the seed with which a model learnt from item features after its fit."""

OF_REFIT = ("last_epochs", REFIT)
"""Keys of the metadata that only a refitted model has."""


def fit_metadata(spec: Spec, train: Interactions, valid: Holdout | None, run: Run) -> dict[str, Any]:
    """Return the counts, fingerprints and run settings of a fit as JSON values."""
    users, items = train.shape
    last_epochs = {"last_epochs": list(run.last_epochs)} if any(run.last_epochs) else {}
    return {
        "model": spec.name(),
        "users": users,
        "items": items,
        "interactions": train.nnz,
        "train_fingerprint": fingerprint(train.users, train.items, train.matrix),
        "split_fingerprint": None if valid is None else valid.fingerprint,
        **last_epochs,
        **run_metadata(run),
    }


def tracked(spec: Spec, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyper-parameters and metadata for a tracker, without unknown ones, which the caller of a fit may know."""
    return {**flatten(spec), **{name: fact for name, fact in metadata.items() if fact is not None}}


def members_metadata(history: History) -> dict[str, Any]:
    """Return the kept epochs of the members of a blend that were fitted with it, as metadata."""
    return {"members": [{KEPT: member.kept_epoch} for member in history.members]} if history.members else {}


def check_metadata(facts: Any, shape: Shape) -> None:
    """Raise a `ValueError` if metadata of a loaded model that this package reads do not fit its network."""
    fact(facts, "users", int, shape.n_rows)
    fact(facts, "items", int, shape.width)
    fact(facts, "train_fingerprint", str)
    fact(facts, "seconds", (int, float))
    check_remarks(facts)


def rules(spec: Spec, resolved: Spec) -> dict[str, Any]:
    """Return the words, such as ``"auto"``, of hyper-parameters that were computed from the data, as metadata."""
    values, resolved_values = flatten(spec), flatten(resolved)
    words = {name: value for name, value in values.items() if value != resolved_values[name]}
    return {"rules": words} if words else {}
