"""Errors of predicted ratings."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.errors import DataError
from recsys_ae.metrics.names import ERRORS


def errors_per_user(
    predicted: np.ndarray, targets: csr_matrix, metrics: Sequence[str] = ERRORS
) -> dict[str, np.ndarray]:
    """Compute the errors of each user's predicted ratings.

    Parameters
    ----------
    predicted
        Predicted ratings ``(m,)``, in the order of ``targets.data``.
    targets
        True ratings ``(n, n_items)``, of which ``m`` are stored.
    metrics
        ``"rmse"``, ``"mae"``, or both.

    Returns
    -------
    dict
        The errors ``(n,)`` float64 of each metric, NaN for users without targets.

    Raises
    ------
    DataError
        If there is not one finite prediction for each target.
    """
    predicted = np.asarray(predicted, np.float64)
    if predicted.shape != targets.data.shape:
        raise DataError(
            f"predicted ratings have the shape {predicted.shape}; expected ({targets.nnz},), one for each target"
        )
    bad = int(np.count_nonzero(~np.isfinite(predicted)))
    if bad:
        raise DataError(f"{bad:,} of {len(predicted):,} predicted ratings are not finite; check the model")
    difference, counts = predicted - targets.data, np.diff(targets.indptr)
    rows = np.repeat(np.arange(len(counts)), counts)
    values = {}
    for name in metrics:
        losses = np.square(difference) if name == "rmse" else np.abs(difference)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of users without targets
            mean = np.bincount(rows, losses, minlength=len(counts)) / counts
        values[name] = np.sqrt(mean) if name == "rmse" else mean
    return values


def error(name: str, predicted: np.ndarray, actual: np.ndarray) -> float:
    """Return the error ``"rmse"`` or ``"mae"`` over all ratings; both arrays are ``(m,)``."""
    difference = np.asarray(predicted, np.float64) - actual
    return float(np.sqrt(np.square(difference).mean()) if name == "rmse" else np.abs(difference).mean())
