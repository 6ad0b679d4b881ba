"""Losses as pure functions; each is a mean over the rows of a batch."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recsys_ae.nn.rows import Rows


class _MultinomialNLL(torch.autograd.Function):
    """The multinomial negative log-likelihood; its exponentials become its gradient in the memory of the logits."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Rows) -> Tensor:
        rows = targets.row_of_entry
        flat = rows * targets.width + targets.indices
        at_targets = logits.view(-1)[flat]
        top = logits.amax(dim=1, keepdim=True)
        exponentials = logits.sub_(top).exp_()
        sums = exponentials.sum(dim=1, keepdim=True)
        normaliser = (top + sums.log()).squeeze(1)
        ctx.exponentials, ctx.sums, ctx.flat, ctx.targets = exponentials, sums, flat, targets
        return -(targets.values * (at_targets - normaliser[rows])).sum() / len(targets)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        scale = gradient / len(ctx.targets)
        result = ctx.exponentials.mul_((ctx.targets.sums() * scale).unsqueeze(1) / ctx.sums)
        entries = result.view(-1)
        entries[ctx.flat] = entries[ctx.flat] - ctx.targets.values * scale  # no pair occurs twice
        ctx.exponentials = None
        return result, None


def multinomial(logits: Tensor, targets: Rows) -> Tensor:
    """−Σ_i x_i log softmax(logits)_i, mean over rows (Liang et al. 2018, eq. 2).

    ``logits`` is ``(n, n_items)``; the targets stay sparse. What a network computed is overwritten, and autograd says
    so should anybody need it again; a tensor made by hand stays as it is.
    """
    own = logits.clone() if logits.is_leaf else logits
    loss: Tensor = _MultinomialNLL.apply(own.float().contiguous(), targets)  # type: ignore[no-untyped-call]
    return loss


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) ‖ N(0, I)), summed over the code, mean over rows.

    Kingma & Welling 2014, appendix B.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=1).mean()
