"""The pretended GPU itself: it refuses and records what a GPU would."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from recsys_ae.nn.layers import flatten_recurrent, recur
from recsys_ae.nn.runtime import seeded
from tests.pretended.machine import pretended_gpu
from tests.pretended.record import DeviceFaultError, Record
from tests.pretended.tensors import GPU, OnGpu


@pytest.fixture
def record() -> Iterator[Record]:
    with pretended_gpu() as record:
        yield record


def on_gpu(*values: float) -> torch.Tensor:
    return torch.tensor(values).to("cuda:0")


def test_tensors_say_where_they_are_and_hold_their_numbers(record: Record) -> None:
    tensor = on_gpu(1.0, 2.0)
    assert isinstance(tensor, OnGpu)
    assert tensor.device == GPU
    assert (tensor * 2).sum().item() == 6
    assert torch.zeros(3, device="cuda:0").device == tensor.new_zeros(2).device == GPU
    assert tensor.cpu().device.type == "cpu"
    assert torch.ones(2).device.type == "cpu"


@pytest.mark.parametrize(
    "fault",
    [
        lambda tensor: tensor + torch.ones(2),
        lambda tensor: torch.ones(2)[tensor.long() * 0],
        lambda tensor: tensor.numpy(),
        lambda tensor: torch.rand(2, device="cuda:0", generator=torch.Generator()),
        lambda tensor: torch.rand(2, generator=torch.Generator("cuda:0")),
        lambda tensor: torch._fused_adam_(
            *([torch.zeros(2, 3, device="cuda:0")], [torch.zeros(3, 2, device="cuda:0").T]),
            *([torch.zeros(2, 3, device="cuda:0")] for _ in range(2)), [], [torch.zeros((), device="cuda:0")],
            lr=0.1, beta1=0.9, beta2=0.9, weight_decay=0, eps=1, amsgrad=False, maximize=False,
        ),
    ],
)  # fmt: skip
def test_what_a_gpu_refuses_is_an_error(fault: Any, record: Record) -> None:
    with pytest.raises(DeviceFaultError):
        fault(on_gpu(1.0, 2.0))


@pytest.mark.parametrize(
    "wait",
    [
        lambda tensor: tensor[0].item(),
        lambda tensor: tensor.tolist(),
        lambda tensor: tensor.cpu(),
        lambda tensor: tensor.to("cpu"),
        lambda tensor: bool(tensor.any()),
        lambda tensor: tensor.nonzero(),
        lambda tensor: tensor[tensor > 1],
        lambda tensor: tensor.unique(),
        lambda tensor: torch.bincount(tensor.long()),
        lambda tensor: torch.repeat_interleave(tensor.long()),
        lambda tensor: torch.equal(tensor, tensor),
        lambda tensor: torch.zeros(2).copy_(tensor),
    ],
)
def test_waits_are_recorded(wait: Any, record: Record) -> None:
    tensor = on_gpu(1.0, 2.0)
    assert record.count("wait") == 0
    wait(tensor)
    assert record.count("wait") >= 1


def test_operations_without_a_result_on_the_cpu_are_no_waits(record: Record) -> None:
    tensor = on_gpu(1.0, 2.0)
    torch.repeat_interleave(tensor, tensor.long(), output_size=3)
    (tensor[tensor.long() - 1] @ tensor).relu_()
    tensor.sort()
    assert record.count("wait") == 0
    assert record.count("copy") == 1
    assert tensor[torch.tensor([0])].device == GPU
    assert record.count("copy") == 2  # the index


def test_draws_without_a_seed_are_recorded(record: Record) -> None:
    torch.rand(2, device="cuda:0", generator=torch.Generator("cuda:0").manual_seed(1))
    with seeded(3, GPU):
        torch.rand(2, device="cuda:0")
    assert record.count("draw") == 0
    torch.rand(2, device="cuda:0")
    assert record.count("draw") == 1


def lstm() -> nn.LSTM:
    return nn.LSTM(2, 3, batch_first=True).to("cuda:0")


def test_recurrent_layers_need_their_weights_side_by_side(record: Record) -> None:
    layer, x = lstm(), torch.ones(4, 5, 2, device="cuda:0")
    assert layer(x)[0].shape == (4, 5, 3)
    layer.weight_hh_l0.data = layer.weight_hh_l0.data.clone()
    with pytest.raises(DeviceFaultError, match="side by side"):
        layer(x)
    flatten_recurrent(layer)
    layer(x)


def test_gradients_of_recurrent_layers_need_training_mode(record: Record) -> None:
    layer, x = lstm().eval(), torch.ones(4, 5, 2, device="cuda:0")
    with torch.no_grad():
        layer(x)
    with pytest.raises(DeviceFaultError, match="training mode"):
        layer(x)


def test_recurrent_layers_are_not_computed_in_fp16_unasked(record: Record) -> None:
    layer, x = lstm(), torch.ones(4, 5, 2, device="cuda:0")
    with torch.autocast("cuda", dtype=torch.bfloat16):
        output, _ = recur(layer, x)
        assert output.dtype is torch.float32
        with pytest.raises(DeviceFaultError, match="fp16"):
            layer(x)
