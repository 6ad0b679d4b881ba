"""The circumstances of a fit, which are written down beside a model."""

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch

from recsys_ae.data.fingerprint import fingerprint
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Holdout
from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.contract import FeatureSpec
from recsys_ae.nn.model import Spec
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.threads import usable_threads
from recsys_ae.spec.hyper import flatten


def fit_metadata(spec: Spec, train: Interactions, valid: Holdout | None, run: Run) -> dict[str, Any]:
    """Return the counts, fingerprints and versions of a fit, and where it runs: JSON."""
    users, items = train.shape
    return {
        "model": spec.name(),
        "users": users,
        "items": items,
        "interactions": train.nnz,
        "train_fingerprint": fingerprint(train.users, train.items, train.matrix),
        "split_fingerprint": None if valid is None else valid.fingerprint,
        **_run_settings(run),
    }


def rules(given: Spec, resolved: Spec) -> dict[str, Any]:
    """Return the hyper-parameters that depend on the data, as they were given; nothing where there are none."""
    before, after = flatten(given), flatten(resolved)
    words = {name: value for name, value in before.items() if value != after[name]}
    return {"rules": words} if words else {}


def feature_metadata(spec: FeatureSpec, features: Features, valid: Features | None, run: Run) -> dict[str, Any]:
    """Return the same of a fit to features."""
    return {
        "model": spec.name(),
        "rows": len(features),
        "columns": features.width,
        "form": list(features.form),
        "train_fingerprint": features.fingerprint,
        "valid_fingerprint": None if valid is None else valid.fingerprint,
        **_run_settings(run),
    }


def _run_settings(run: Run) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "device": str(run.torch_device),
        "precision": str(run.dtype).removeprefix("torch."),
        "threads": usable_threads(run.threads),
        "versions": {
            "python": sys.version.split()[0],
            "recsys-ae": _version("recsys-ae"),
            # What runs: an installation's metadata leave out the build, such as 2.13.0+cu130.
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
