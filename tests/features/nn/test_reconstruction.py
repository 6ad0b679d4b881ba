"""Reconstruction errors in the units of the features: constant columns, missing values and validation."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.features.models import PCA
from recsys_ae.features.nn.reconstruction import validation
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling

CPU = Run(device="cpu")


def features(values: Any, *, sparse: bool = False) -> Features:
    n, width = np.shape(values)
    return Features(csr_matrix(values) if sparse else np.asarray(values), pd.RangeIndex(n), pd.RangeIndex(width))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("scale", ["standard", "min-max"])
def test_a_column_that_was_constant_is_reconstructed_as_its_constant(sparse: bool, scale: Any) -> None:
    """New rows with another value there have that much error."""
    rng = np.random.default_rng(0)
    train = np.column_stack([rng.normal(size=(50, 3)) * [1, 5, 20], np.full(50, 4.0)])
    model = FeatureEncoder(PCA(latent=2, scale=scale)).fit(features(train, sparse=sparse), run=CPU)
    new = rng.normal(size=(8, 4)) * [1, 5, 20, 3]
    new[0, 3] = 4
    back = np.asarray(model.reconstruct(features(new, sparse=sparse)).matrix)
    np.testing.assert_allclose(back[:, 3], 4, rtol=1e-6)
    sums, counts = model.squared_errors(features(new, sparse=sparse))
    np.testing.assert_allclose(sums, np.square(back - new).sum(axis=1), rtol=1e-4)
    assert counts.tolist() == [4] * 8
    assert model.error(features(new, sparse=sparse)) == pytest.approx(np.sqrt(np.square(back - new).mean()), rel=1e-4)


def test_missing_values_of_a_constant_column_have_no_error() -> None:
    train = np.column_stack([np.arange(20.0), np.arange(20.0) ** 2, np.full(20, 4.0)])
    model = FeatureEncoder(PCA(latent=2)).fit(features(train), run=CPU)
    sums, counts = model.squared_errors(features([[3, 9, np.nan], [3, 9, 6.0]]))
    np.testing.assert_allclose(sums, [0, 4], atol=1e-4)
    assert counts.tolist() == [2, 3]


def test_validation_is_the_root_of_the_mean_over_all_values() -> None:
    """The chunks have different sizes, so that a mean of their means would be another number."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1500, 3)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    values[1024:] *= 7
    given = features(values)
    model = FeatureEncoder(PCA(latent=1, scale="none")).fit(given, run=CPU)
    rows = FeatureRows.of(given, Scaling(3), torch.device("cpu"))
    found = validation(model.network, rows, CPU)()
    with torch.no_grad():
        errors = (model.network(rows).numpy() - np.nan_to_num(values))[~np.isnan(values)]
    assert found == {"rmse": pytest.approx(np.sqrt(np.square(errors).mean()), rel=1e-5)}
