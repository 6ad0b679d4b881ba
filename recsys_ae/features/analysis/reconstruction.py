"""Reconstruction errors of rows, and the rows with the smallest and largest errors."""

import numpy as np

from recsys_ae.errors import ConfigError
from recsys_ae.features.data.features import Features
from recsys_ae.features.encoder import FeatureEncoder


def errors(encoder: FeatureEncoder, features: Features) -> np.ndarray:
    """Return the root of the mean squared error of each row, in the units of the features, ``(n,)``.

    Missing values and padding do not count; the error of a row without any value is NaN.
    """
    sums, counts = encoder.squared_errors(features)
    roots: np.ndarray = np.sqrt(np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0))
    return roots


def extremes(errors: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the ``n`` rows with the smallest and the largest errors, the most extreme first."""
    if not 1 <= n <= len(errors):
        raise ConfigError(f"n = {n} extremes of {len(errors):,} rows: expected 1 to {len(errors):,}")
    order = np.argsort(errors, kind="stable")
    ranked = order[: len(errors) - int(np.isnan(errors).sum())]  # NaN is sorted to the end
    return ranked[:n], ranked[::-1][:n]
