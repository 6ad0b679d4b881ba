"""Layers of the networks: sparse and dense linear layers, encoders, initialisation."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from recsys_ae.nn.rows import Rows

BLOCK = 256
"""Outputs that a CPU computes at a time; with AVX2 1.6 times as fast as 3,500 at once (500 rows, 600 inputs)."""


class _SparseProduct(torch.autograd.Function):
    """``x @ weight`` for sparse rows; the gradient of the weight is a sparse product too."""

    @staticmethod
    def forward(ctx: Any, x: Rows, weight: Tensor, rowwise: bool) -> Tensor:
        # On a GPU this waits for the number of remaining entries. A rowwise gradient must not have their rows: Adam
        # updates all rows that a gradient has.
        if rowwise or x.device.type == "cpu":
            x = x.without_zeros()
        ctx.x, ctx.rowwise, ctx.shape = x, rowwise, weight.shape
        return x.product(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:
        if not ctx.rowwise:
            return None, ctx.x.transposed().product(gradient.contiguous()), None
        columns_with_entries, local = ctx.x.narrowed()
        return None, rows_of(ctx.shape, columns_with_entries, local.transposed().product(gradient.contiguous())), None


def sparse_product(x: Rows, weight: Tensor, *, rowwise: bool = False) -> Tensor:
    """Return ``x @ weight``, ``(n, outputs)``, with a gradient for the weight, ``(inputs, outputs)``.

    With ``rowwise`` the gradient is a sparse tensor with only the rows of columns that have entries in ``x``.
    """
    product: Tensor = _SparseProduct.apply(x, weight, rowwise)  # type: ignore[no-untyped-call]
    return product


def rows_of(shape: torch.Size, rows: Tensor, values: Tensor) -> Tensor:
    """Return a sparse tensor of this shape with ``values`` in ``rows``, which ascend and are distinct."""
    return torch.sparse_coo_tensor(rows[None], values, shape, is_coalesced=True, check_invariants=False)


class SparseLinear(nn.Module):
    """Linear layer for sparse input. Its cost grows with the entries, not with the columns.

    ``weight`` is ``(inputs, outputs)``, one row per item. With ``rowwise`` its gradient is sparse, and an update
    changes only the rows of items in the batch.
    """

    def __init__(self, inputs: int, outputs: int, *, rowwise: bool = False) -> None:
        super().__init__()
        self.rowwise = rowwise
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        initialise(self)

    def forward(self, x: Rows | Tensor) -> Tensor:
        """Map ``(n, inputs)`` rows, sparse or dense, to ``(n, outputs)``."""
        if isinstance(x, Tensor):
            return torch.addmm(self.bias, x, self.weight)
        return sparse_product(x, self.weight, rowwise=self.rowwise) + self.bias


def initialise(module: nn.Module) -> None:
    """Initialise weights Glorot-uniformly, and biases from N(0, 0.001²) truncated at two standard deviations.

    Mult-VAE's published code does the same.
    """
    for parameter in module.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.trunc_normal_(parameter, std=1e-3, a=-2e-3, b=2e-3)


def linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a dense linear layer, initialised like `SparseLinear`."""
    layer = nn.Linear(inputs, outputs)
    initialise(layer)
    return layer


def columns(weight: Tensor, bias: Tensor | None, hidden: Tensor, items: slice) -> Tensor:
    """Return the outputs ``items`` of a linear layer for ``(n, inputs)``, without computing the other outputs."""
    if items != slice(None) or not torch.is_grad_enabled():  # in training a slice copies the gradient
        weight, bias = weight[items], None if bias is None else bias[items]
    if torch.is_grad_enabled() or bias is None:
        return functional.linear(hidden, weight, bias)
    return affine(hidden, weight, bias)


