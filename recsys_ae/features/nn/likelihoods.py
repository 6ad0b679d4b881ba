"""Reconstruction losses of each row, summed over the columns, ``(n,)``."""

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Likelihood: TypeAlias = Literal["gaussian", "bernoulli"]


def squared_error(output: Tensor, x: Tensor, known: Tensor | None = None) -> Tensor:
    """Return ‖x − output‖² over the values where ``known`` is 1, ``(n,)``."""
    return _summed((output.float() - x).square(), known)


def cross_entropy(logits: Tensor, x: Tensor, known: Tensor | None = None) -> Tensor:
    """Return −Σ_j [x_j log σ(a_j) + (1 − x_j) log(1 − σ(a_j))] for x from 0 to 1, ``(n,)``."""
    return _summed(functional.binary_cross_entropy_with_logits(logits.float(), x, reduction="none"), known)


def gaussian_nll(mean: Tensor, log_variance: Tensor, x: Tensor, known: Tensor | None = None) -> Tensor:
    """Return −Σ_j log N(x_j; mean_j, exp(log_variance)), ``(n,)``."""
    log_variance = log_variance.float()
    squares = (mean.float() - x).square() * (-log_variance).exp()
    return _summed(0.5 * (math.log(2 * math.pi) + log_variance + squares), known)


def reconstruction(likelihood: str, output: Tensor, x: Tensor, known: Tensor | None = None) -> Tensor:
    """Return the squared error, or the cross-entropy of logits, ``(n,)``."""
    return (squared_error if likelihood == "gaussian" else cross_entropy)(output, x, known)


def mean_of(likelihood: str, output: Tensor) -> Tensor:
    """Return the mean of the likelihood: the output itself, or the sigmoid of logits."""
    return output if likelihood == "gaussian" else torch.sigmoid(output)


def _summed(terms: Tensor, known: Tensor | None) -> Tensor:
    return (terms if known is None else terms * known).sum(dim=1)
