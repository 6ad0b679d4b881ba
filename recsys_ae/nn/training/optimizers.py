"""Optimizers of networks, by name."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, TypeAlias

import torch

from recsys_ae.nn.training.adam import Adam

Optimizer: TypeAlias = Literal["adam", "adam_norm_grad", "nadam", "adagrad"]
BatchOptimizer: TypeAlias = Literal["adam", "rprop", "lbfgs"]
"""Optimizers for full or large batches and a loss without noise."""

MOMENTS = {"adam": 2, "adam_norm_grad": 2, "nadam": 2, "adagrad": 1, "rprop": 2, "lbfgs": 22}
"""Numbers that an optimizer stores for each weight."""

Groups: TypeAlias = Sequence[dict[str, Any]]


def optimizer(name: str, groups: Groups, lr: float) -> Any:
    """Return an optimizer for groups of parameters, each with its own ``weight_decay``.

    ``adam_norm_grad`` divides the gradient of each tensor by its Euclidean norm first, as the authors of H+Vamp do.
    ``adagrad`` divides by 1 + √G rather than √G (Wu et al. 2016). ``rprop`` and ``lbfgs`` ignore the weight decay. A
    step of ``lbfgs`` is up to 20 iterations with strong-Wolfe line search and the last 10 gradients.
    """
    groups = [group for group in groups if group["params"]]
    return _OPTIMIZERS[name](groups, lr=lr)


def _rprop(groups: Groups, lr: float) -> Any:
    parameters = _without_decay(groups)
    # The form that a CUDA graph can capture does not wait for the signs of the gradients.
    on_gpu = parameters[0].device.type == "cuda"
    return torch.optim.Rprop(parameters, lr=lr, step_sizes=(1e-9, 50), capturable=on_gpu)


def _lbfgs(groups: Groups, lr: float) -> Any:
    return torch.optim.LBFGS(_without_decay(groups), lr=lr, history_size=10, line_search_fn="strong_wolfe")


def _without_decay(groups: Groups) -> list[torch.Tensor]:
    return [parameter for group in groups for parameter in group["params"]]


_OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "adam": Adam,
    "adam_norm_grad": partial(Adam, unit_gradients=True),
    "nadam": torch.optim.NAdam,
    "adagrad": partial(torch.optim.Adagrad, eps=1.0),
    "rprop": _rprop,
    "lbfgs": _lbfgs,
}
