"""Generation of rows by noise on codes, and the quality of generated rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.distances import Points, slices
from recsys_ae.features.data.features import Features
from recsys_ae.features.encoder import FeatureEncoder

BLOCK = 2**22
"""Number of distances in memory at a time: 32 MiB."""


class PrecisionRecall(NamedTuple):
    """Share of the generated rows that look real, and share of the real rows that could have been generated."""

    precision: float
    recall: float


def perturbed(codes: np.ndarray, share: float, *, ranges: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """Add uniform noise of up to ± ``share`` of its range to each dimension of codes ``(n, latent)``.

    Parameters
    ----------
    share
        0 leaves the codes unchanged; 1 moves a value by up to its full range.
    ranges
        ``(latent,)``; the default is the difference of the largest and the smallest value of these codes.
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
    """Compare rows that are decoded from perturbed codes with the rows that had these codes.

    Each entry has the ``share``, the ``rmse`` over all values in the units of the features, and its
    ``standard_error`` over the rows by the delta method. The noise of all shares differs only in its size.
    """
    codes = np.asarray(encoder.encode(features).matrix)
    entries = []
    for share in shares:
        sums, counts = encoder.squared_errors(features, perturbed(codes, share, seed=seed))
        entries.append({"share": float(share)} | pooled(sums, counts))
    return entries


def pooled(sums: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Return the root of Σ sums / Σ counts over rows as ``rmse``, and its ``standard_error`` over the rows."""
    square = sums.sum() / counts.sum()
    # Standard error of a ratio of means (Cochran 1977, section 2.11); d√s / ds = 1 / (2√s).
    residuals = (sums - square * counts) / counts.mean()
    n = len(sums)
    error = residuals.std(ddof=1) / np.sqrt(n) / (2 * np.sqrt(square)) if n > 1 and square > 0 else np.nan
    return {"rmse": float(np.sqrt(square)), "standard_error": float(error)}


def precision_recall(real: np.ndarray, made: np.ndarray, *, k: int = 3) -> PrecisionRecall:
    """Return improved precision and recall of generated rows, ``(m, width)``, and real rows, ``(n, width)``.

    A row is covered by a set if its distance from a row of the set is at most the distance of that row from its k-th
    nearest neighbour in the set (Kynkäänniemi et al. 2019, equation 1). The sets should be equally large, because a
    larger set has smaller balls.
    """
    ours = Points.of(real, name="real rows")
    theirs = Points.of(made, like=ours, name="generated rows")
    if not 1 <= k < min(len(ours), len(theirs)):
        raise ConfigError(f"k = {k} neighbours of {len(ours):,} real and {len(theirs):,} generated rows; lower k")
    return PrecisionRecall(_covered(theirs, ours, k), _covered(ours, theirs, k))


def confidence(classifier: Any, made: np.ndarray) -> np.ndarray:
    """Return the largest predicted probability of each generated row, ``(n,)``.

    ``classifier`` is fitted on real rows and has the ``predict_proba`` of scikit-learn.
    """
    probabilities: np.ndarray = np.asarray(classifier.predict_proba(made)).max(axis=1)
    return probabilities


def _covered(points: Points, centres: Points, k: int) -> float:
    """Return the share of the points that lie in the ball around one of the centres."""
    radii, inside = _radii(centres, k), 0
    for block in slices(len(points), max(1, BLOCK // len(centres))):
        inside += int((points.squared(block, centres) <= radii).any(axis=1).sum())
    return inside / len(points)


def _radii(points: Points, k: int) -> np.ndarray:
    """Return the squared distance of each point from its k-th nearest neighbour, ``(n,)``."""
    radii = np.empty(len(points))
    for block in slices(len(points), max(1, BLOCK // len(points))):
        squares = points.squared(block)
        positions = np.arange(block.start, block.stop)
        squares[positions - block.start, positions] = np.inf
        radii[block] = np.partition(squares, k - 1, axis=1)[:, k - 1]
    return radii
