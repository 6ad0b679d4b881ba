"""The optimiser against PyTorch's own."""

import pytest
import torch
from torch import Tensor

from recsys_ae.nn.adam import Adam


def _parameters() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((5, 3), (3,), (2, 2))]


def _gradients(update: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(100 + update)
    return [torch.randn(shape, generator=generator) * 10.0 ** (update % 5 - 3) for shape in ((5, 3), (3,), (2, 2))]


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_updates_are_those_of_pytorch_to_the_bit(weight_decay: float) -> None:
    ours, theirs = _parameters(), _parameters()
    groups = [
        [{"params": p[::2], "weight_decay": weight_decay}, {"params": [p[1]], "weight_decay": 0.0}]
        for p in (ours, theirs)
    ]
    optimisers = Adam(groups[0], lr=0.01), torch.optim.Adam(groups[1], lr=0.01, fused=True)
    for update in range(20):
        for optimiser, parameters in zip(optimisers, (ours, theirs), strict=True):
            for parameter, gradient in zip(parameters, _gradients(update), strict=True):
                parameter.grad = gradient
            for group in optimiser.param_groups:
                group["lr"] = 0.01 / (1 + update)
            optimiser.step()
    for found, expected, start in zip(ours, theirs, _parameters(), strict=True):
        assert torch.equal(found, expected)
        assert not torch.equal(found, start)


def test_a_parameter_without_a_gradient_stays_and_a_group_of_none_is_no_trouble() -> None:
    first, second, third = _parameters()
    optimiser = Adam([{"params": [first, second], "weight_decay": 0.5}, {"params": [third]}, {"params": []}], lr=0.01)
    first.grad = torch.ones_like(first)
    optimiser.step()
    before = _parameters()
    assert not torch.equal(first, before[0])
    assert torch.equal(second, before[1])
    assert torch.equal(third, before[2])


def test_gradients_are_forgotten() -> None:
    parameters = _parameters()
    optimiser = Adam([{"params": parameters, "weight_decay": 0.0}], lr=0.01)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimiser.zero_grad()
    assert all(parameter.grad is None for parameter in parameters)
