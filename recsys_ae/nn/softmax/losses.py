"""Multinomial loss of a full or a sampled softmax over the items.

Loss and gradients are computed together in blocks of rows, so that few logits are held at a time.
"""

from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from recsys_ae.nn.layers import affine, rows_of
from recsys_ae.nn.linear import sampled_products
from recsys_ae.nn.losses import multinomial_in_place, multinomial_on_gpu
from recsys_ae.nn.rows import Rows

Gradients: TypeAlias = tuple[Tensor | None, Tensor | None, Tensor | None]

CELLS = 2**25
"""Logits held at a time on a CPU, 128 MiB in single precision; a batch with more is computed in blocks of rows."""
EIGHT = 8
"""Columns that matrices in half precision are padded to a multiple of, so that their rows begin at 16 bytes."""

_cells: dict[torch.device, int] = {}


def multinomial(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Rows, cells: int | None = None) -> Tensor:
    """Return `losses.multinomial` of the logits W h + b, with at most ``cells`` logits held at a time.

    ``hidden`` is ``(n, d)``, ``weight`` ``(n_items, d)`` and ``bias`` ``(n_items,)``. Without ``cells`` it is
    `cells_on` their device.
    """
    device, dtype = hidden.device, _product_dtype(hidden.device)
    cells = cells_on(device) if cells is None else cells
    with torch.autocast(device.type, enabled=False):
        loss: Tensor = _Multinomial.apply(hidden, weight, bias, targets, dtype, cells)  # type: ignore[no-untyped-call]
    return loss


def measured_cells(device: torch.device) -> int:
    """Return how many logits of a fit that begins now to hold at a time; see `cells_that_fit`."""
    if device.type == "cpu":
        return CELLS
    from recsys_ae.nn.capacity import cells_that_fit  # noqa: PLC0415

    key = _with_index(device)
    _cells[key] = cells_that_fit(key, CELLS)
    return _cells[key]


def cells_on(device: torch.device) -> int:
    """Return what `measured_cells` returned last, so that no update has to ask the driver."""
    cells = _cells.get(_with_index(device))
    return measured_cells(device) if cells is None else cells


def _with_index(device: torch.device) -> torch.device:
    if device.type != "cuda" or device.index is not None:
        return device
    return torch.device("cuda", torch.cuda.current_device())


class _Multinomial(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Rows, dtype: torch.dtype, cells: int
    ) -> Tensor:
        blocks = _blocks if hidden.device.type == "cpu" else _blocks_on_gpu
        total, ctx.gradients = blocks(hidden.to(dtype), weight.to(dtype), bias, targets, cells, ctx.needs_input_grad)
        ctx.dtype, ctx.n = hidden.dtype, len(targets)
        loss: Tensor = total / ctx.n
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        # Divided by n only here, where the loss scale of fp16 comes in too: before, small gradients could become 0.
        scale = gradient / ctx.n
        of_hidden, *of_parameters = (None if slope is None else _scaled(slope, scale) for slope in ctx.gradients)
        ctx.gradients = None
        return None if of_hidden is None else of_hidden.to(ctx.dtype), *of_parameters, None, None, None


def _scaled(slope: Tensor, scale: Tensor) -> Tensor:
    """Return the product, in the same memory if it is contiguous; optimizers need contiguous gradients."""
    return slope.mul_(scale) if slope.is_contiguous() else slope * scale


