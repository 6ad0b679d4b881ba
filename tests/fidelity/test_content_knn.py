"""Content kNN against ItemKNN-CBF of its paper, written out item by item."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.models import content_knn
from recsys_ae.models.content_knn import ContentKNN, ContentKNNNetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run
from tests.fidelity.counted import Float
from tests.nn.small import matrix, rows_of

N_ITEMS, N_FEATURES = 13, 4
HISTORIES = matrix(20, N_ITEMS, density=0.4)
WITHOUT = 5
"""An item without features."""
FEATURES = np.random.default_rng(1).normal(size=(N_ITEMS, N_FEATURES)).astype(np.float32)
FEATURES[WITHOUT] = 0
COLD = np.random.default_rng(2).normal(size=(3, N_FEATURES)).astype(np.float32)


def fitted(neighbors: int = 4, shrink: float = 0.0) -> ContentKNNNetwork:
    network = ContentKNN(neighbors=neighbors, shrink=shrink).build(Shape(20, N_ITEMS, features=N_FEATURES))
    with_features = np.delete(np.arange(N_ITEMS), WITHOUT)
    network.start_from(torch.from_numpy(FEATURES[with_features]), torch.from_numpy(with_features))
    network.learn(rows_of(HISTORIES), Run(device="cpu"))
    return network


def reference(targets: Float, positions: list[int | None], neighbors: int, shrink: float) -> Float:
    """Return each row's scores of the targets; a target at a position of the training is not its own neighbour.

    A score is the sum over the target's most similar items, of the row's value times the similarity.
    """
    scores = np.zeros((HISTORIES.shape[0], len(targets)))
    for column, (target, position) in enumerate(zip(targets, positions, strict=True)):
        similar = {}
        for item, features in enumerate(FEATURES.astype(np.float64)):
            product = np.linalg.norm(target) * np.linalg.norm(features) + shrink
            if item != position and product > 0:
                similar[item] = target @ features / product
        for item in sorted(similar, key=lambda item: -similar[item])[:neighbors]:
            scores[:, column] += HISTORIES.toarray()[:, item] * max(0, similar[item])
    return scores


@pytest.mark.parametrize("pieces", [1, 3, 2**17])
@pytest.mark.parametrize("shrink", [0.0, 2.5])
@pytest.mark.parametrize("neighbors", [1, 4, 12, 500])
def test_an_item_is_scored_by_its_own_nearest_neighbours(
    neighbors: int, shrink: float, pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_knn, "CHUNK", 5)
    monkeypatch.setattr(content_knn, "CELLS", pieces)
    expected = reference(FEATURES.astype(np.float64), list(range(N_ITEMS)), neighbors, shrink)
    with torch.inference_mode():
        actual = fitted(neighbors, shrink)(rows_of(HISTORIES)).numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
    assert (actual[:, WITHOUT] == 0).all()


@pytest.mark.parametrize("shrink", [0.0, 2.5])
@pytest.mark.parametrize("neighbors", [1, 4, 500])
def test_a_cold_item_is_scored_by_the_same_rule(neighbors: int, shrink: float) -> None:
    expected = reference(COLD.astype(np.float64), [None] * len(COLD), neighbors, shrink)
    network, rows = fitted(neighbors, shrink), rows_of(HISTORIES)
    with torch.inference_mode():
        weights = network.weights_of(torch.from_numpy(COLD))
        actual = network.score_new(rows, network.encode(rows), weights).numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_the_neighbours_are_those_of_the_target_not_of_the_history() -> None:
    """Item 0 is nearest to item 1, but item 1 is nearer to item 2, so a history of item 0 does not score item 1."""
    angles = np.radians([0.0, 10.0, 12.0, 14.0])
    network = ContentKNN(neighbors=1).build(Shape(1, 4, features=2))
    network.start_from(torch.from_numpy(np.stack([np.cos(angles), np.sin(angles)], axis=1)).float(), torch.arange(4))
    histories = rows_of(csr_matrix(np.eye(4, dtype=np.float32)))
    network.learn(histories, Run(device="cpu"))
    with torch.inference_mode():
        scores = network(histories).numpy()
    assert not scores[0].any()
    np.testing.assert_allclose(scores[1], np.cos(np.radians([10, 90, 2, 90])), atol=1e-6)


def test_a_training_item_has_the_weights_that_score_it() -> None:
    network, rows = fitted(), rows_of(HISTORIES)
    with torch.inference_mode():
        scores, again = network(rows), network.score_new(rows, network.encode(rows), network.item_weights())
    torch.testing.assert_close(again, scores)


def test_the_state_that_earlier_versions_saved_is_scored_by_this_rule() -> None:
    """They saved the nearest items of each item, too: similarities are symmetric."""
    unit = FEATURES / np.maximum(np.linalg.norm(FEATURES, axis=1, keepdims=True), 1e-12)
    similarities = np.maximum(unit @ unit.T - 3 * np.eye(N_ITEMS), 0)
    nearest = np.argsort(-similarities, axis=1)[:, :4]
    state = {
        "neighbors": torch.from_numpy(nearest.astype(np.int32)),
        "similarities": torch.from_numpy(np.take_along_axis(similarities, nearest, axis=1).astype(np.float32)),
        "features": torch.from_numpy(FEATURES),
    }
    with torch.device("meta"):
        network = ContentKNN(neighbors=4).build(Shape(20, N_ITEMS, features=N_FEATURES))
    network.load_state_dict(state, assign=True)
    with torch.inference_mode():
        scores = network(rows_of(HISTORIES)).numpy()
    expected = reference(FEATURES.astype(np.float64), list(range(N_ITEMS)), neighbors=4, shrink=0.0)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
