"""Optimizers compared with PyTorch's own or with their formulas."""

import math
import typing
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recsys_ae.errors import ConfigError
from recsys_ae.nn.training import optimizers
from recsys_ae.nn.training.optimizers import BatchOptimizer, Optimizer, optimizer
from recsys_ae.spec.hyper import build
from tests.nn.small import Tiny

SHAPES = ((5, 3), (3,), (2, 2))
NAMES = sorted({*typing.get_args(Optimizer), *typing.get_args(BatchOptimizer)})


def _parameters() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def _gradients(update: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(100 + update)
    return [torch.randn(shape, generator=generator) * 10.0 ** (update % 5 - 3) for shape in SHAPES]


def _groups(parameters: list[torch.nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    return [
        {"params": parameters[::2], "weight_decay": weight_decay},
        {"params": [parameters[1]], "weight_decay": 0.0},
    ]


def _run(optimiser: Any, parameters: list[torch.nn.Parameter], scaled: bool = False) -> None:
    for update in range(12):
        for parameter, gradient in zip(parameters, _gradients(update), strict=True):
            parameter.grad = gradient / gradient.norm() if scaled else gradient
        optimiser.step()


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [("adam", torch.optim.Adam), ("nadam", torch.optim.NAdam), ("adam_norm_grad", torch.optim.Adam)],
)
def test_updates_are_those_of_pytorch(name: str, theirs: Any, weight_decay: float) -> None:
    """``adam_norm_grad`` is Adam on gradients of norm 1; a penalty is added after the normalisation."""
    ours, expected = _parameters(), _parameters()
    _run(optimizer(name, _groups(ours, weight_decay), 0.01), ours)
    _run(theirs(_groups(expected, weight_decay), lr=0.01), expected, scaled=name == "adam_norm_grad")
    for actual, expected_weights, start in zip(ours, expected, _parameters(), strict=True):
        torch.testing.assert_close(actual, expected_weights, rtol=1e-5, atol=1e-6)
        assert not torch.equal(actual, start)


def test_lengths_of_gradients_do_not_matter_where_they_are_made_one() -> None:
    runs = []
    for factor in (1.0, 1e-3, 1e3):
        parameters = _parameters()
        optimiser = optimizer("adam_norm_grad", _groups(parameters, 0.0), 0.01)
        for update in range(5):
            for parameter, gradient in zip(parameters, _gradients(update), strict=True):
                parameter.grad = factor**update * gradient
            optimiser.step()
        runs.append(parameters)
    for run in runs[1:]:
        for weights, same_weights in zip(runs[0], run, strict=True):
            torch.testing.assert_close(weights, same_weights, rtol=1e-4, atol=1e-5)


def test_a_gradient_of_zero_stays_zero_where_lengths_are_made_one() -> None:
    parameters = _parameters()
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer("adam_norm_grad", _groups(parameters, 0.0), 0.01).step()
    assert all(torch.equal(parameter, start) for parameter, start in zip(parameters, _parameters(), strict=True))


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_adagrad_divides_by_one_plus_the_root(weight_decay: float) -> None:
    """Check η g / (1 + √G) with G the sum of all g² so far (Wu et al. 2016)."""
    parameters = _parameters()
    _run(optimizer("adagrad", _groups(parameters, weight_decay), 0.5), parameters)
    for position, (actual, start) in enumerate(zip(parameters, _parameters(), strict=True)):
        w = start.detach().double().numpy()
        total = np.zeros_like(w)
        for update in range(12):
            g = _gradients(update)[position].double().numpy() + (weight_decay * w if position != 1 else 0)
            total = total + g**2
            w = w - 0.5 * g / (1 + np.sqrt(total))
        np.testing.assert_allclose(actual.detach().numpy(), w, rtol=1e-5, atol=1e-6)


def test_a_first_step_of_adagrad_is_small_where_the_gradient_is() -> None:
    """With only √G, every first step would be as long as the learning rate."""
    parameter = torch.nn.Parameter(torch.zeros(3))
    parameter.grad = torch.tensor([1e-3, 1.0, 1e3])
    optimizer("adagrad", [{"params": [parameter], "weight_decay": 0.0}], 1.0).step()
    np.testing.assert_allclose(parameter.detach().numpy(), [-1e-3 / 1.001, -1 / 2, -1e3 / 1001], rtol=1e-5)


def test_rprop_follows_signs_without_weight_decay() -> None:
    """Riedmiller & Braun 1993: a step grows by 1.2 while the sign stays, and halves when it changes."""
    parameter = torch.nn.Parameter(torch.tensor([0.0, 0.0]))
    optimiser = optimizer("rprop", [{"params": [parameter], "weight_decay": 9.0}], 0.1)
    seen = []
    for gradient in ([1.0, -5.0], [1e-6, -1.0], [3.0, 7.0], [3.0, 7.0]):
        parameter.grad = torch.tensor(gradient)
        optimiser.step()
        seen.append(parameter.tolist())
    # When the sign changes, the step is skipped, and the next is half as long.
    expected = [[-0.1, 0.1], [-0.22, 0.22], [-0.364, 0.22], [-0.5368, 0.16]]
    np.testing.assert_allclose(seen, expected, rtol=1e-5)


def test_steps_of_rprop_are_at_least_1e_9_and_at_most_50() -> None:
    """The sign of the first gradient changes with each update, that of the second never."""
    parameter = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimiser = optimizer("rprop", [{"params": [parameter], "weight_decay": 0.0}], 1e-7)
    steps = []
    for update in range(200):
        before = parameter.detach().clone()
        # After a change of the sign one update is skipped, so a sign lasts for two.
        parameter.grad = torch.tensor([1.0 if update // 2 % 2 else -1.0, -1.0], dtype=torch.float64)
        optimiser.step()
        steps.append((parameter.detach() - before).abs())
    assert max(steps[-1][0], steps[-2][0]).item() == pytest.approx(1e-9, rel=0.3)
    assert steps[-1][1].item() == pytest.approx(50)


def test_lbfgs_minimises_a_parabola_at_once_without_weight_decay() -> None:
    """With a penalty it would not end in the minimum."""
    parameters = [torch.nn.Parameter(torch.tensor([3.0, -2.0])), torch.nn.Parameter(torch.tensor([[5.0]]))]
    groups = [{"params": [parameter], "weight_decay": 9.0} for parameter in parameters]
    optimiser = optimizer("lbfgs", groups, 1.0)

    def closure() -> Tensor:
        optimiser.zero_grad()
        total = (parameters[0] - 1).square().sum() * 3 + (parameters[1] + parameters[0].sum()).square().sum()
        torch.autograd.backward(total)
        return total

    optimiser.step(closure)
    np.testing.assert_allclose(parameters[0].tolist(), [1, 1], atol=1e-4)
    np.testing.assert_allclose(parameters[1].tolist(), [[-2]], atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_makes_an_optimizer_and_groups_of_nothing_are_left_out(name: str) -> None:
    parameters = _parameters()
    optimiser = optimizer(name, [*_groups(parameters, 0.0), {"params": [], "weight_decay": 0.0}], 0.25)
    assert [parameter for group in optimiser.param_groups for parameter in group["params"]]
    assert {id(parameter) for group in optimiser.param_groups for parameter in group["params"]} == {
        id(parameter) for parameter in parameters
    }
    assert all(math.isclose(group["lr"], 0.25) for group in optimiser.param_groups)


def test_an_unknown_name_cannot_occur() -> None:
    assert sorted(optimizers._OPTIMIZERS) == NAMES
    with pytest.raises(ConfigError, match="optimizer = 'sgd' is not one of 'adam', 'adam_norm_grad', 'nadam', 'adag"):
        build(Tiny, {"optimizer": "sgd"})
