"""Retrieval by example, and classification by nearest neighbours."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.neighbours import knn_accuracy
from recsys_ae.features.analysis.retrieval import each_query, nearest, retrieval
from tests.features.analysis.small import rows


def slow(codes: np.ndarray, labels: np.ndarray, query: int, k: int, metric: str) -> tuple[float, float]:
    far = cdist(codes[query : query + 1], codes, metric)[0]
    others = sorted(set(range(len(codes))) - {query}, key=lambda row: (far[row], row))
    right = [labels[row] == labels[query] for row in others]
    precisions = [sum(right[: place + 1]) / (place + 1) for place in range(len(right)) if right[place]]
    return sum(right[:k]) / k, sum(precisions) / len(precisions)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_precision_and_average_precision_are_those_of_the_definition(metric: str) -> None:
    rng = np.random.default_rng(0)
    codes, labels = rng.normal(size=(60, 3)), rng.integers(0, 4, 60)
    chosen = np.array([5, 17, 40])
    found = each_query(codes, labels, k=4, queries=chosen, metric=metric)  # type: ignore[arg-type]
    assert found.index.tolist() == [5, 17, 40]
    for query in chosen:
        np.testing.assert_allclose(found.loc[query], slow(codes, labels, query, 4, metric), rtol=1e-12)
    whole = retrieval(codes, labels, k=4, metric=metric)  # type: ignore[arg-type]
    assert list(whole) == ["precision@4", "map"]
    expected = np.mean([slow(codes, labels, query, 4, metric) for query in range(60)], axis=0)
    np.testing.assert_allclose(list(whole.values()), expected, rtol=1e-12)


def test_classes_that_lie_apart_are_found_whole() -> None:
    codes = np.repeat(np.eye(3) * 10, 5, axis=0) + np.random.default_rng(0).normal(size=(15, 3)) * 0.01
    labels = np.repeat(["a", "b", "c"], 5)
    assert retrieval(codes, labels, k=4) == {"precision@4": 1, "map": 1}


def test_a_label_that_no_other_row_has_counts_for_nothing() -> None:
    codes = np.arange(5.0)[:, None]
    found = each_query(codes, np.array([0, 0, 1, 0, 0]), k=1)
    assert found["map"].isna().tolist() == [False, False, True, False, False]
    assert retrieval(codes, np.array([0, 0, 1, 0, 0]), k=1)["precision@1"] == 3 / 4


def test_the_nearest_come_first_and_equals_by_position() -> None:
    codes = np.array([[0.0], [3], [1], [1], [-1]])
    assert nearest(codes, np.array([[0.2], [9]]), 3).tolist() == [[0, 2, 3], [1, 2, 3]]
    assert nearest(codes, np.empty((0, 1)), 2).shape == (0, 2)
    turned = np.array([[1.0, 0], [0, 5], [3, 3], [0, 0]])
    assert nearest(turned, np.array([[10.0, 1]]), 4, metric="cosine").tolist() == [[0, 2, 1, 3]]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_many_equals_are_ranked_by_position(metric: str) -> None:
    """Sorting that is not stable exchanges equal distances of more than 16 rows."""
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(1, 3, (300, 2)).astype(float), rng.integers(0, 4, 300)
    found = each_query(codes, labels, k=40, queries=np.arange(0, 300, 30), metric=metric)  # type: ignore[arg-type]
    for query in found.index:
        far = cdist(codes[query : query + 1], codes, metric)[0].round(9)
        others = sorted(set(range(300)) - {query}, key=lambda row: (far[row], row))
        right = labels[others] == labels[query]
        assert found.loc[query, "precision@40"] == right[:40].mean()
        precisions = (np.cumsum(right) / np.arange(1, 300))[right]
        assert found.loc[query, "map"] == pytest.approx(precisions.mean(), rel=1e-12)
        near = nearest(codes, codes[query : query + 1], 120, metric=metric)[0]  # type: ignore[arg-type]
        assert near.tolist() == sorted(range(300), key=lambda row: (far[row], row))[:120]


def test_what_cannot_be_searched_is_refused() -> None:
    codes = np.ones((4, 2))
    with pytest.raises(ConfigError, match="k = 5 neighbours of 4 codes"):
        nearest(codes, codes, 5)
    with pytest.raises(ConfigError, match="metric = 'manhattan' is not euclidean or cosine"):
        nearest(codes, codes, 1, metric="manhattan")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"there are 4 codes, but labels of shape \(3,\)"):
        retrieval(codes, np.ones(3))
    with pytest.raises(ConfigError, match="k = 10 of 3 other rows"):
        retrieval(codes, np.ones(4))
    with pytest.raises(DataError, match="queries have 3 columns"):
        nearest(codes, np.ones((1, 3)), 1)


def test_the_neighbours_vote() -> None:
    pytest.importorskip("sklearn")
    train, labels = rows(200)
    test, expected = rows(100, seed=1)
    found = knn_accuracy(np.asarray(train.matrix), labels, np.asarray(test.matrix), expected)
    order = nearest(np.asarray(train.matrix), np.asarray(test.matrix), 5)
    votes = [np.bincount(labels[row], minlength=3).argmax() for row in order]
    assert found == np.mean(np.array(votes) == expected)
    assert found > 0.9
    with pytest.raises(ConfigError, match="k = 201 neighbours of 200 training codes"):
        knn_accuracy(np.asarray(train.matrix), labels, np.asarray(test.matrix), expected, k=201)
    with pytest.raises(DataError, match="test codes of shape"):
        knn_accuracy(np.asarray(train.matrix), labels, np.asarray(test.matrix), expected[:3])
