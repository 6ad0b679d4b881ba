"""Perturbed codes, and the quality of generated rows."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.generation import confidence, perturbation, perturbed, pooled, precision_recall
from tests.features.analysis.small import encoder, rows


def test_codes_move_within_their_share_of_the_range() -> None:
    codes = np.random.default_rng(0).normal(size=(4000, 2)).astype(np.float32) * [1, 10]
    wide = np.ptp(codes.astype(np.float32), axis=0)
    moved = perturbed(codes, 0.2) - codes
    assert (np.abs(moved) <= 0.2 * wide * 1.001).all()
    np.testing.assert_allclose(np.abs(moved).max(axis=0), 0.2 * wide, rtol=0.01)
    np.testing.assert_allclose(moved.std(axis=0), 0.2 * wide / np.sqrt(3), rtol=0.05)
    np.testing.assert_array_equal(perturbed(codes, 0), codes.astype(np.float32))
    np.testing.assert_array_equal(perturbed(codes, 0.2, seed=3), perturbed(codes, 0.2, seed=3))
    assert (perturbed(codes, 0.2, seed=3) != perturbed(codes, 0.2, seed=4)).any()
    given = perturbed(codes, 1, ranges=np.array([0.0, 1.0])) - codes
    assert np.abs(given[:, 0]).max() < 1e-6
    assert 0.99 < np.abs(given[:, 1]).max() <= 1.001


def test_perturbations_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"share = -0\.1"):
        perturbed(np.ones((2, 2)), -0.1)
    with pytest.raises(DataError, match=r"ranges have the shape \(3,\); expected \(2,\)"):
        perturbed(np.ones((2, 2)), 0.1, ranges=np.ones(3))
    with pytest.raises(DataError, match=r"codes have the shape \(2,\)"):
        perturbed(np.ones(2), 0.1)


def test_the_error_grows_with_the_perturbation() -> None:
    features, _ = rows(80)
    model = encoder()
    found = perturbation(model, features, [0, 0.1, 0.5, 1])
    assert [one["share"] for one in found] == [0, 0.1, 0.5, 1]
    assert found[0]["rmse"] == pytest.approx(model.error(features), rel=1e-4)
    assert sorted(one["rmse"] for one in found) == [one["rmse"] for one in found]
    codes = np.asarray(model.encode(features).matrix)
    back = np.asarray(model.decode(perturbed(codes, 0.5)).matrix)
    assert found[2]["rmse"] == pytest.approx(np.sqrt(np.square(back - features.matrix).mean()), rel=1e-4)


def test_the_standard_error_is_that_of_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 9, 300).astype(float)
    sums = counts * rng.exponential(size=300)
    drawn = rng.integers(0, 300, (4000, 300))
    expected = np.sqrt(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)).std()
    found = pooled(sums, counts)
    assert found["rmse"] == pytest.approx(np.sqrt(sums.sum() / counts.sum()))
    assert found["standard_error"] == pytest.approx(expected, rel=0.05)


def slow_precision(real: np.ndarray, made: np.ndarray, k: int) -> float:
    radii = np.sort(cdist(real, real), axis=1)[:, k]
    return float(np.mean([(np.linalg.norm(real - one, axis=1) <= radii).any() for one in made]))


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_are_those_of_the_definition(k: int) -> None:
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(60, 4)), rng.normal(size=(50, 4)) * 1.3 + 0.5
    found = precision_recall(real, made, k=k)
    assert found == (slow_precision(real, made, k), slow_precision(made, real, k))
    assert 0.05 < found.precision < 0.95


def test_a_copy_is_precise_and_complete_and_one_corner_is_precise_only() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(200, 3))
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(real, real + 100) == (0, 0)
    corner = precision_recall(real, rng.normal(size=(200, 3)) * 0.1)
    assert corner.precision > 0.95
    assert corner.recall < 0.3
    with pytest.raises(ConfigError, match="k = 3 neighbours of 200 real and 3 generated rows"):
        precision_recall(real, real[:3])
    with pytest.raises(DataError, match="generated rows have 2 columns, but those they are compared with 3"):
        precision_recall(real, real[:, :2])


def test_confidence_is_the_largest_probability() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    features, labels = rows()
    classifier = linear.LogisticRegression(max_iter=1000).fit(features.matrix, labels)
    found = confidence(classifier, np.asarray(features.matrix))
    assert found.shape == (120,)
    assert (found > 0.9).mean() > 0.9
    assert (confidence(classifier, np.zeros((1, 9))) < 1).all()
