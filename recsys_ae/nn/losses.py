"""Losses of scores and codes: multinomial, Bernoulli, focal and Gaussian. Each is a mean over the rows of a batch."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from recsys_ae.nn.rows import Rows


class _Multinomial(torch.autograd.Function):
    """Multinomial negative log-likelihood; the forward pass computes the gradient in the memory of the logits."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Rows) -> Tensor:
        total, ctx.slope = multinomial_in_place(logits, targets)
        ctx.n = len(targets)
        loss: Tensor = total / ctx.n
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        slope, ctx.slope = ctx.slope, None
        return slope.mul_(gradient / ctx.n), None


def multinomial_in_place(logits: Tensor, targets: Rows) -> tuple[Tensor, Tensor]:
    """Return −Σ_u Σ_i x_ui log softmax(logits_u)_i and its gradient, which overwrites the contiguous logits."""
    if logits.device.type != "cpu":
        return multinomial_on_gpu(logits, None, targets, torch.float32)
    rows = targets.row_of_entry
    flat = rows * targets.width + targets.indices
    at_targets = logits.view(-1)[flat]
    top = logits.amax(dim=1, keepdim=True)
    exponentials = logits.sub_(top).exp_()
    sums = exponentials.sum(dim=1, keepdim=True)
    normaliser = (top + sums.log()).squeeze(1)
    total = -(targets.values * (at_targets - normaliser[rows])).sum()
    slope = exponentials.mul_(targets.sums().unsqueeze(1) / sums)
    entries = slope.view(-1)
    entries[flat] = entries[flat] - targets.values  # no pair occurs twice
    return total, slope


