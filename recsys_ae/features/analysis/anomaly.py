"""Anomaly detection by the reconstruction error: rows unlike the training rows have larger errors."""

import numpy as np

from recsys_ae.errors import DataError
from recsys_ae.features.analysis.rank_correlation import average_ranks
from recsys_ae.features.analysis.reconstruction import errors
from recsys_ae.features.data.features import Features
from recsys_ae.features.encoder import FeatureEncoder


def anomaly(usual: np.ndarray, odd: np.ndarray) -> float:
    """Return the area under the ROC curve of the errors of usual rows, ``(n,)``, and of anomalies, ``(m,)``.

    It is the probability that an anomaly has a larger error than a usual row; ties count one half (Hanley and McNeil
    1982). Guessing has 0.5.
    """
    usual, odd = np.asarray(usual, np.float64), np.asarray(odd, np.float64)
    if not len(usual) or not len(odd):
        raise DataError(f"{len(usual):,} usual and {len(odd):,} odd rows: at least one of each is needed")
    unknown = int(np.isnan(usual).sum() + np.isnan(odd).sum())
    if unknown:
        raise DataError(f"{unknown:,} errors are NaN; leave out rows without any value")
    above = average_ranks(np.concatenate([usual, odd]))[len(usual) :].sum() - len(odd) * (len(odd) + 1) / 2
    return float(above / (len(usual) * len(odd)))


def without(labels: np.ndarray, label: object) -> np.ndarray:
    """Return the positions of the rows with another label, on which an encoder is fitted that withholds the label."""
    labels = np.asarray(labels)
    remaining = np.flatnonzero(labels != label)
    if len(remaining) in (0, len(labels)):
        n_withheld = len(labels) - len(remaining)
        raise DataError(f"{n_withheld:,} of {len(labels):,} rows have the label {label!r}; expected some, but not all")
    return remaining


def withheld(encoder: FeatureEncoder, features: Features, labels: np.ndarray, label: object) -> float:
    """Return the area under the ROC curve of the errors of the rows with a label, as anomalies, and of all others.

    The encoder must have been fitted on rows of `without` (Ruff et al. 2018 do the opposite: one label is usual).
    """
    row_errors, usual = errors(encoder, features), without(labels, label)
    odd = np.ones(len(row_errors), bool)
    odd[usual] = False
    return anomaly(row_errors[usual], row_errors[odd])
