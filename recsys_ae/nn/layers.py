"""Layers that the networks share."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from recsys_ae.nn.rows import Rows


class _SparseProduct(torch.autograd.Function):
    """``x @ weight`` for sparse rows; the gradient of the weight is a sparse product too."""

    @staticmethod
    def forward(ctx: Any, x: Rows, weight: Tensor) -> Tensor:
        ctx.x = x
        return x.product(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, ctx.x.transposed().product(gradient.contiguous())


class SparseLinear(nn.Module):
    """A linear layer whose input is sparse; its cost grows with the entries, not with the columns.

    ``weight`` is ``(inputs, outputs)``: one row for each item.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        initialise(self)

    def forward(self, x: Rows) -> Tensor:
        """Map ``(n, inputs)`` rows to ``(n, outputs)``."""
        product: Tensor = _SparseProduct.apply(x, self.weight)  # type: ignore[no-untyped-call]
        return product + self.bias


def initialise(module: nn.Module) -> None:
    """Glorot-uniform weights and biases from N(0, 0.001²) cut at two deviations, as in Mult-VAE's published code."""
    for parameter in module.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.trunc_normal_(parameter, std=1e-3, a=-2e-3, b=2e-3)


def linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a dense linear layer started like `SparseLinear`."""
    layer = nn.Linear(inputs, outputs)
    initialise(layer)
    return layer


class SparseEncoder(nn.Module):
    """Linear layers of these widths on sparse rows, tanh between them and none after the last."""

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.input = SparseLinear(inputs, widths[0])
        pairs = itertools.pairwise(widths)
        self.deeper = nn.Sequential(*(layer for pair in pairs for layer in (nn.Tanh(), linear(*pair))))

    def forward(self, x: Rows) -> Tensor:
        """Map ``(n, inputs)`` rows to ``(n, widths[-1])``."""
        deep: Tensor = self.deeper(self.input(x))
        return deep


class Decoder(nn.Module):
    """Linear layers of these widths with tanh after each, and a linear output layer."""

    def __init__(self, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        pairs = itertools.pairwise(widths)
        self.hidden = nn.Sequential(*(layer for pair in pairs for layer in (linear(*pair), nn.Tanh())))
        self.output = linear(widths[-1], outputs)

    def forward(self, z: Tensor, items: slice = slice(None)) -> Tensor:
        """Map ``(n, widths[0])`` codes to the outputs ``items``."""
        hidden = self.hidden(z)
        if items == slice(None):  # in training a slice would cost a copy of the weights' gradient
            return self.output(hidden)  # type: ignore[no-any-return]
        return functional.linear(hidden, self.output.weight[items], self.output.bias[items])
