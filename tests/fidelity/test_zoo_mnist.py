"""On MNIST at equal code size: PCA's error is the published one, and what is not linear is below it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_ae import FeatureEncoder, Features, Run, autoencoders
from recsys_ae.datasets.images import read_named_images
from recsys_ae.hyper import build

PCA = {10: 0.186, 32: 0.132, 64: 0.097}
"""Root mean squared error per pixel on the test images."""


@pytest.fixture(scope="module")
def parts(data_dir: Path) -> tuple[Features, Features]:
    if not (data_dir / "mnist").is_dir():
        pytest.skip(f"there is no mnist in {data_dir}")
    train, test = (read_named_images("mnist", data_dir, part) for part in ("train", "test"))
    return train.take(np.arange(20_000)), test.take(np.arange(2_000))


def error(parts: tuple[Features, Features], name: str, **chosen: Any) -> float:
    spec = build(autoencoders.spec_class(name), chosen)
    return FeatureEncoder(spec).fit(parts[0], run=Run(device="cpu")).error(parts[1])


@pytest.mark.slow
@pytest.mark.parametrize("latent", sorted(PCA))
def test_pca_is_as_good_as_it_is_known_to_be(parts: tuple[Features, Features], latent: int) -> None:
    assert error(parts, "pca", latent=latent) == pytest.approx(PCA[latent], abs=0.004)


SHORT: dict[str, dict[str, Any]] = {
    "vanilla": {"likelihood": "bernoulli", "activation": "relu", "epochs": 6, "lr": 2e-3},
    "sparse": {"latent": 256, "sparsity": "top-k", "k": 32, "epochs": 6},
    "deep": {"hidden": (256,), "epochs": 10},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_what_is_not_linear_is_better_than_pca_with_32_numbers(parts: tuple[Features, Features], name: str) -> None:
    """The sparse code has 256 numbers, of which 32 are not 0."""
    assert error(parts, name, **{"latent": 32, **SHORT[name]}) < PCA[32] - 0.005
