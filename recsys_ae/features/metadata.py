"""Metadata of a fit to features, saved with the encoder."""

from typing import Any

from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.contract import FeatureShape, FeatureSpec
from recsys_ae.nn.loading import check_remarks, fact
from recsys_ae.nn.run_metadata import run_metadata
from recsys_ae.nn.runtime import Run


def fit_metadata(spec: FeatureSpec, features: Features, valid: Features | None, run: Run) -> dict[str, Any]:
    """Return the sizes and fingerprints of the data, and the run settings: JSON."""
    return {
        "model": spec.name(),
        "rows": len(features),
        "columns": features.width,
        "form": list(features.form),
        "train_fingerprint": features.fingerprint,
        "valid_fingerprint": None if valid is None else valid.fingerprint,
        **run_metadata(run),
    }


def check_metadata(facts: Any, shape: FeatureShape) -> None:
    """Raise a `ValueError` if metadata of a loaded encoder that this package reads do not fit its network."""
    fact(facts, "rows", int, shape.n_rows)
    fact(facts, "columns", int, shape.width)
    fact(facts, "seconds", (int, float))
    fact(facts, "device", str)
    fact(facts, "threads", int)
    fact(facts, "versions", dict)
    check_remarks(facts)
