"""Reconstruction errors of single rows."""

import numpy as np
import pandas as pd
import pytest

from recsys_ae import Features
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.reconstruction import errors, extremes
from tests.features.analysis.small import encoder, rows


@pytest.mark.parametrize("name", ["pca", "variational"])
def test_the_error_of_each_row_is_that_of_its_reconstruction(name: str) -> None:
    features, _ = rows(50, seed=1)
    model = encoder(name)
    expected = np.sqrt(np.square(np.asarray(model.reconstruct(features).matrix) - features.matrix).mean(axis=1))
    found = errors(model, features)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert model.error(features) == pytest.approx(np.sqrt(np.square(found).mean()), rel=1e-9)
    np.testing.assert_allclose(errors(model, features.take(np.array([7, 3]))), found[[7, 3]], rtol=1e-4)


def test_missing_values_do_not_count() -> None:
    features, _ = rows(20)
    holed = np.array(features.matrix)
    holed[4, :] = np.nan
    holed[5, 2:] = np.nan
    found = errors(encoder(), Features(holed, features.ids, features.columns))
    back = np.asarray(encoder().reconstruct(Features(holed, features.ids, features.columns)).matrix)
    assert np.isnan(found[4])
    assert found[5] == pytest.approx(np.sqrt(np.square(back[5, :2] - holed[5, :2]).mean()), rel=1e-4)


def test_other_codes_can_be_compared_with_the_rows() -> None:
    features, _ = rows(30)
    model = encoder("deep")
    codes = np.asarray(model.encode(features).matrix)
    own, counts = model.squared_errors(features)
    np.testing.assert_allclose(model.squared_errors(features, codes)[0], own, rtol=1e-4)
    moved = model.squared_errors(features, codes[::-1])[0]
    expected = np.square(np.asarray(model.decode(codes[::-1]).matrix) - features.matrix).sum(axis=1)
    np.testing.assert_allclose(moved, expected, rtol=1e-4)
    assert counts.tolist() == [features.width] * 30
    with pytest.raises(DataError, match=r"codes have the shape \(3, 3\); expected \(30, 3\)"):
        model.squared_errors(features, codes[:3])


def test_the_easiest_and_the_hardest_rows_come_first() -> None:
    values = np.array([0.3, np.nan, 0.1, 0.9, 0.5])
    easiest, hardest = extremes(values, 2)
    assert (easiest.tolist(), hardest.tolist()) == ([2, 0], [3, 4])
    with pytest.raises(ConfigError, match="n = 6 extremes of 5 rows"):
        extremes(values, 6)


def test_equal_errors_are_in_the_order_of_their_rows() -> None:
    values = np.random.default_rng(0).integers(0, 3, 200).astype(float)
    easiest, hardest = extremes(values, 100)
    order = sorted(range(200), key=lambda row: (values[row], row))
    assert easiest.tolist() == order[:100]
    assert hardest.tolist() == order[:99:-1]


def test_no_row_is_no_error() -> None:
    features, _ = rows(5)
    empty = Features(np.empty((0, features.width)), pd.RangeIndex(0), features.columns)
    assert errors(encoder(), empty).shape == (0,)