def multinomial_on_gpu(logits: Tensor, bias: Tensor | None, targets: Rows, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the loss of `multinomial_in_place` for logits + bias, and its gradient in ``dtype``.

    The gradient may lie in the memory of the contiguous logits, which may be overwritten.
    """
    from recsys_ae.nn.softmax import fused  # noqa: PLC0415

    rows, columns, lengths = targets.row_of_entry, targets.indices, targets.sums()
    at_targets = logits[rows, columns].float()
    if bias is not None:
        at_targets += bias[columns]
    slope, maxima, sums = fused.softmax(logits, bias, lengths, dtype)
    normaliser = maxima + sums.log()
    total = -(targets.values * (at_targets - normaliser[rows])).sum()
    # Computed again in float32, because the difference of two numbers in half precision would be coarse.
    expected = (at_targets - maxima[rows]).exp_().mul_((lengths / sums)[rows])
    slope[rows, columns] = expected.sub_(targets.values).to(dtype)  # no pair occurs twice
    return total, slope


def multinomial(logits: Tensor, targets: Rows) -> Tensor:
    """Return −Σ_i x_i log softmax(logits)_i, mean over rows (Liang et al. 2018, eq. 2).

    ``logits`` is ``(n, n_items)``; the targets stay sparse. Logits that a network computed are overwritten, and
    autograd raises an error if they are needed again. A leaf tensor is copied instead.
    """
    writable = logits.clone() if logits.is_leaf else logits
    loss: Tensor = _Multinomial.apply(writable.float().contiguous(), targets)  # type: ignore[no-untyped-call]
    return loss


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_variance)) ‖ N(0, I)), summed over the code, mean over rows.

    Kingma & Welling 2014, appendix B.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=1).mean()


def gaussian_log_density(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return log N(z; mean, exp(log_variance)) of each element; the three tensors are broadcast."""
    z, mean, log_variance = z.float(), mean.float(), log_variance.float()
    return -0.5 * (math.log(2 * math.pi) + log_variance + (z - mean).square() * (-log_variance).exp())


def mixture_log_density(z: Tensor, means: Tensor, log_variances: Tensor) -> Tensor:
    """Return log (1/K) Σ_k N(z; means_k, diag exp(log_variances_k)), ``(n,)``, for ``(K, d)`` components.

    The squares are multiplied out, so that no tensor of size n × K × d exists. The computation is in double precision,
    because the differences of large numbers would be noise in single precision.
    """
    z, means, log_variances = z.double(), means.double(), log_variances.double()
    precisions = (-log_variances).exp()
    weighted = means * precisions
    squares = z.square() @ precisions.T - 2 * z @ weighted.T + (means * weighted).sum(dim=1)
    constants = log_variances.sum(dim=1) + z.shape[1] * math.log(2 * math.pi)
    densities: Tensor = torch.logsumexp(-0.5 * (squares + constants), dim=1) - math.log(len(means))
    return densities.float()


class _BernoulliNLL(torch.autograd.Function):
    """Bernoulli negative log-likelihood; probabilities and gradient are computed in the memory of the logits."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Rows, bound: float) -> Tensor:
        flat = targets.row_of_entry * targets.width + targets.indices
        inside = logits.abs() < bound
        logits.clamp_(-bound, bound)
        total = functional.softplus(logits).sum() - logits.view(-1)[flat].sum()
        ctx.probabilities, ctx.inside, ctx.flat, ctx.n = logits.sigmoid_(), inside, flat, len(targets)
        return total / len(targets)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        result = ctx.probabilities
        entries = result.view(-1)
        entries[ctx.flat] = entries[ctx.flat] - 1  # no pair occurs twice
        ctx.probabilities = None
        return result.mul_(ctx.inside).mul_(gradient / ctx.n), None, None


def bernoulli(logits: Tensor, targets: Rows, floor: float = 1e-5) -> Tensor:
    """Return −Σ_i [x_i log p_i + (1 − x_i) log(1 − p_i)] with p = σ(logits), mean over rows.

    Every entry of the targets is an x of 1, whatever its value; the targets stay sparse. The probabilities are clipped
    to ``floor`` and 1 − ``floor``; no gradient passes where they are. The logits are overwritten as in `multinomial`.
    """
    writable = logits.clone() if logits.is_leaf else logits
    bound = math.log((1 - floor) / floor)
    loss: Tensor = _BernoulliNLL.apply(writable.float().contiguous(), targets, bound)  # type: ignore[no-untyped-call]
    return loss


class _Focal(torch.autograd.Function):
    """Focal cross-entropy; the forward pass computes the gradient, and saves nothing else."""

    @staticmethod
    def forward(ctx: Any, log_p: Tensor, targets: Rows, alpha: float, gamma: float) -> Tensor:
        flat = targets.row_of_entry * targets.width + targets.indices
        log_p.clamp_(max=-1e-30)  # for p = 1, log(1 − p) would be −inf
        p, q = log_p.exp(), log_p.expm1().neg_()
        log_q, odds = q.log(), p / q
        at, log_at, odds_at = q.view(-1)[flat] ** gamma, log_p.view(-1)[flat], odds.view(-1)[flat]
        missed = p.pow_(gamma).mul_(alpha - 1)  # p is not needed any more
        costs = q.copy_(missed).mul_(log_q)
        total = costs.sum() - costs.view(-1)[flat].sum() - alpha * (at * log_at).sum()
        slope = missed.mul_(log_q.mul_(gamma).sub_(odds))
        slope.view(-1)[flat] = -alpha * at * (1 - gamma * log_at * odds_at)  # no pair occurs twice
        ctx.slope, ctx.n = slope, len(targets)
        return total / len(targets)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        slope, ctx.slope = ctx.slope, None
        return slope.mul_(gradient / ctx.n), None, None, None


def focal(log_probabilities: Tensor, targets: Rows, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Return the focal loss of log-probabilities, ``(n, n_items)``, mean over rows (Lin et al. 2017, §3.2).

    It is −Σ_i [α x_i (1 − p_i)^γ log p_i + (1 − α)(1 − x_i) p_i^γ log(1 − p_i)]. It takes log p, so that a product of
    probabilities is a sum. Every entry of the targets is an x of 1, whatever its value; the targets stay sparse. The
    log-probabilities are overwritten as the logits in `multinomial`.
    """
    writable = log_probabilities.clone() if log_probabilities.is_leaf else log_probabilities
    loss: Tensor = _Focal.apply(writable.float().contiguous(), targets, alpha, gamma)  # type: ignore[no-untyped-call]
    return loss