def affine(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return W h + b, ``(n, outputs)``, for ``(n, inputs)``; fast for many outputs. No gradient passes."""
    if hidden.device.type != "cpu" or hidden.dtype is not torch.float32:
        return functional.linear(hidden, weight, bias.to(hidden.dtype))
    result = hidden.new_empty(len(hidden), len(weight))
    for block in (slice(start, start + BLOCK) for start in range(0, len(weight), BLOCK)):
        torch.addmm(bias[block], hidden, weight[block].T, out=result[:, block])
    return result


def with_bias(weight: Tensor, bias: Tensor) -> Tensor:
    """Return weights and bias of a linear layer side by side, ``(outputs, inputs + 1)``."""
    return torch.cat([weight, bias[:, None]], dim=1)


def affine_with_bias(hidden: Tensor, weights: Tensor) -> Tensor:
    """Return a linear layer's outputs for ``(n, inputs)``, given the result of `with_bias`. No gradient passes."""
    return affine(hidden, weights[:, :-1], weights[:, -1])


class SparseEncoder(nn.Module):
    """Encoder of sparse rows: linear layers of these widths, with tanh between them and none after the last."""

    def __init__(self, inputs: int, widths: Sequence[int], *, rowwise: bool = False) -> None:
        super().__init__()
        self.input = SparseLinear(inputs, widths[0], rowwise=rowwise)
        pairs = itertools.pairwise(widths)
        self.deeper = nn.Sequential(*(layer for pair in pairs for layer in (nn.Tanh(), linear(*pair))))

    def forward(self, x: Rows) -> Tensor:
        """Map ``(n, inputs)`` rows to ``(n, widths[-1])``."""
        deep: Tensor = self.deeper(self.input(x))
        return deep


class DenselySummed(nn.Module):
    """Densely connected layers of one width, which add the outputs of all earlier layers (Shenbin et al. 2020, fig. 2).

    h₁ = LN(swish(W₁x + b₁)) and h_k = LN(swish(W_k h_{k−1} + b_k + h₁ + … + h_{k−1})), where swish(a) = a·σ(a).

    Parameters
    ----------
    n
        Number of layers.
    sparse, rowwise
        Settings of the first layer: a `SparseLinear` if ``sparse``, else a dense linear layer.
    eps
        Number that layer normalisation adds to the variance.
    """

    def __init__(
        self, inputs: int, width: int, n: int, *, sparse: bool, rowwise: bool = False, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.input = SparseLinear(inputs, width, rowwise=rowwise) if sparse else linear(inputs, width)
        self.deeper = nn.ModuleList(linear(width, width) for _ in range(n - 1))
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=eps) for _ in range(n))

    def forward(self, x: Rows | Tensor) -> Tensor:
        """Map ``(n, inputs)`` to ``(n, width)``."""
        return self.after_input(self.input(x))

    def after_input(self, first: Tensor) -> Tensor:
        """Map the outputs of the first linear layer, ``(n, width)``, to those of the last layer."""
        first_norm, *norms = self.norms
        hidden: Tensor = first_norm(functional.silu(first))
        total = hidden
        for layer, norm in zip(self.deeper, norms, strict=True):
            hidden = norm(functional.silu(layer(hidden) + total))
            total = total + hidden
        return hidden


class Gated(nn.Module):
    """Gated linear layer (Wx + b) ⊙ σ(Vx + c), without another non-linearity (Dauphin et al. 2017, eq. 1)."""

    def __init__(self, inputs: int, outputs: int, *, sparse: bool = False) -> None:
        super().__init__()
        make = SparseLinear if sparse else linear
        self.value, self.gate = make(inputs, outputs), make(inputs, outputs)

    def forward(self, x: Rows | Tensor) -> Tensor:
        """Map ``(n, inputs)`` to ``(n, outputs)``."""
        gated: Tensor = self.value(x) * torch.sigmoid(self.gate(x))
        return gated


def start_by_fan_in(module: nn.Module, *, normal: bool = False) -> None:
    """Initialise all linear layers uniformly within ±1/√n for n inputs, as PyTorch does.

    With ``normal`` the weights, but not the biases, come from N(0, 2/n) (He et al. 2015, eq. 10).
    """
    for layer in module.modules():
        # On the meta device, drawing random numbers would import PyTorch's compiler.
        if isinstance(layer, SparseLinear | nn.Linear) and not layer.weight.is_meta:
            n = layer.weight.shape[0 if isinstance(layer, SparseLinear) else 1]
            bound = 1 / math.sqrt(n)
            nn.init.uniform_(layer.bias, -bound, bound)
            if normal:
                nn.init.normal_(layer.weight, std=math.sqrt(2 / n))
            else:
                nn.init.uniform_(layer.weight, -bound, bound)


def recur(cell: nn.RNNBase, inputs: Any, state: Any = None) -> Any:
    """Return the outputs and the last state of a recurrent layer; inputs are a tensor or a packed sequence.

    PyTorch's autocast runs cuDNN's recurrent layers in fp16, also if it was told bf16. The loss is scaled for fp16
    only, so in bf16 small gradients would become 0. Recurrent layers are then computed in fp32.
    """
    on_gpu = cell.weight_hh_l0.device.type == "cuda"
    if not on_gpu or not torch.is_autocast_enabled("cuda") or torch.get_autocast_dtype("cuda") is torch.float16:
        return cell(inputs, state)
    with torch.autocast("cuda", enabled=False):
        return cell(_single(inputs), _single(state))


def flatten_recurrent(network: nn.Module) -> None:
    """Put the weights of each recurrent layer side by side in memory again, as cuDNN needs them; only on a GPU.

    It has to be called after weights were exchanged for other tensors.
    """
    for layer in network.modules():
        if isinstance(layer, nn.RNNBase):
            layer.flatten_parameters()


def _single(values: Any) -> Any:
    """Return tensors in single precision; tuples of them, such as a state, and None are possible."""
    if values is None:
        return None
    return tuple(map(_single, values)) if type(values) is tuple else values.to(torch.float32)
