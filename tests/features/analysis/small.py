"""A small fitted encoder, on rows that a few numbers describe."""

import functools

import numpy as np
import pandas as pd

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.features import models as autoencoders
from recsys_ae.spec.hyper import build


def rows(n: int = 120, seed: int = 0, width: int = 9, *, classes: int = 3) -> tuple[Features, np.ndarray]:
    """Return rows around a centre for each class, and their labels."""
    rng, centres = np.random.default_rng(seed), np.random.default_rng(99)
    labels = rng.integers(0, classes, n)
    means, directions = centres.normal(size=(classes, width)) * 3, centres.normal(size=(2, width))
    values = means[labels] + rng.normal(size=(n, 2)) @ directions + 0.1 * rng.normal(size=(n, width))
    return Features(values, pd.RangeIndex(n), pd.RangeIndex(width)), labels


@functools.cache
def encoder(name: str = "pca", latent: int = 3) -> FeatureEncoder:
    """Return a fitted model that tests share and do not change."""
    chosen = {"latent": latent} | ({} if name == "pca" else {"epochs": 30, "lr": 1e-2})
    spec = build(autoencoders.spec_class(name), chosen)
    return FeatureEncoder(spec).fit(rows()[0], run=Run(device="cpu"))
