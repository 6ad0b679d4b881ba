"""What can be made of codes that no row has: by noise on codes, and how good what was made is."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.distances import Points, slices
from recsys_ae.features.data.features import Features
from recsys_ae.features.encoder import FeatureEncoder

BLOCK = 2**22
"""Distances held at a time: 32 MiB."""


class PrecisionRecall(NamedTuple):
    """The share of made rows that look real, and the share of real rows that could have been made."""

    precision: float
    recall: float


def perturbed(codes: np.ndarray, share: float, *, ranges: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """Move each number of codes ``(n, latent)`` by uniform noise of up to ± ``share`` of its range.

    Parameters
    ----------
    share
        0 leaves the codes, 1 moves each number by up to its whole range.
    ranges
        ``(latent,)``; the default is the largest less the smallest value over these codes.
    """
    codes = np.asarray(codes, np.float32)
    if codes.ndim != 2 or not len(codes):
        raise DataError(f"codes have the shape {codes.shape}; expected (n, latent)")
    if not share >= 0:
        raise ConfigError(f"share = {share} must be at least 0")
    wide = np.ptp(codes, axis=0) if ranges is None else np.asarray(ranges)
    if wide.shape != codes.shape[1:]:
        raise DataError(f"ranges have the shape {wide.shape}; expected ({codes.shape[1]},)")
    noise = np.random.default_rng(seed).uniform(-share, share, codes.shape)
    moved: np.ndarray = (codes + noise * wide).astype(np.float32)
    return moved


def perturbation(
    encoder: FeatureEncoder, features: Features, shares: Sequence[float], *, seed: int = 0
) -> list[dict[str, float]]:
    """Measure how far rows made of perturbed codes are from those whose codes they were.

    Each entry has the ``share``, the ``rmse`` over all values in the units of the features, and its
    ``standard_error`` over the rows by the delta method. The noise of all shares is the same but for its size.
    """
    codes = np.asarray(encoder.encode(features).matrix)
    found = []
    for share in shares:
        sums, counts = encoder.squared_errors(features, perturbed(codes, share, seed=seed))
        found.append({"share": float(share)} | pooled(sums, counts))
    return found


def pooled(sums: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Return the root of Σ sums / Σ counts over rows as ``rmse``, and its ``standard_error`` from their spread."""
    square = sums.sum() / counts.sum()
    # The error of a ratio of means (Cochran 1977, section 2.11); d√s / ds = 1 / (2√s).
    residuals = (sums - square * counts) / counts.mean()
    n = len(sums)
    error = residuals.std(ddof=1) / np.sqrt(n) / (2 * np.sqrt(square)) if n > 1 and square > 0 else np.nan
    return {"rmse": float(np.sqrt(square)), "standard_error": float(error)}


def precision_recall(real: np.ndarray, made: np.ndarray, *, k: int = 3) -> PrecisionRecall:
    """Compare rows that were made with real ones, ``(n, width)`` and ``(m, width)``: improved precision and recall.

    A row looks like those of a set if it is no further from one of them than that one's k-th nearest of its own set
    (Kynkäänniemi et al. 2019, equation 1). The sets should be equally large: larger ones have smaller balls.
    """
    ours = Points.of(real, what="real rows")
    theirs = Points.of(made, like=ours, what="generated rows")
    if not 1 <= k < min(len(ours), len(theirs)):
        raise ConfigError(f"k = {k} neighbours of {len(ours):,} real and {len(theirs):,} generated rows; lower k")
    return PrecisionRecall(_covered(theirs, ours, k), _covered(ours, theirs, k))


def confidence(classifier: Any, made: np.ndarray) -> np.ndarray:
    """Return how sure a classifier is of the label of each row that was made, ``(n,)``: its largest probability.

    ``classifier`` has scikit-learn's ``predict_proba``, fitted on real rows.
    """
    found: np.ndarray = np.asarray(classifier.predict_proba(made)).max(axis=1)
    return found


def _covered(points: Points, centres: Points, k: int) -> float:
    """Return the share of points that lie in the ball of one of the centres."""
    radii, inside = _radii(centres, k), 0
    for part in slices(len(points), max(1, BLOCK // len(centres))):
        inside += int((points.squared(part, centres) <= radii).any(axis=1).sum())
    return inside / len(points)


def _radii(points: Points, k: int) -> np.ndarray:
    """Return the squared distance of each point from its k-th nearest other, ``(n,)``."""
    radii = np.empty(len(points))
    for part in slices(len(points), max(1, BLOCK // len(points))):
        squares = points.squared(part)
        own = np.arange(part.start, part.stop)
        squares[own - part.start, own] = np.inf
        radii[part] = np.partition(squares, k - 1, axis=1)[:, k - 1]
    return radii
