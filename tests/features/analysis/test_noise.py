"""Denoising and anomaly detection."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys_ae import Features
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.anomaly import anomaly, withheld, without
from recsys_ae.features.analysis.denoising import denoising
from tests.features.analysis.small import encoder, rows


def test_the_ratio_of_the_noise_is_that_of_its_deviation() -> None:
    features, _ = rows(2000)
    found = denoising(encoder(), features, [0, 0.1, 0.3])
    assert found[0]["psnr_noisy"] == math.inf
    for one in found[1:]:
        assert one["psnr_noisy"] == pytest.approx(-20 * math.log10(one["level"]), abs=0.1)
    ranges = np.ptp(np.asarray(features.matrix), axis=0)
    back = np.asarray(encoder().reconstruct(features).matrix)
    expected = -10 * math.log10(np.square((back - features.matrix) / ranges).mean())
    assert found[0]["psnr"] == pytest.approx(expected, abs=1e-4)


def test_rows_near_a_plane_are_freed_from_noise() -> None:
    features, _ = rows(500)
    found = denoising(encoder("pca", 4), features, [0.1, 0.2])
    # PCA keeps the noise in 4 of 9 directions.
    for one in found:
        assert one["psnr"] - one["psnr_noisy"] == pytest.approx(10 * math.log10(9 / 4), abs=0.7)
    assert denoising(encoder("pca", 4), features, [0.1]) == found[:1]
    assert denoising(encoder("pca", 4), features, [0.1], seed=1) != found[:1]


def test_missing_values_do_not_count_and_stay_missing() -> None:
    features, _ = rows(300)
    holed = np.array(features.matrix)
    holed[:, 8] = np.nan
    holed[::3, 0] = np.nan
    found = denoising(encoder(), Features(holed, features.ids, features.columns), [0.1])
    assert found[0]["psnr_noisy"] == pytest.approx(20, abs=0.3)
    assert math.isfinite(found[0]["psnr"])


def test_noise_that_cannot_be_is_refused() -> None:
    features, _ = rows(10)
    with pytest.raises(ConfigError, match="level = -1 must be at least 0"):
        denoising(encoder(), features, [-1])
    with pytest.raises(DataError, match="would make them dense"):
        denoising(encoder(), Features(csr_matrix(features.matrix), features.ids, features.columns), [0.1])
    with pytest.raises(DataError, match="all values are equal"):
        denoising(encoder(), Features(np.ones((10, 9)), features.ids, features.columns), [0.1])


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    usual, odd = rng.integers(0, 6, 40).astype(float), rng.integers(2, 9, 30).astype(float)
    pairs = [(b > a) + 0.5 * (a == b) for a in usual for b in odd]
    assert anomaly(usual, odd) == pytest.approx(np.mean(pairs), abs=1e-12)
    metrics = pytest.importorskip("sklearn.metrics")
    truth = np.repeat([0, 1], [40, 30])
    assert anomaly(usual, odd) == pytest.approx(metrics.roc_auc_score(truth, np.concatenate([usual, odd])), abs=1e-12)
    assert anomaly(usual, odd) == pytest.approx(1 - anomaly(odd, usual))
    with pytest.raises(DataError, match="0 usual and 30 odd rows"):
        anomaly(np.empty(0), odd)
    with pytest.raises(DataError, match="1 errors are NaN"):
        anomaly(np.array([np.nan, 1]), odd)


def test_a_withheld_label_is_noticed() -> None:
    features, labels = rows(200)
    kept = without(labels, 2)
    assert set(labels[kept]) == {0, 1}
    from recsys_ae import FeatureEncoder, Run
    from recsys_ae.features.models.pca import PCA

    # Two classes and two directions within them span three dimensions; the third class lies outside.
    model = FeatureEncoder(PCA(latent=3)).fit(features.take(kept), run=Run(device="cpu"))
    test, truth = rows(200, seed=1)
    assert withheld(model, test, truth, 2) > 0.99
    seen = FeatureEncoder(PCA(latent=4)).fit(features, run=Run(device="cpu"))
    assert withheld(seen, test, truth, 2) < 0.9
    with pytest.raises(DataError, match="0 of 200 rows have the label 7; expected some"):
        without(labels, 7)


def test_steps_of_padding_do_not_count() -> None:
    from recsys_ae import FeatureEncoder, Run
    from recsys_ae.features import models as autoencoders
    from recsys_ae.spec.hyper import build

    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 5, 400)
    values = rng.normal(size=(400, 4, 2)) * (np.arange(4) < lengths[:, None])[..., None]
    features = Features(values.reshape(400, 8), pd.RangeIndex(400), pd.RangeIndex(8), (4, 2), lengths)
    spec = build(autoencoders.spec_class("recurrent"), {"latent": 2, "epochs": 1})
    found = denoising(FeatureEncoder(spec).fit(features, run=Run(device="cpu")), features, [0.2])
    assert found[0]["psnr_noisy"] == pytest.approx(-20 * math.log10(0.2), abs=0.4)


class Copying:
    """An encoder that returns its input and keeps it."""

    def reconstruct(self, features: Features) -> Features:
        self.seen = np.asarray(features.matrix)
        return features


@pytest.mark.parametrize(("form", "ranges"), [((), [1.0, 10.0, 2.0, 4.0]), ((1, 2, 2), [20.0] * 4)])
def test_the_noise_has_the_range_of_each_column_or_of_all_pixels(form: tuple[int, ...], ranges: list[float]) -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(20_000, 4)) * [1, 10, 2, 4] + [0, 10, 0, 0]
    values[0], values[1] = [0, 10, 0, 0], [1, 20, 2, 4]
    features = Features(values, pd.RangeIndex(20_000), pd.RangeIndex(4), form)
    model: Any = Copying()
    (found,) = denoising(model, features, [0.1])
    np.testing.assert_allclose((model.seen - features.matrix).std(axis=0), 0.1 * np.array(ranges), rtol=0.03)
    assert found["psnr"] == found["psnr_noisy"] == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_a_withheld_label_is_compared_row_by_row(label: int) -> None:
    """The area is the share of pairs of a row with the label and a row without it that are in the right order."""
    features, labels = rows(60)
    values, model = np.asarray(features.matrix), encoder()
    errors_of_rows = np.square(np.asarray(model.reconstruct(features).matrix) - values).mean(axis=1)
    odd, usual = errors_of_rows[labels == label], errors_of_rows[labels != label]
    right = np.mean([(b > a) + 0.5 * (a == b) for a in usual for b in odd])
    assert withheld(model, features, labels, label) == pytest.approx(right, abs=1e-6)
    np.testing.assert_array_equal(without(labels, label), [row for row in range(60) if labels[row] != label])
