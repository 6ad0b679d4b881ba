"""How well each row is given back, and which rows are the hardest."""

import numpy as np

from recsys_ae.errors import ConfigError
from recsys_ae.features.data.features import Features
from recsys_ae.features.encoder import FeatureEncoder


def errors(encoder: FeatureEncoder, features: Features) -> np.ndarray:
    """Return the root of the mean squared error of each row, in the units of the features, ``(n,)``.

    Missing values and padding do not count; NaN for a row of which nothing is known.
    """
    sums, counts = encoder.squared_errors(features)
    found: np.ndarray = np.sqrt(np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0))
    return found


def extremes(errors: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the ``n`` rows with the smallest errors, and with the largest, the most extreme first."""
    if not 1 <= n <= len(errors):
        raise ConfigError(f"n = {n} extremes of {len(errors):,} rows: expected 1 to {len(errors):,}")
    order = np.argsort(errors, kind="stable")
    known = order[: len(errors) - int(np.isnan(errors).sum())]  # NaN is sorted to the end
    return known[:n], known[::-1][:n]
