"""Memory of a batch, and the penalty on the distance from item features."""

import pytest
import torch
from torch import Tensor

from recsys_ae.errors import ConfigError
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.training.steps import Loss
from tests.nn.small import Tiny, TinyNetwork, matrix, rows_of


class WithTable(TinyNetwork):
    """Network whose output weights are a table of items."""

    def item_tables(self) -> list[Tensor]:
        return [self.output.weight]


class Needy(WithTable):
    """Network that cannot be fitted without item features."""

    learns_from_features = True


def network_of(anchor_l2: float, kind: type[TinyNetwork] = WithTable) -> TinyNetwork:
    with seeded(0):
        return kind(Tiny(anchor_l2=anchor_l2), Shape(9, 7))


@pytest.mark.parametrize(("n_rows", "n_in_batch"), [(3, 3), (10, 10), (900, 10)])
def test_a_batch_holds_a_number_of_four_bytes_for_each_row_and_item(n_rows: int, n_in_batch: int) -> None:
    assert Tiny(batch_size=10).batch_memory(Shape(n_rows, 700)) == 4 * n_in_batch * 700


def test_the_distance_of_items_with_features_from_their_start_is_penalised() -> None:
    network, positions = network_of(0.5), torch.tensor([1, 4])
    network.start_from(torch.zeros(2, 3), positions)
    loss = Loss(torch.tensor(10.0), {"error": 10.0})
    assert network.penalised(loss).total == 10
    with torch.no_grad():
        network.output.weight += 2.0
        penalised = network.penalised(loss)
    distance = 2 * 3 * 2.0**2
    assert penalised.total.item() == pytest.approx(10 + 0.5 * distance)
    assert {name: float(part) for name, part in penalised.parts.items()} == pytest.approx(
        {"error": 10, "distance": distance}
    )


def test_without_a_penalty_or_without_features_a_loss_stays_as_it_is() -> None:
    loss = Loss(torch.tensor(10.0), {})
    free, anchored = network_of(0.0), network_of(0.5)
    free.start_from(torch.zeros(2, 3), torch.tensor([1, 4]))
    assert free.penalised(loss) is loss
    assert anchored.penalised(loss) is loss


def test_the_start_is_forgotten_after_the_training() -> None:
    network, loss = network_of(0.5), Loss(torch.tensor(10.0), {})
    network.start_from(torch.zeros(2, 3), torch.tensor([1, 4]))
    history = network.learn(rows_of(matrix()), Run(device="cpu"))
    assert history[-1]["distance"] > 0
    assert network.penalised(loss) is loss


def test_a_penalty_and_a_model_that_need_item_features_are_refused_without_them() -> None:
    network_of(0.0).do_without_features()
    with pytest.raises(ConfigError) as refused:
        network_of(0.5).do_without_features()
    assert str(refused.value) == "anchor_l2 = 0.5 needs item features; give item_features, or set anchor_l2 = 0"
    with pytest.raises(ConfigError, match="needs item features; give item_features"):
        network_of(0.0, Needy).do_without_features()
