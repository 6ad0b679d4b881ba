"""What memory a fit needs, told before anything is built."""

import torch
from torch import nn

from recsys_ae.nn.layers import SparseLinear
from recsys_ae.nn.model import Shape, Spec
from recsys_ae.nn.softmax.output import SoftmaxOutput
from recsys_ae.nn.training.model import TrainableSpec
from recsys_ae.nn.training.optimizers import MOMENTS
from recsys_ae.nn.training.trainable import TrainingSpec


def memory(spec: Spec, shape: Shape, nnz: int) -> dict[str, int]:
    """Return the bytes that a fit with validation users needs beside the program, by what they are for."""
    closed = {"matrix of the closed form": spec.memory(shape), "features of the items": features_memory(shape)}
    if not isinstance(spec, TrainableSpec):
        return {what: size for what, size in closed.items() if size}
    with torch.device("meta"):  # shapes only
        network = spec.build(shape)
    tables = (
        layer.weight for layer in network.modules() if isinstance(layer, SparseLinear | SoftmaxOutput) and layer.rowwise
    )
    sparse = sum(table.numel() * table.itemsize for table in tables)
    parts = {
        "interactions": nnz * 8 + shape.n_rows * 12,
        **copies(spec, network, sparse=sparse),
        "outputs of a batch": spec.batch_memory(shape),
        "features of the items": features_memory(shape),
    }
    missing = closed["matrix of the closed form"] - sum(parts.values())
    return {what: size for what, size in parts.items() if size} | ({"one update": missing} if missing > 0 else {})


def copies(spec: TrainingSpec, network: nn.Module, *, sparse: int = 0, best: bool = True) -> dict[str, int]:
    """Return the bytes of a network's weights and of what training keeps for each of them.

    Parameters
    ----------
    sparse
        Of how many bytes of the weights the gradients are sparse.
    best
        Whether the weights of the best epoch are kept.
    """
    weights = sum(weight.numel() * weight.itemsize for weight in network.parameters())
    return {
        "weights": weights,
        "gradients": weights - sparse,
        f"moments of {spec.optimizer}": int(weights * MOMENTS[spec.optimizer]),
        "best weights so far": weights if best else 0,
        "average of the weights": weights if spec.ema_decay else 0,
    }


def features_memory(shape: Shape) -> int:
    """Return the bytes of dense features of all items, of the same centred, and of the smaller of both products."""
    return 4 * (2 * shape.width * shape.features + min(shape.width, shape.features) ** 2)
