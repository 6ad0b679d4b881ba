"""Item features of a fit: their items, in any order and with gaps, and the scaling of cold items."""

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_ae.cold_start import warm_start
from recsys_ae.cold_start.cold_start import ColdStart, known
from recsys_ae.cold_start.feature_map import ItemMap
from recsys_ae.cold_start.item_features import ItemFeatures
from recsys_ae.features.data.features import Features
from recsys_ae.models import EASE
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from tests.models.blocks import FROM_FEATURES, block_of, features, small, training_data

CPU = torch.device("cpu")
ITEMS = pd.Index([f"item {number}" for number in (4, 1, 8, 0, 7, 3, 9, 5, 6, 2)])
SCATTERED = np.array([1, 2, 5, 6, 9])
"""Positions of the items with features."""
NUMBERS = np.array([[1.0, 10], [3, 20], [2, 90], [7, 40], [5, 60]], np.float32)
"""Their features, in the order of these positions."""


def told() -> Features:
    """Return the features in another order, among those of items that no training knows."""
    order = np.array([3, 0, 4, 1, 2])
    values = np.vstack([[[50.0, -500]], NUMBERS[order], [[-30, 700]]])
    return Features(values, pd.Index(["before", *ITEMS[SCATTERED[order]], "after"]), pd.Index(["a", "b"]))


def test_features_belong_to_the_items_at_their_positions() -> None:
    items = ItemFeatures.of(told(), ITEMS, CPU)
    scaled = (NUMBERS - NUMBERS.mean(axis=0)) / NUMBERS.std(axis=0)
    np.testing.assert_array_equal(items.positions, SCATTERED)
    np.testing.assert_allclose(items.dense(), scaled, rtol=1e-5, atol=1e-6)


def test_scattered_items_start_from_their_own_features() -> None:
    items = ItemFeatures.of(told(), ITEMS, CPU)
    table = torch.full((10, 2), 100.0)
    warm_start.fill([table], items.dense(), items.positions, torch.Generator().manual_seed(0))
    scaled = torch.from_numpy((NUMBERS - NUMBERS.mean(axis=0)) / NUMBERS.std(axis=0))
    # The projection keeps all angles.
    cosines = [torch.nn.functional.normalize(vectors, dim=1) for vectors in (table[SCATTERED], scaled)]
    torch.testing.assert_close(cosines[0] @ cosines[0].T, cosines[1] @ cosines[1].T, rtol=1e-4, atol=1e-5)
    assert (np.delete(table.numpy(), SCATTERED, axis=0) == 100).all()


@pytest.mark.parametrize("name", FROM_FEATURES)
def test_a_model_of_features_reads_scattered_items_like_items_with_features_of_zero(name: str) -> None:
    data = training_data()
    positions = np.delete(np.arange(32), [0, 3, 4, 11, 20, 31])
    vectors = features(data.items, block_of(data))
    start = known(small(name).build(Shape(60, 32, 5)), vectors.take(positions[::-1]), data.items, CPU)
    padded = torch.zeros(32, 5).index_copy_(0, start.items.positions, start.items.dense())
    assert not padded[[0, 3, 4, 11, 20, 31]].any()
    rows = Rows.from_matrix(data.matrix, CPU)
    scores = []
    for values, places in ((start.items.dense(), start.items.positions), (padded, torch.arange(32))):
        network = small(name).build(Shape(60, 32, 5))
        network.start_from(values, places)
        network.learn(rows, Run(device="cpu"))
        with torch.inference_mode():
            scores.append(network(rows))
    torch.testing.assert_close(scores[0], scores[1])


def test_the_map_reads_the_weights_of_the_items_with_features() -> None:
    """The weights of the items follow from their features exactly, so the map returns them for scattered items, too."""
    data = training_data()
    network = EASE(l2=5.0).build(Shape(60, 32))
    vectors = torch.from_numpy(np.random.default_rng(0).normal(size=(32, 5)).astype(np.float32))
    network.weights = torch.randn(32, 5, generator=torch.Generator().manual_seed(0)) @ vectors.T
    scattered = np.array([2, 3, 5, 8, 11, 13, 14, 20, 22, 23, 27, 30])
    of_some = Features(vectors.numpy()[scattered[::-1]], data.items[scattered[::-1]], pd.RangeIndex(5))
    items = ItemFeatures.of(of_some, data.items, CPU)
    rows = Rows.from_matrix(data.matrix, CPU)
    item_map = ItemMap.learn(network, rows, items, torch.Generator().manual_seed(0))
    everything = Features(vectors.numpy(), data.items, pd.RangeIndex(5))
    start = known(network, of_some, data.items, CPU)
    cold_start = ColdStart(start.columns, items.rows.form, items.rows.scaling, item_map)
    torch.testing.assert_close(cold_start.weights(network, everything), network.item_weights(), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", ["ease", "mult_dae", *FROM_FEATURES])
def test_cold_items_are_scaled_as_in_training_whichever_items_come_with_them(name: str) -> None:
    """Copies of training items under new ids have the weights of their originals, alone and in any batch."""
    data, run = training_data(), Run(device="cpu")
    vectors = features(data.items, block_of(data))
    network = small(name, epochs=1).build(Shape(60, 32, 5))
    start = known(network, vectors, data.items, CPU)
    warm_start.start(network, start.items, run.generator())
    rows = Rows.from_matrix(data.matrix, CPU)
    network.learn(rows, run)
    learned = ColdStart.learn(network, rows, start, run.generator())
    with torch.no_grad():
        dense = start.items.dense()
        expected = network.weights_of(dense) if learned.map is None else learned.map(start.items.rows)
        for positions in ([5], [7, 3], [30, 2, 8, 3], list(range(32))):
            copies = Features(vectors.matrix[positions], pd.RangeIndex(len(positions)), vectors.columns)
            torch.testing.assert_close(learned.weights(network, copies), expected[positions], rtol=1e-4, atol=1e-5)
