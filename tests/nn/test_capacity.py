"""Refusals of fits that are too large, on the CPU and on a GPU, and errors of a GPU without memory."""

import pytest
import torch

from recsys_ae.errors import TrainingError
from recsys_ae.nn import capacity
from recsys_ae.nn.capacity import is_out_of_memory, refuse_too_large
from recsys_ae.nn.runtime import Run
from tests.pretended.machine import pretended_gpu

GIB = 2**30


def refusal(device: str, gpu: int, main: int | None, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(capacity, "free_memory", lambda device: gpu if device.type == "cuda" else main)
    with pretended_gpu(), pytest.raises(TrainingError) as raised:
        refuse_too_large("ease", "2 users", {"matrix": 3 * GIB, "weights": GIB}, Run(device=device), "keep fewer items")
    return str(raised.value)


def test_a_gpu_is_named_and_the_main_memory_is_the_way_out_if_it_suffices(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = "ease needs 4.0 GiB for 2 users, and 2.0 GiB are free"
    assert refusal("cpu", 9 * GIB, 2 * GIB, monkeypatch) == f"{needs}; keep fewer items"
    expected = f"{needs} on cuda:0; keep fewer items"
    assert refusal("cuda", 2 * GIB, 4 * GIB, monkeypatch) == f"{expected}, or set device = 'cpu'"
    for main in (4 * GIB - 1, None):
        assert refusal("cuda", 2 * GIB, main, monkeypatch) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("CUDA error: CUSPARSE_STATUS_INSUFFICIENT_RESOURCES when calling"), True),
        (RuntimeError("CUDA error: CUSPARSE_STATUS_NOT_SUPPORTED when calling"), False),
        (RuntimeError("device-side assert triggered"), False),
    ],
)
def test_errors_of_too_little_memory_are_told_from_others(error: RuntimeError, expected: bool) -> None:
    assert is_out_of_memory(error) == expected
