"""Losses as pure functions; each is a mean over the rows of a batch."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recsys_ae.nn.rows import Rows


class _MultinomialNLL(torch.autograd.Function):
    """The multinomial negative log-likelihood, whose gradient reuses the softmax of the forward pass."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Rows) -> Tensor:
        logits = logits.float()
        rows = targets.row_of_entry
        flat = rows * targets.width + targets.indices
        softmax = torch.softmax(logits, dim=1)
        # max(softmax) = exp(max(logits) - logsumexp): the normaliser without a second pass of exponentials.
        normaliser = logits.amax(dim=1) - softmax.amax(dim=1).log()
        log_likelihood = (targets.values * (logits.view(-1)[flat] - normaliser[rows])).sum()
        ctx.softmax, ctx.flat, ctx.targets = softmax, flat, targets
        return -log_likelihood / len(targets)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        scale = gradient / len(ctx.targets)
        result = ctx.softmax.mul_((ctx.targets.sums() * scale).unsqueeze(1))
        entries = result.view(-1)
        entries[ctx.flat] = entries[ctx.flat] - ctx.targets.values * scale  # no pair occurs twice
        ctx.softmax = None
        return result, None


def multinomial(logits: Tensor, targets: Rows) -> Tensor:
    """−Σ_i x_i log softmax(logits)_i, mean over rows (Liang et al. 2018, eq. 2).

    ``logits`` is ``(n, n_items)``; the targets stay sparse.
    """
    loss: Tensor = _MultinomialNLL.apply(logits, targets)  # type: ignore[no-untyped-call]
    return loss


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) ‖ N(0, I)), summed over the code, mean over rows.

    Kingma & Welling 2014, appendix B.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=1).mean()
