"""What memory a fit needs, told before anything is built."""

import torch

from recsys_ae.nn.autoencoder import Shape, Spec, TrainedSpec
from recsys_ae.nn.layers import SparseLinear
from recsys_ae.nn.optimizers import MOMENTS
from recsys_ae.nn.softmax import SoftmaxOutput


def memory(spec: Spec, shape: Shape, nnz: int) -> dict[str, int]:
    """Return the bytes that a fit with validation users needs beside the program, by what they are for."""
    closed = {"matrix of the closed form": spec.memory(shape)}
    if not isinstance(spec, TrainedSpec):
        return {what: size for what, size in closed.items() if size}
    with torch.device("meta"):  # shapes only
        network = spec.build(shape)
    weights = [weight.numel() * weight.itemsize for weight in network.parameters()]
    tables = (
        layer.weight for layer in network.modules() if isinstance(layer, SparseLinear | SoftmaxOutput) and layer.rowwise
    )
    sparse = sum(table.numel() * table.itemsize for table in tables)
    parts = {
        "interactions": nnz * 8 + shape.n_rows * 12,
        "weights": sum(weights),
        "gradients": sum(weights) - sparse,
        f"moments of {spec.optimizer}": int(sum(weights) * MOMENTS[spec.optimizer]),
        "best weights so far": sum(weights),
        "average of the weights": sum(weights) if spec.average else 0,
        "outputs of a batch": spec.batch_memory(shape),
    }
    missing = closed["matrix of the closed form"] - sum(parts.values())
    return {what: size for what, size in parts.items() if size} | ({"one update": missing} if missing > 0 else {})
