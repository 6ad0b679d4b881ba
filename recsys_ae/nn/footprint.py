"""Memory estimate of a fit, without building its network."""

from typing import Any

import torch

from recsys_ae.nn.layers import SparseLinear
from recsys_ae.nn.model import Shape, Spec
from recsys_ae.nn.softmax.output import SoftmaxOutput
from recsys_ae.nn.training.model import TrainableSpec
from recsys_ae.nn.training.optimizers import MOMENTS


def memory(spec: Spec, shape: Shape, nnz: int) -> dict[str, int]:
    """Return the bytes that a fit with validation users needs besides the program, by purpose."""
    closed, features = spec.memory(shape), {"item features": features_memory(shape)}
    if not isinstance(spec, TrainableSpec):
        return needed({"matrix of the closed form": closed, **features})
    interactions, batch = nnz * 8 + shape.n_rows * 12, spec.batch_memory(shape)
    _, weights = trained(spec, shape)
    sizes = needed({"interactions": interactions, **weights, "outputs of a batch": batch, **features})
    return sizes | needed({"temporary matrices of an update": max(0, closed - sum(sizes.values()))})


def trained(spec: Any, shape: Any, *, best: bool = True) -> tuple[Any, dict[str, int]]:
    """Return a network without values, and the bytes of its weights and of the copies that training holds.

    Parameters
    ----------
    best
        Count a copy of the weights of the best epoch.
    """
    with torch.device("meta"):  # shapes only
        network = spec.build(shape)
    weights = sum(weight.nbytes for weight in network.parameters())
    tables = (layer for layer in network.modules() if isinstance(layer, SparseLinear | SoftmaxOutput) and layer.rowwise)
    sparse = sum(table.weight.nbytes for table in tables)  # their gradients are as small as a batch
    return network, {
        "weights": weights,
        "gradients": weights - sparse,
        f"moments of {spec.optimizer}": int(weights * MOMENTS[spec.optimizer]),
        "weights of the best epoch": weights if best else 0,
        "moving average of the weights": weights if spec.ema_decay else 0,
    }


def needed(sizes: dict[str, int]) -> dict[str, int]:
    """Return the entries that are not 0."""
    return {purpose: size for purpose, size in sizes.items() if size}


def features_memory(shape: Shape) -> int:
    """Return the bytes of dense item features F, of a centred copy, and of the smaller of FFᵀ and FᵀF."""
    return 4 * (2 * shape.width * shape.features + min(shape.width, shape.features) ** 2)
