"""Run settings and versions that are saved with every model."""

import json
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch

from recsys_ae.nn.model import Identity
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.threads import usable_threads
from recsys_ae.spec.hyper import flatten


def run_metadata(run: Run) -> dict[str, Any]:
    """Return seed, device, precision, determinism, threads and versions as JSON."""
    return {
        "seed": run.seed,
        "device": str(run.torch_device),
        "precision": str(run.dtype).removeprefix("torch."),
        "deterministic": run.deterministic,
        "threads": usable_threads(run.threads),
        "versions": {
            "python": sys.version.split()[0],
            "recsys-ae": _version("recsys-ae"),
            # The running version: the metadata of an installation lack the build, such as 2.13.0+cu130.
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
    }


def identity_of_fit(spec: Identity, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the weights of a fit, as JSON: two fits with the same identity learn the same weights.

    Parameters
    ----------
    metadata
        Metadata of the fit: sizes and fingerprints of the data, and `run_metadata`.
    """
    versions = {package: metadata["versions"][package] for package in ("recsys-ae", "torch")}
    facts = {name: value for name, value in metadata.items() if name not in ("versions", "rules")}
    plain: dict[str, Any] = json.loads(json.dumps({**facts, **versions, "spec": flatten(spec)}))
    return plain


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
