"""Errors on MNIST at equal code size: PCA has the published error, and nonlinear models have smaller ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.features import models as autoencoders
from recsys_ae.features.data.images import read_named_images
from recsys_ae.spec.hyper import build, describe

CPU = Run(device="cpu")
PUBLISHED = {10: 0.186, 32: 0.132, 64: 0.097}
"""Root mean squared error per pixel of PCA."""
BERNOULLI: dict[str, Any] = {"likelihood": "bernoulli"}
ONE_LAYER: dict[str, Any] = {**BERNOULLI, "activation": "relu", "latent": 16, "epochs": 25, "lr": 0.01}
SHARED: dict[str, Any] = {"latent": 8, "epochs": 8, "batch_size": 32, "lr": 0.005, "lr_schedule": "cosine"}
QUICK: dict[str, dict[str, Any]] = {
    "vanilla": ONE_LAYER,
    "sparse": {**ONE_LAYER, "sparsity": "l1", "weight": 0.01, "l2": 0.0},
    "contractive": {**ONE_LAYER, "contraction": 0.01, "tied": False},
    "deep": {**BERNOULLI, "hidden": (64,)},
    "denoising": {**BERNOULLI, "hidden": (64,), "corruption": "gaussian", "level": 0.1},
    "variational": {"hidden": (64,), "beta": 0.05},
    "convolutional": {**BERNOULLI, "channels": (8,), "lr": 0.01, "epochs": 6},
    "adversarial": {**BERNOULLI, "hidden": (64,), "critic": (32,)},
    "recurrent": {"scale": "none", "repeated": True, "hidden": 48, "lr": 0.015, "epochs": 6},
    "masked": {"code": "bottleneck", "patch": 7, "width": 32, "depth": 1, "lr": 0.01, "epochs": 6},
}
"""Settings with which little is enough; `experiments/zoo_mnist` has those for all images."""


@pytest.fixture(scope="module")
def images(data_dir: Path) -> Features:
    """Return the training images; the test images are kept for the experiment."""
    if not (data_dir / "mnist").is_dir():
        pytest.skip(f"there is no mnist in {data_dir}")
    return read_named_images("mnist", data_dir, "train")


@pytest.fixture(scope="module")
def halved(images: Features) -> tuple[Features, Features]:
    """Return 3,000 training and 1,000 other images of 14 × 14 pixels, each pixel the mean of four."""
    found = images.take(np.r_[0:3_000, 59_000:60_000])
    rows = np.asarray(found.matrix).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(len(found), -1)
    small = Features(rows, found.ids, pd.RangeIndex(196), (1, 14, 14))
    return small.take(np.arange(3_000)), small.take(np.arange(3_000, 4_000))


@pytest.fixture(scope="module")
def linear(halved: tuple[Features, Features]) -> dict[int, float]:
    """Return the errors of PCA with 8 and 16 dimensions."""
    return {latent: error(halved, "pca", latent=latent) for latent in (8, 16)}


def error(parts: tuple[Features, Features], name: str, **chosen: Any) -> float:
    spec = build(autoencoders.spec_class(name), chosen)
    return FeatureEncoder(spec).fit(parts[0], run=CPU).error(parts[1])


def as_rows(images: Features) -> Features:
    """Return images as sequences of their rows."""
    _, height, width = images.form
    return Features(images.matrix, images.ids, images.columns, (height, width), np.full(len(images), height))


@pytest.mark.slow
@pytest.mark.parametrize("latent", sorted(PUBLISHED))
def test_pca_is_as_good_as_it_is_known_to_be(images: Features, latent: int) -> None:
    parts = images.take(np.arange(10_000)), images.take(np.arange(50_000, 52_000))
    assert error(parts, "pca", latent=latent) == pytest.approx(PUBLISHED[latent], abs=0.004)


@pytest.mark.parametrize("name", QUICK)
def test_what_is_not_linear_is_better_than_pca_with_as_many_numbers(
    halved: tuple[Features, Features], linear: dict[int, float], name: str
) -> None:
    known = {one.name for one in describe(autoencoders.spec_class(name))}
    chosen = {**{key: value for key, value in SHARED.items() if key in known}, **QUICK[name]}
    parts = (as_rows(halved[0]), as_rows(halved[1])) if name == "recurrent" else halved
    assert error(parts, name, **chosen) < linear[chosen["latent"]]


def test_every_model_but_pca_is_compared() -> None:
    assert {*QUICK, "pca"} == set(autoencoders.names())


def test_one_hidden_layer_under_a_linear_output_is_no_better_than_pca(
    halved: tuple[Features, Features], linear: dict[int, float]
) -> None:
    """The output of any hidden layer lies in a plane of its number of dimensions (Bourlard and Kamp 1988)."""
    for name in ("vanilla", "contractive"):
        chosen = {**SHARED, "activation": "relu", "tied": False, "latent": 16, "epochs": 5}
        found = FeatureEncoder(build(autoencoders.spec_class(name), chosen)).fit(halved[0], run=CPU)
        # On the training rows, where PCA has the smallest possible error.
        assert found.error(halved[0]) > error((halved[0], halved[0]), "pca", latent=16)
    assert linear[16] < linear[8]
