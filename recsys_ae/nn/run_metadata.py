"""Run settings and versions that are saved with every model."""

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch

from recsys_ae.nn.runtime import Run
from recsys_ae.nn.threads import usable_threads


def run_metadata(run: Run) -> dict[str, Any]:
    """Return seed, device, precision, threads and versions as JSON."""
    return {
        "seed": run.seed,
        "device": str(run.torch_device),
        "precision": str(run.dtype).removeprefix("torch."),
        "threads": usable_threads(run.threads),
        "versions": {
            "python": sys.version.split()[0],
            "recsys-ae": _version("recsys-ae"),
            # The running version: the metadata of an installation lack the build, such as 2.13.0+cu130.
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
