"""Metadata of a fit to features, saved with the encoder."""

from typing import Any

from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.contract import FeatureSpec
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