def _blocks(
    inputs: Tensor, table: Tensor, bias: Tensor, targets: Rows, cells: int, needed: tuple[bool, ...]
) -> tuple[Tensor, Gradients]:
    """Return the sum of the losses, and the needed gradients with respect to inputs, table and bias."""
    for_hidden, for_weight, for_bias, *_ = needed
    of_hidden = torch.empty_like(inputs) if for_hidden else None
    of_weight: Tensor | None = None
    of_bias: Tensor | None = None
    total = bias.new_zeros(())
    for block, rows in targets.parts(max(1, cells // len(table))):
        cost, slope = multinomial_in_place(affine(inputs[block], table, bias).float(), rows)
        total += cost
        if for_bias:
            summed = slope.sum(dim=0)
            of_bias = summed if of_bias is None else of_bias.add_(summed)
        slope = slope.to(inputs.dtype)
        if of_hidden is not None:
            torch.mm(slope, table, out=of_hidden[block])
        if for_weight:
            of_weight = _plus_product(of_weight, slope.T, inputs[block])
    return total, (of_hidden, of_weight, of_bias)


def _blocks_on_gpu(
    inputs: Tensor, table: Tensor, bias: Tensor, targets: Rows, cells: int, needed: tuple[bool, ...]
) -> tuple[Tensor, Gradients]:
    """Return the same as `_blocks` with fewer passes over the logits.

    The softmax adds the bias and writes the slope in the dtype of the products. A column of ones next to the inputs
    makes the gradient of the bias a column of the product that gives the gradient of the table.
    """
    from recsys_ae.nn.softmax.products import wide_product  # noqa: PLC0415

    for_hidden, for_weight, for_bias, *_ = needed
    of_hidden = torch.empty_like(inputs) if for_hidden else None
    of_parameters: Tensor | None = None
    total, d = bias.new_zeros(()), inputs.shape[1]
    extended = functional.pad(inputs, (0, EIGHT - d % EIGHT)) if for_weight or for_bias else inputs
    extended[:, d:] = 1
    for block, rows in targets.parts(max(1, cells // len(table))):
        logits = wide_product(inputs[block], table.T, rounded=True)
        cost, slope = multinomial_on_gpu(logits, bias, rows, inputs.dtype)
        total += cost
        if of_hidden is not None:
            torch.mm(slope, table, out=of_hidden[block])
        if for_weight or for_bias:
            summed = wide_product(slope.T, extended[block] if for_weight else extended[block, d:])
            of_parameters = summed if of_parameters is None else of_parameters.add_(summed)
        del logits, slope  # before the next block needs memory
    if of_parameters is None:
        return total, (of_hidden, None, None)
    of_weight, of_bias = of_parameters[:, : -(extended.shape[1] - d)], of_parameters[:, -1]
    return total, (of_hidden, of_weight if for_weight else None, of_bias if for_bias else None)


def sampled_multinomial(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Rows, drawn: Tensor, chances: Tensor
) -> Tensor:
    """Estimate `multinomial` from each row's target items and a sample of all items, the same for all rows.

    The sum of exponentials in the softmax runs over the target items, and over the other sampled items with each term
    divided by the item's probability of being drawn. It is unbiased (Jean et al. 2015, eq. 8, with inclusion
    probabilities). The gradients of the weights are sparse tensors with the rows of these items.

    Parameters
    ----------
    drawn, chances
        ``(m,)``: distinct columns in ascending order, and the probability with which each was drawn.
    """
    dtype = _product_dtype(hidden.device)
    with torch.autocast(hidden.device.type, enabled=False):
        loss: Tensor = _Sampled.apply(hidden, weight, bias, targets, (drawn, chances), dtype)  # type: ignore[no-untyped-call]
    return loss


class _Sampled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Rows,
        sample: tuple[Tensor, Tensor],
        dtype: torch.dtype,
    ) -> Tensor:
        drawn, chances = sample
        inputs, table = hidden.to(dtype), weight.index_select(0, drawn).to(dtype)
        target_logits = sampled_products.products(hidden.float(), weight, targets) + bias[targets.indices]
        sampled_logits = _without_targets(affine(inputs, table, bias[drawn] - chances.log()).float(), targets, drawn)
        total, target_slope, slope = _sampled_in_place(target_logits, sampled_logits, targets)
        entries = targets.with_values(target_slope)
        for_hidden, for_weight, for_bias, *_ = ctx.needs_input_grad
        ctx.of_hidden = (slope.to(dtype) @ table).float() + entries.product(weight) if for_hidden else None
        ctx.rows, ctx.of_weight, ctx.of_bias = None, None, None
        if for_weight or for_bias:
            ctx.rows, local_rows = torch.unique(torch.cat([drawn, targets.indices]), return_inverse=True)
            at_drawn, at_targets = local_rows[: len(drawn)], local_rows[len(drawn) :]
        if for_weight:
            local = entries.renumbered(at_targets.to(torch.int32), len(ctx.rows))
            ctx.of_weight = local.transposed().product(hidden.float())
            ctx.of_weight.index_add_(0, at_drawn, (slope.to(dtype).T @ inputs).float())
        if for_bias:
            ctx.of_bias = bias.new_zeros(len(ctx.rows)).index_add_(0, at_targets, target_slope)
            ctx.of_bias.index_add_(0, at_drawn, slope.sum(dim=0))
        ctx.n, ctx.dtype, ctx.shapes = len(targets), hidden.dtype, (weight.shape, bias.shape)
        loss: Tensor = total / ctx.n
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        scale = gradient / ctx.n
        of_hidden = None if ctx.of_hidden is None else ctx.of_hidden.mul_(scale).to(ctx.dtype)
        of_weights = (
            None if values is None else rows_of(shape, ctx.rows, values.mul_(scale))
            for shape, values in zip(ctx.shapes, (ctx.of_weight, ctx.of_bias), strict=True)
        )
        ctx.of_hidden = None
        return of_hidden, *of_weights, None, None, None


def _without_targets(logits: Tensor, targets: Rows, drawn: Tensor) -> Tensor:
    """Set the logits of sampled items that are targets of the row to −inf in place, since targets count already."""
    positions = torch.searchsorted(drawn, targets.indices.long()).clamp_max(len(drawn) - 1)
    strike = torch.where(drawn[positions] == targets.indices, -torch.inf, 0.0)
    logits.view(-1).index_add_(0, targets.row_of_entry * len(drawn) + positions, strike)
    return logits


def _sampled_in_place(target_logits: Tensor, sampled_logits: Tensor, targets: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss, summed over the rows, and its gradients with respect to both logits, which are overwritten."""
    rows = targets.row_of_entry
    top = sampled_logits.amax(dim=1).scatter_reduce_(0, rows, target_logits, "amax")
    cost = -(targets.values * target_logits).sum()
    target_logits, sampled_logits = target_logits.sub_(top[rows]).exp_(), sampled_logits.sub_(top.unsqueeze(1)).exp_()
    sums = sampled_logits.sum(dim=1).index_add_(0, rows, target_logits)
    lengths = targets.sums()
    scale = lengths / sums
    cost += (lengths * (top + sums.log())).sum()
    return cost, target_logits.mul_(scale[rows]).sub_(targets.values), sampled_logits.mul_(scale.unsqueeze(1))


def _product_dtype(device: torch.device) -> torch.dtype:
    """Return the dtype of matrix products."""
    mixed = torch.is_autocast_enabled(device.type)
    return torch.get_autocast_dtype(device.type) if mixed else torch.float32


def _plus_product(total: Tensor | None, left: Tensor, right: Tensor) -> Tensor:
    """Return the float32 sum of products, with one more added in place; None stands for an empty sum."""
    if total is None:
        return (left @ right).float()
    return total.addmm_(left, right) if left.dtype is torch.float32 else total.add_(left @ right)
