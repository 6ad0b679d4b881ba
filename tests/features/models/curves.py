"""Features with a known answer: rows that two numbers make, as a table, as images and as sequences."""

from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.features import models as autoencoders
from recsys_ae.features.data.features import IMAGE, SEQUENCE, Features
from recsys_ae.features.nn.contract import FeatureSpec
from recsys_ae.spec.hyper import build, describe

SMALL: dict[str, Any] = {
    "epochs": 60, "batch_size": 20, "latent": 4, "hidden": (24,), "critic": (16,), "channels": (4, 8), "lr": 0.005,
    "depth": 1, "decoder": 8, "patch": 3, "heads": 2,
}  # fmt: skip
"""What makes a model fast, for those that have such a hyper-parameter."""
OWN: dict[str, dict[str, Any]] = {
    "adversarial": {"latent": 2, "epochs": 150},
    "recurrent": {"hidden": 24, "lr": 0.01},
    "masked": {"latent": 16, "epochs": 100},
    "sparse": {"latent": 24, "weight": 0.05},
    "contractive": {"contraction": 0.01},
    "vanilla": {"lr": 0.02},
}
"""What else that takes, by the name of the model."""


def small(name: str, **chosen: Any) -> FeatureSpec:
    """Return a fast version of a model; what it has not by default it does not get."""
    cls = autoencoders.spec_class(name)
    known = {one.name: one.default for one in describe(cls)}
    values = {key: value for key, value in SMALL.items() if known.get(key)} | OWN.get(name, {})
    return build(cls, {**values, **{key: value for key, value in chosen.items() if key in known}})


def curves(n: int = 60, *, seed: int = 0, steps: int = 12) -> np.ndarray:
    """Return ``(n, steps)``: waves of a height and a phase each, from 0 to 1."""
    rng = np.random.default_rng(seed)
    height, phase = rng.uniform(0.2, 0.5, (n, 1)), rng.uniform(0, np.pi, (n, 1))
    waves: np.ndarray = 0.5 + height * np.sin(np.linspace(0, 3, steps) + phase)
    return waves.astype(np.float32)


def ids(n: int) -> "pd.Index[Any]":
    return pd.Index([f"item {place}" for place in range(n)])


def table(n: int = 60, seed: int = 0) -> Features:
    return Features(curves(n, seed=seed), ids(n), pd.Index([f"c{place}" for place in range(12)]))


def images(n: int = 60, seed: int = 0, form: tuple[int, int, int] = (1, 6, 9)) -> Features:
    channels, height, width = form
    rows = np.repeat(curves(n, seed=seed, steps=width)[:, None], channels * height, axis=1)
    rows = rows * np.linspace(0.3, 1, channels * height)[None, :, None]
    return Features(rows.reshape(n, -1), ids(n), pd.RangeIndex(int(np.prod(form))), form)


def sequences(n: int = 60, seed: int = 0) -> Features:
    """Return two columns over up to 6 steps; padding holds what must not be read."""
    rng = np.random.default_rng(seed)
    rows = np.stack([curves(n, seed=seed, steps=6), curves(n, seed=seed, steps=6)[:, ::-1]], axis=2)
    lengths = rng.integers(1, 7, n)
    lengths[:2] = 1, 6
    rows[np.arange(6) >= lengths[:, None]] = 99
    return Features(rows.reshape(n, 12), ids(n), pd.RangeIndex(12), (6, 2), lengths)


KINDS = {0: table, IMAGE: images, SEQUENCE: sequences}


def features_for(name: str, n: int = 60, seed: int = 0) -> Features:
    """Return what a model reads; of several, what suits it best."""
    if name == "convolutional":
        return images(n, seed)
    return KINDS[autoencoders.spec_class(name).reads[0]](n, seed)
