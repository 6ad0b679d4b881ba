"""Convolutional autoencoder: its decoder and its losses, written out again."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from recsys_ae.features.models import Convolutional
from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.runtime import seeded
from recsys_ae.nn.training.steps import Step

FORM = (2, 9, 6)
WIDTH = int(np.prod(FORM))


def network_of(**chosen: Any) -> Any:
    with seeded(0):
        return Convolutional(latent=3, channels=(4, 5), **chosen).build(FeatureShape(6, WIDTH, FORM))


def rows() -> FeatureRows:
    return FeatureRows(torch.rand(6, WIDTH, generator=torch.Generator().manual_seed(0)), Scaling(WIDTH), FORM)


def step(update: int = 9) -> Step:
    return Step(update, 10, torch.Generator().manual_seed(0))


def transposed(x: Tensor, weight: Tensor, bias: Tensor, height: int, width: int) -> Tensor:
    """Return the transposed convolution with stride 2 and padding 1: each input adds a 3 × 3 patch around 2i, 2j."""
    output = torch.zeros(len(x), weight.shape[1], height + 2, width + 2)
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            output[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += torch.einsum("nc,cdkl->ndkl", x[:, :, i, j], weight)
    return output[:, :, 1:-1, 1:-1] + bias[:, None, None]


@pytest.mark.parametrize("up", ["transposed", "unpooled"])
def test_the_decoder_has_relu_after_the_code_and_between_its_steps_and_none_at_its_end(up: Any) -> None:
    network, z = network_of(up=up), torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    small = (z @ network.from_code.weight.T + network.from_code.bias).clamp_min(0).reshape(6, 5, 3, 2)
    (first, second) = (doubling.convolution for doubling in network.up.steps)
    if up == "transposed":
        middle = transposed(small, first.weight, first.bias, 5, 3).clamp_min(0)
        right = transposed(middle, second.weight, second.bias, 9, 6)
    else:
        middle = functional.conv2d(_nearest(small, 5, 3), first.weight, first.bias, padding=1).clamp_min(0)
        right = functional.conv2d(_nearest(middle, 9, 6), second.weight, second.bias, padding=1)
    assert (small == 0).any()
    assert (middle == 0).any()
    assert (right < 0).any()
    torch.testing.assert_close(network.decode(z), right.flatten(1), rtol=1e-4, atol=1e-5)


def _nearest(x: Tensor, height: int, width: int) -> Tensor:
    down = [row * x.shape[2] // height for row in range(height)]
    across = [column * x.shape[3] // width for column in range(width)]
    return x[:, :, down][:, :, :, across]


def test_a_variational_code_has_half_the_squared_error_plus_the_kl_term() -> None:
    """−log N(x; x̂, 1) without its constant is ½‖x − x̂‖²."""
    network, x = network_of(code="variational", beta=0.6, warm_up=0.5), rows()
    mean, log_variance = network._code(x.seen).chunk(2, dim=1)
    noise = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    z = mean + noise * (log_variance / 2).exp()
    error = 0.5 * (network._back(z) - x.seen).square().sum(dim=1).mean()
    kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=1).mean()
    assert network.loss(x, step()).total.item() == pytest.approx((error + 0.6 * kl).item(), rel=1e-5)
    assert network.loss(x, step(0)).total.item() == pytest.approx(error.item(), rel=1e-5)


def test_the_cross_entropy_of_a_variational_code_is_not_halved() -> None:
    network, x = network_of(code="variational", likelihood="bernoulli", beta=0.0), rows()
    mean, log_variance = network._code(x.seen).chunk(2, dim=1)
    noise = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    output = network.decode(mean + noise * (log_variance / 2).exp())
    nll = -(x.seen * output.log() + (1 - x.seen) * (1 - output).log()).sum(dim=1).mean()
    assert network.loss(x, step()).total.item() == pytest.approx(nll.item(), rel=1e-4)
