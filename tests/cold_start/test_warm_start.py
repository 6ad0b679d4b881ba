"""Warm start: item embeddings initialised from item features."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from recsys_ae import models
from recsys_ae.cold_start import warm_start
from recsys_ae.cold_start.item_features import ItemFeatures
from recsys_ae.errors import ConfigError
from recsys_ae.features.data.features import Features
from recsys_ae.nn.anchors import Anchors
from recsys_ae.nn.history import History
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.recommender.state import Fitted
from tests.models.blocks import block_of, features, small, training_data

CPU = torch.device("cpu")
TABLES = {
    "autorec": 0, "cdae": 2, "elsa": 1, "hvamp": 3, "macrid_vae": 2, "mult_dae": 2, "mult_vae": 2, "recvae": 2,
    "vasp": 3,
}  # fmt: skip
"""Number of item tables of the neural models. The rows of item-based AutoRec are items."""


def some(n: int, width: int, n_items: int = 12) -> ItemFeatures:
    values = np.random.default_rng(0).normal(size=(n, width)).astype(np.float32)
    items = pd.RangeIndex(n_items)
    return ItemFeatures.of(Features(values, items[2 : 2 + n], pd.RangeIndex(width)), items, CPU)


def cosines(x: Tensor) -> Tensor:
    x = torch.nn.functional.normalize(x, dim=1)
    return x @ x.T


@pytest.mark.parametrize("name", TABLES)
def test_every_neural_model_has_its_item_tables(name: str) -> None:
    network = small(name).build(Shape(60, 32))
    tables = network.item_tables()
    assert len(tables) == TABLES[name]
    assert all(table.shape[0] == 32 for table in tables)
    assert len({table.data_ptr() for table in tables}) == len(tables)
    assert {table.data_ptr() for table in tables} <= {parameter.data_ptr() for parameter in network.parameters()}


@pytest.mark.parametrize("name", ["macrid_vae", "mult_vae"])
def test_a_code_s_mean_begins_with_the_vectors_and_its_variance_as_usual(name: str) -> None:
    network = small(name, hidden=()).build(Shape(60, 12))
    weight = network.get_parameter("encoder.input.weight")
    before = weight.detach().clone()
    first, last = network.item_tables()
    warm_start.start(network, some(10, 4), torch.Generator().manual_seed(0))
    assert torch.equal(weight[:, 8:], before[:, 8:])
    assert not torch.equal(weight[:, :8], before[:, :8])
    torch.testing.assert_close(first[2:], last[2:])
    first.sum().backward()
    assert weight.grad is not None


def test_no_neural_model_is_forgotten() -> None:
    trained = {name for name in models.names() if hasattr(models.spec_class(name), "anchor_l2")}
    assert trained == set(TABLES)
    assert len(small("autorec", orientation="user").build(Shape(60, 32)).item_tables()) == 2
    assert len(small("cdae", tied=True).build(Shape(60, 32)).item_tables()) == 1


@pytest.mark.parametrize("width", [3, 6, 20])
def test_items_begin_as_far_from_each_other_as_their_vectors(width: int) -> None:
    items, table = some(9, 6), torch.randn(12, width, generator=torch.Generator().manual_seed(1))
    before = table.clone()
    warm_start.fill([table], items.dense(), items.positions, torch.Generator().manual_seed(0))
    vectors = items.dense() - items.dense().mean(dim=0)
    if width < 6:  # the largest principal components explain the most
        left, values, _ = torch.linalg.svd(vectors, full_matrices=False)
        vectors = left[:, :width] * values[:width]
    torch.testing.assert_close(cosines(table[2:11]), cosines(vectors), rtol=1e-4, atol=1e-4)
    assert torch.equal(table[:2], before[:2])
    assert torch.equal(table[11:], before[11:])
    torch.testing.assert_close(table[2:11].square().sum(dim=1).mean(), torch.tensor(1.0))


def test_tables_of_one_width_begin_alike() -> None:
    first, second = torch.randn(12, 5), 10 * torch.randn(12, 5)
    items = some(12 - 2, 4)
    warm_start.fill([first, second], items.dense(), items.positions, torch.Generator().manual_seed(0))
    assert torch.equal(first[2:], second[2:])


def test_items_that_are_alike_are_predicted_from_each_other_before_any_training() -> None:
    data = training_data()
    blocks = block_of(data)
    network = small("mult_dae").build(Shape(*data.shape))
    items = ItemFeatures.of(features(data.items, blocks), data.items, CPU)
    warm_start.start(network, items, torch.Generator().manual_seed(0))
    learnt = network.eval(), torch.ones(32), data.items, data.users[:0], None
    model = Recommender.assembled(Fitted(network.spec, *learnt, History(), {}, {}))
    recommended, _ = model.recommend(training_data(seed=5).onto(data.items).matrix[::15], k=3)
    assert (blocks[recommended] == np.arange(4)[:, None]).mean() > 0.9


def test_anchor_l2_keeps_items_near_their_initial_embeddings() -> None:
    data = training_data()
    vectors = features(data.items, block_of(data))

    def moved(pull: float) -> float:
        spec = small("mult_dae", anchor_l2=pull, epochs=20)
        model = Recommender(spec).fit(data, item_features=vectors, run=Run(device="cpu"))
        with Run(device="cpu").settings():
            began = spec.build(Shape(*data.shape))
            warm_start.start(began, ItemFeatures.of(vectors, data.items, CPU), Run(device="cpu").generator())
        pairs = zip(model.network.item_tables(), began.item_tables(), strict=True)
        return sum(float((table - start).detach().square().sum()) for table, start in pairs)

    free, pulled = moved(0.0), moved(10.0)
    assert pulled < free / 20
    spec = small("mult_dae", anchor_l2=10.0, epochs=2)
    history = Recommender(spec).fit(data, item_features=vectors, run=Run(device="cpu")).history
    assert history[0]["distance"] > 0


def test_the_anchor_penalty_is_the_squared_distance() -> None:
    table, items = torch.nn.Parameter(torch.randn(12, 3)), some(4, 3)
    anchors = Anchors([table], items.positions)
    assert float(anchors.cost([table]).detach()) == 0
    with torch.no_grad():
        table += 2
    cost = anchors.cost([table])
    assert float(cost.detach()) == pytest.approx(4 * 3 * 4)
    cost.backward()
    expected = torch.zeros(12, 3)
    expected[2:6] = 4
    torch.testing.assert_close(table.grad, expected)


def test_anchor_l2_is_refused_without_item_features_and_with_sampled_items() -> None:
    with pytest.raises(ConfigError, match=r"anchor_l2 = 1\.0 needs item features; give item_features, or"):
        Recommender(small("mult_dae", anchor_l2=1.0)).fit(training_data(), run=Run(device="cpu"))
    with pytest.raises(ConfigError, match=r"anchor_l2 = 1\.0 updates all items, but sampled_items = 10 only a few"):
        small("mult_dae", anchor_l2=1.0, sampled_items=10)


def test_one_seed_gives_one_start() -> None:
    data = training_data()
    vectors = features(data.items, block_of(data))
    spec = small("mult_vae", epochs=2)
    first, second = (
        Recommender(spec).fit(data, item_features=vectors, run=Run(device="cpu", seed=3)) for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True))


def test_anchor_l2_is_refused_by_a_model_without_item_embeddings() -> None:
    data = training_data(rated=True)
    message = "anchor_l2 = 0.1 needs item embeddings, but this autorec has none; set anchor_l2 = 0"
    with pytest.raises(ConfigError, match=message):
        Recommender(small("autorec", anchor_l2=0.1)).fit(data, item_features=features(data.items, block_of(data)))
