"""Tests of the updates of the weights."""

import torch
from torch import Tensor

from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.training.model import TrainableModel
from recsys_ae.nn.training.updates import Updates
from tests.models.blocks import small, training_data


def test_losses_do_not_keep_their_batch_in_memory() -> None:
    """The losses of an epoch are read at its end. With their computation, all its batches would stay until then."""
    rows = Rows.from_matrix(training_data().matrix, torch.device("cpu"))
    network = small("mult_vae", l2=0.1).build(Shape(len(rows), rows.width))
    assert isinstance(network, TrainableModel)
    losses = Updates(network, Run(device="cpu"), 10, network.phases(), torch.Generator()).step(rows)
    tensors = [value for value in losses.values() if isinstance(value, Tensor)]
    assert len(tensors) == 3
    assert all(tensor.grad_fn is None for tensor in tensors)
