"""Fused Adam compared with PyTorch's Adam."""

import pytest
import torch
from torch import Tensor

from recsys_ae.nn.training.adam import Adam


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
    for actual, expected, start in zip(ours, theirs, _parameters(), strict=True):
        assert torch.equal(actual, expected)
        assert not torch.equal(actual, start)


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


def test_what_is_frozen_for_a_while_goes_on_where_it_stopped() -> None:
    """Its moments and its count of updates do not change, as if the updates in between had not happened."""
    (frozen, other, _), (alone, *_) = _parameters(), _parameters()
    optimizer = Adam([{"params": [frozen, other], "weight_decay": 0.3}], lr=0.01)
    single = Adam([{"params": [alone], "weight_decay": 0.3}], lr=0.01)
    for update in range(12):
        gradients = _gradients(update)
        frozen.grad = None if 4 <= update < 9 else gradients[0]
        other.grad = gradients[1]
        before = [tensor.clone() for tensor in (frozen.detach(), *optimizer.state.get(frozen, ()))]
        optimizer.step()
        if frozen.grad is None:
            after = [frozen.detach(), *optimizer.state[frozen]]
            assert all(torch.equal(tensor, later) for tensor, later in zip(before, after, strict=True))
        else:
            alone.grad = gradients[0]
            single.step()
    assert torch.equal(frozen, alone)
    assert optimizer.state[frozen][2] == 7
    assert optimizer.state[other][2] == 12


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_gradients_of_length_one_are_made_for_each_tensor_apart(weight_decay: float) -> None:
    ours, theirs = _parameters(), _parameters()
    optimisers = [
        Adam([{"params": ours, "weight_decay": weight_decay}], lr=0.01, unit_gradients=True),
        Adam([{"params": theirs, "weight_decay": weight_decay}], lr=0.01),
    ]
    for update in range(12):
        for mine, its, gradient in zip(ours, theirs, _gradients(update), strict=True):
            mine.grad, its.grad = gradient.clone(), gradient / gradient.square().sum().sqrt()
        for optimiser in optimisers:
            optimiser.step()
    for actual, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


def _sparse(dense: Tensor, rows: list[int]) -> Tensor:
    return torch.sparse_coo_tensor(torch.tensor([rows]), dense[rows], dense.shape, check_invariants=True)


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("unit_gradients", [False, True])
def test_sparse_gradients_of_all_rows_update_like_dense_ones(weight_decay: float, unit_gradients: bool) -> None:
    ours, theirs = _parameters(), _parameters()
    optimizers = [
        Adam([{"params": p, "weight_decay": weight_decay}], lr=0.01, unit_gradients=unit_gradients)
        for p in (ours, theirs)
    ]
    for update in range(8):
        for mine, its, gradient in zip(ours, theirs, _gradients(update), strict=True):
            order = list(range(len(gradient)))
            mine.grad, its.grad = _sparse(gradient, order if update % 2 else order[::-1]), gradient.clone()
        for optimiser in optimizers:
            optimiser.step()
    for actual, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-7)


def test_a_row_without_a_gradient_stays_as_it_is_with_its_moments() -> None:
    (table, *_), (alone, *_) = _parameters(), _parameters()
    row = torch.nn.Parameter(alone.detach()[[1, 3]].clone())
    optimizer = Adam([{"params": [table], "weight_decay": 0.3}], lr=0.01)
    single = Adam([{"params": [row], "weight_decay": 0.3}], lr=0.01)
    for update in range(6):
        gradient = _gradients(update)[0]
        table.grad, row.grad = _sparse(gradient, [1, 3]), gradient[[1, 3]]
        optimizer.step()
        single.step()
    assert torch.equal(table.detach()[[1, 3]], row.detach())
    assert torch.equal(table.detach()[[0, 2, 4]], alone.detach()[[0, 2, 4]])
    assert not optimizer.state[table][0][[0, 2, 4]].any()


@pytest.mark.parametrize("rows", [[2, 2], [3, 1, 3], [0, 4, 4, 0, 0], [1, 2, 2]])
@pytest.mark.parametrize("unit_gradients", [False, True])
def test_a_row_that_a_sparse_gradient_names_twice_gets_the_sum(rows: list[int], unit_gradients: bool) -> None:
    """Several updates are needed: the first step of Adam does not depend on the size of the gradient."""
    (twice, *_), (once, *_) = _parameters(), _parameters()
    distinct = sorted(set(rows))
    options = {"lr": 0.01, "unit_gradients": unit_gradients}
    optimizers = [Adam([{"params": [p], "weight_decay": 0.3}], **options) for p in (twice, once)]  # type: ignore[arg-type]
    for update in range(6):
        values = torch.randn(len(rows), 3, generator=torch.Generator().manual_seed(update)) * 10.0 ** (update % 3)
        sums = torch.stack([values[[row == wanted for row in rows]].sum(dim=0) for wanted in distinct])
        twice.grad = torch.sparse_coo_tensor(torch.tensor([rows]), values, (5, 3), check_invariants=True)
        once.grad = torch.sparse_coo_tensor(torch.tensor([distinct]), sums, (5, 3), check_invariants=True)
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(twice, once, rtol=1e-6, atol=1e-7)
