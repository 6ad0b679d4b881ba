"""Metadata of a fit to interactions, which are written down beside the model."""

from typing import Any

from recsys_ae.data.fingerprint import fingerprint
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Holdout
from recsys_ae.nn.model import Spec
from recsys_ae.nn.run_metadata import run_metadata
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import flatten


def fit_metadata(spec: Spec, train: Interactions, valid: Holdout | None, run: Run) -> dict[str, Any]:
    """Return the counts and fingerprints of a fit, and where it runs: JSON."""
    users, items = train.shape
    return {
        "model": spec.name(),
        "users": users,
        "items": items,
        "interactions": train.nnz,
        "train_fingerprint": fingerprint(train.users, train.items, train.matrix),
        "split_fingerprint": None if valid is None else valid.fingerprint,
        **run_metadata(run),
    }


def rules(given: Spec, resolved: Spec) -> dict[str, Any]:
    """Return the hyper-parameters that depend on the data, as they were given; nothing where there are none."""
    before, after = flatten(given), flatten(resolved)
    words = {name: value for name, value in before.items() if value != after[name]}
    return {"rules": words} if words else {}
