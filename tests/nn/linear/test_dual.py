"""Item-item weights from the users × users matrix compared with those from the items × items matrix."""

import numpy as np
import pytest
import torch

from recsys_ae.nn.linear import dual
from recsys_ae.nn.linear.gram import Dtype, ItemItem
from tests.nn.small import matrix, rows_of

WIDE = matrix(20, 90, seed=3, density=0.2)
POWERS = [{}, {"dropout": 0.3}, {"user_discount": 0.5, "scaling": 0.7, "popularity_discount": 0.1}]


class Plain(ItemItem):
    def learn(self, rows, run, validate=None):  # type: ignore[no-untyped-def]
        return []


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("l2", [0.01, 1.0, 300.0])
@pytest.mark.parametrize("powers", POWERS)
def test_both_sides_give_the_same_weights(
    l2: float, dtype: Dtype, powers: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    users, items = Plain(90), Plain(90)
    users.solve(rows_of(WIDE), dtype, l2, **powers)
    monkeypatch.setattr(dual, "is_cheaper", lambda *shape: False)
    items.solve(rows_of(WIDE), "float64", l2, **powers)
    assert users.weights.dtype == torch.float32
    assert users.weights.is_contiguous()
    assert (users.weights - items.weights).norm() <= 1e-6 * items.weights.norm()


def test_the_weights_are_those_of_the_formula() -> None:
    x = WIDE.toarray().astype(np.float64)
    p = np.linalg.inv(x.T @ x + 2 * np.eye(90))
    expected = -p / p.diagonal()
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(dual.solve(rows_of(WIDE), torch.full((90,), 2.0)), expected, rtol=1e-5, atol=1e-8)


def test_the_cheaper_side_is_taken() -> None:
    """Compare the operations m³/3 + m²n + mn² with n³; float32 needs half the time of float64."""
    assert dual.is_cheaper(50, 100, 1.0, itemsize=8)
    assert not dual.is_cheaper(60, 100, 1.0, itemsize=8)
    assert dual.is_cheaper(30, 100, 1.0, itemsize=4)
    assert not dual.is_cheaper(40, 100, 1.0, itemsize=4)


def test_a_tiny_penalty_is_left_to_the_side_of_the_items() -> None:
    assert not dual.is_cheaper(20, 90, 0.0, itemsize=8)
    assert not dual.is_cheaper(20, 90, 1e-5, itemsize=8)
    assert dual.is_cheaper(20, 90, 1e-4, itemsize=8)
