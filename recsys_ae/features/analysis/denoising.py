"""Denoising by reconstruction: peak signal-to-noise ratios before and after."""

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
    """Add gaussian noise to rows, and compare the noisy rows and their reconstructions with the clean rows.

    Each entry has

    - ``level``: the standard deviation of the noise as a share of the range of the values (of all values for images and
      sequences, of each column for tables);
    - ``psnr_noisy`` and ``psnr``: −10 log₁₀ of the mean squared error of the noisy rows and of their reconstructions,
      in dB, with errors as shares of the range, too (the peak; Gonzalez and Woods).

    Noisy values are not clipped. Missing values, padding and constant columns do not count. The noise of all levels
    differs only in its size; without noise, ``psnr_noisy`` is infinite.
    """
    if not isinstance(features.matrix, np.ndarray):
        raise DataError(
            f"noise on {len(features):,} × {features.width:,} sparse features would make them dense; use dense ones"
        )
    clean, counted = features.matrix, _counted(features)
    ranges = _ranges(clean, counted, shared=bool(features.form))
    counted &= ranges > 0
    if not counted.any():
        raise DataError("all values are equal, so there is no range for the noise")
    noise = np.random.default_rng(seed).standard_normal(clean.shape).astype(np.float32) * ranges
    noise[~counted] = 0
    entries = []
    for level in levels:
        if not level >= 0:
            raise ConfigError(f"level = {level} must be at least 0")
        noisy = dataclasses.replace(features, matrix=clean + np.float32(level) * noise)
        reconstructed = np.asarray(encoder.reconstruct(noisy).matrix)
        ratios = [_psnr(rows - clean, ranges, counted) for rows in (np.asarray(noisy.matrix), reconstructed)]
        entries.append({"level": float(level), "psnr_noisy": ratios[0], "psnr": ratios[1]})
    return entries


def _counted(features: Features) -> np.ndarray:
    """Return the mask of the values that are neither missing nor padding, ``(n, width)`` bool."""
    mask: np.ndarray = ~np.isnan(np.asarray(features.matrix))
    if features.lengths is not None:
        steps, width = features.form
        mask &= np.repeat(np.arange(steps) < features.lengths[:, None], width, axis=1)
    return mask


def _ranges(values: np.ndarray, counted: np.ndarray, *, shared: bool) -> np.ndarray:
    """Return the range of each column, or of all values if ``shared``, ``(width,)``."""
    low = np.where(counted, values, np.inf).min(axis=0)
    high = np.where(counted, values, -np.inf).max(axis=0)
    if shared:
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    ranges: np.ndarray = np.maximum(high - low, 0).astype(np.float32)  # a column without any value has −∞
    return ranges


def _psnr(errors: np.ndarray, ranges: np.ndarray, counted: np.ndarray) -> float:
    shares = np.where(counted, errors / np.where(ranges > 0, ranges, 1), 0).astype(np.float64)
    square = float(np.square(shares).sum() / counted.sum())
    return -10 * math.log10(square) if square else math.inf
