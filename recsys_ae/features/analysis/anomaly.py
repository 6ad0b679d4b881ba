"""Rows unlike those of the training are given back worse: how surely the error tells them apart."""

import numpy as np

from recsys_ae.errors import DataError
from recsys_ae.features.analysis.rank_correlation import average_ranks
from recsys_ae.features.analysis.reconstruction import errors
from recsys_ae.features.data.features import Features
from recsys_ae.features.encoder import FeatureEncoder


def anomaly(usual: np.ndarray, odd: np.ndarray) -> float:
    """Return the area under the ROC curve of errors ``(n,)`` of usual rows and ``(m,)`` of odd ones.

    It is the chance that an odd row has a larger error than a usual one, ties counting one half (Hanley and McNeil
    1982): 0.5 is guessing.
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
    """Return the positions of the rows that have another label: what is fitted on where a label is withheld."""
    known = np.asarray(labels)
    others = np.flatnonzero(known != label)
    if len(others) in (0, len(known)):
        raise DataError(
            f"{len(known) - len(others):,} of {len(known):,} rows have the label {label!r}; expected some, but not all"
        )
    return others


def withheld(encoder: FeatureEncoder, features: Features, labels: np.ndarray, label: object) -> float:
    """Return the area under the ROC curve by which the error tells the rows of a label from all others.

    The encoder was fitted on the rows that `without` leaves (Ruff et al. 2018 turn it round: one label is usual).
    """
    found, usual = errors(encoder, features), without(labels, label)
    odd = np.ones(len(found), bool)
    odd[usual] = False
    return anomaly(found[usual], found[odd])
