"""How well rows are freed from noise by being given back."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.data.features import Features
from recsys_ae.features.encoder import FeatureEncoder


def denoising(
    encoder: FeatureEncoder, features: Features, levels: Sequence[float], *, seed: int = 0
) -> list[dict[str, float]]:
    """Add gaussian noise to rows, and measure how near to the clean rows the reconstructions of the noisy ones are.

    Each entry has the ``level``: the noise's standard deviation as a share of the range of the values, of pixels and
    steps all values', of a table each column's; ``psnr_noisy`` and ``psnr``: −10 log₁₀ of the mean squared error of
    the noisy rows and of their reconstructions, in dB, with errors as shares of the range too (the peak; Gonzalez and
    Woods). Noisy values are not clipped. Missing values, padding and constant columns do not count. The noise of all
    levels is the same but for its size; without any, ``psnr_noisy`` is infinite.
    """
    if not isinstance(features.matrix, np.ndarray):
        raise DataError(
            f"noise on {len(features):,} × {features.width:,} sparse features would make them dense; use dense ones"
        )
    clean, counted = features.matrix, _counted(features)
    ranges = _ranges(clean, counted, whole=bool(features.form))
    counted &= ranges > 0
    if not counted.any():
        raise DataError("all values are equal, so there is no range for the noise")
    noise = np.random.default_rng(seed).standard_normal(clean.shape).astype(np.float32) * ranges
    noise[~counted] = 0
    found = []
    for level in levels:
        if not level >= 0:
            raise ConfigError(f"level = {level} must be at least 0")
        noisy = dataclasses.replace(features, matrix=clean + np.float32(level) * noise)
        back = np.asarray(encoder.reconstruct(noisy).matrix)
        measured = [_psnr(given - clean, ranges, counted) for given in (np.asarray(noisy.matrix), back)]
        found.append({"level": float(level), "psnr_noisy": measured[0], "psnr": measured[1]})
    return found


def _counted(features: Features) -> np.ndarray:
    """Return which values are known and none of the padding, ``(n, width)`` bool."""
    known: np.ndarray = ~np.isnan(np.asarray(features.matrix))
    if features.lengths is not None:
        steps, width = features.form
        known &= np.repeat(np.arange(steps) < features.lengths[:, None], width, axis=1)
    return known


def _ranges(values: np.ndarray, counted: np.ndarray, *, whole: bool) -> np.ndarray:
    """Return the largest less the smallest value, of each column or of all, ``(width,)``."""
    low = np.where(counted, values, np.inf).min(axis=0)
    high = np.where(counted, values, -np.inf).max(axis=0)
    if whole:
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    found: np.ndarray = np.maximum(high - low, 0).astype(np.float32)  # a column without any value has −∞
    return found


def _psnr(errors: np.ndarray, ranges: np.ndarray, counted: np.ndarray) -> float:
    shares = np.where(counted, errors / np.where(ranges > 0, ranges, 1), 0).astype(np.float64)
    square = float(np.square(shares).sum() / counted.sum())
    return -10 * math.log10(square) if square else math.inf
