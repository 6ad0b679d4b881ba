"""Measures of a projection against scikit-learn, SciPy and slow references of their formulas."""

import math
import tempfile
import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist, pdist
from scipy.stats import spearmanr
from sklearn.manifold import trustworthiness

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis import quality
from recsys_ae.features.analysis.distances import Points
from recsys_ae.features.analysis.rank_correlation import RankCorrelation, average_ranks

CLOSE = 1e-9


def cloud(n: int = 90, width: int = 12, latent: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    high = rng.normal(size=(n, width)) + 2 * labels[:, None]
    return high, high @ rng.normal(size=(width, latent)) + rng.normal(size=(n, latent)), labels


def slow_order(points: np.ndarray) -> list[list[int]]:
    distances = cdist(points, points)
    return [sorted(set(range(len(points))) - {i}, key=lambda j: (distances[i, j], j)) for i in range(len(points))]


def slow_trust(high: np.ndarray, low: np.ndarray, k: int) -> float:
    n, total = len(high), 0
    for in_high, in_low in zip(slow_order(high), slow_order(low), strict=True):
        total += sum(in_high.index(j) + 1 - k for j in set(in_low[:k]) - set(in_high[:k]))
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * total


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("k", [1, 7])
def test_it_agrees_with_scikit_learn_scipy_and_the_formulas(seed: int, k: int) -> None:
    high, low, labels = cloud(seed=seed)
    found = quality(high, low, labels, k=k)
    assert found["trustworthiness"] == pytest.approx(trustworthiness(high, low, n_neighbors=k), abs=CLOSE)
    assert found["continuity"] == pytest.approx(trustworthiness(low, high, n_neighbors=k), abs=CLOSE)
    rho = spearmanr(pdist(high), pdist(low)).statistic
    assert found["spearman"] == pytest.approx(rho, abs=CLOSE)
    assert found["shepard"] == pytest.approx((rho + 1) / 2, abs=CLOSE)
    top = bottom = 0.0
    for i, j in combinations(range(len(high)), 2):
        wide, narrow = math.dist(high[i], high[j]), math.dist(low[i], low[j])
        top, bottom = top + (wide - narrow) ** 2, bottom + wide**2
    assert found["normalised_stress"] == pytest.approx(top / bottom, abs=CLOSE)
    hits = [np.mean(labels[order[:k]] == label) for order, label in zip(slow_order(low), labels, strict=True)]
    assert found["neighbourhood_hit"] == pytest.approx(np.mean(hits), abs=CLOSE)


def test_no_factor_makes_the_stress_less_than_the_scale_normalised_one() -> None:
    high, low, _ = cloud()
    found = quality(high, low)
    tried = [quality(high, factor * low)["normalised_stress"] for factor in np.linspace(0.05, 3, 60)]
    assert min(tried) >= found["scale_normalised_stress"]
    wide, narrow = pdist(high), pdist(low)
    best = quality(high, (wide @ narrow) / (narrow @ narrow) * low)
    assert best["normalised_stress"] == pytest.approx(found["scale_normalised_stress"], abs=CLOSE)
    assert best["scale_normalised_stress"] == pytest.approx(found["scale_normalised_stress"], abs=CLOSE)


@pytest.mark.parametrize("seed", range(3))
def test_equal_distances_and_equal_rows_are_settled_by_the_order_of_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    high, low = rng.integers(0, 3, (60, 4)) + 1000, rng.integers(0, 4, (60, 2))
    found = quality(high, low, k=5)
    assert found["trustworthiness"] == pytest.approx(slow_trust(high, low, 5), abs=CLOSE)
    assert found["continuity"] == pytest.approx(slow_trust(low, high, 5), abs=CLOSE)
    assert found["spearman"] == pytest.approx(spearmanr(pdist(high), pdist(low)).statistic, abs=CLOSE)


def test_codes_that_are_the_rows_turned_and_moved_are_perfect() -> None:
    high, _, _ = cloud(width=3)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    found = quality(high, high @ turn + 5)
    for name, best in {"trustworthiness": 1, "continuity": 1, "spearman": 1, "shepard": 1}.items():
        assert found[name] == pytest.approx(best, abs=CLOSE)
    assert found["normalised_stress"] == pytest.approx(0, abs=CLOSE)
    assert "neighbourhood_hit" not in found
    half = quality(high, high / 2)
    assert half["normalised_stress"] == pytest.approx(0.25, abs=CLOSE)
    assert half["scale_normalised_stress"] == pytest.approx(0, abs=CLOSE)


def test_codes_that_are_all_alike_leave_undefined_what_is_undefined() -> None:
    high, _, labels = cloud()
    found = quality(high, np.ones((len(high), 2)), labels)
    assert found["normalised_stress"] == 1
    assert [name for name, value in found.items() if math.isnan(value)] == [
        "scale_normalised_stress", "shepard", "spearman",
    ]  # fmt: skip


def test_little_memory_and_sparse_rows_change_nothing() -> None:
    high, low, labels = cloud(n=700)
    high[np.abs(high) < 1] = 0
    whole, pieces = quality(high, low, labels), quality(high, low, labels, memory=2**20)
    sparse = quality(csr_matrix(high), low, labels)
    for name, value in whole.items():
        assert pieces[name] == pytest.approx(value, abs=CLOSE)
        assert sparse[name] == pytest.approx(value, abs=CLOSE)


def test_it_works_in_the_memory_it_is_given() -> None:
    high, low, _ = cloud(n=1500, width=5)
    tracemalloc.start()
    try:
        quality(high, low, memory=2**22)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**22 + 2**20
    assert 4 * peak < 1500**2 * 8


def test_names_are_labels_too() -> None:
    high, low, labels = cloud()
    assert (
        quality(high, low, np.array(list("abcd"))[labels])["neighbourhood_hit"]
        == quality(high, low, labels)["neighbourhood_hit"]
    )


def test_what_cannot_be_measured_is_refused() -> None:
    high, low, labels = cloud(n=20)
    with pytest.raises(DataError, match="there are 20 rows, 19 codes; expected one for each row"):
        quality(high, low[1:])
    with pytest.raises(DataError, match="20 rows, 20 codes and 3 labels"):
        quality(high, low, labels[:3])
    with pytest.raises(ConfigError, match="k = 10 neighbours of 20 points"):
        quality(high, low, k=10)
    with pytest.raises(ConfigError, match="memory = 5 bytes"):
        quality(high, low, memory=5)
    high[3, 2] = np.nan
    with pytest.raises(DataError, match="rows have 1 values that are missing or infinite"):
        quality(high, low)


def test_distances_of_near_points_are_exact() -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(20, 8)), 2, axis=0) * 100
    rows[1::2] += rng.normal(size=(20, 8)) * 1e-7
    expected = np.array([[sum((a - b) ** 2) for b in rows] for a in rows])
    np.testing.assert_allclose(Points.of(rows).squared(slice(0, 40)), expected, rtol=1e-6, atol=0)


def test_ranks_come_from_buckets_however_poor_the_sample() -> None:
    rng = np.random.default_rng(2)
    first = rng.integers(0, 50, 30_000).astype(float)
    second = first + rng.normal(size=30_000) * 30
    for sample in (first[:100], np.zeros(5), np.array([1e9, 2e9])):
        ranks = RankCorrelation(len(first), sample, second[:50], 2**20)
        for part in np.array_split(np.arange(len(first)), 7):
            ranks.add(first[part], second[part])
        assert ranks.value() == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)
    assert average_ranks(np.array([3.0, 1, 3, 2])).tolist() == [3.5, 1, 3.5, 2]


def test_a_full_disk_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: object, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)
    high, low, _ = cloud()
    with pytest.raises(ConfigError, match=r"No space left on device.*set TMPDIR to a larger folder"):
        quality(high, low)
