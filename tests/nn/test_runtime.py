"""Run settings: validation, and no side effects on the process."""

import contextlib
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from recsys_ae.errors import ConfigError
from recsys_ae.nn.runtime import Run, free_memory, resolve, seeded
from recsys_ae.nn.threads import cpu_threads

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens on a machine without a GPU")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("precision", "fp8", "precision = 'fp8' is not one of auto, fp32, tf32, bf16, fp16"),
        ("threads", 0, "threads = 0 must be at least 1"),
        ("threads", -2, "threads = -2 must be at least 1"),
        ("seed", -1, r"seed = -1 must lie between 0 and 2\^63 - 1"),
        ("seed", 2**63, r"seed = 9223372036854775808 must lie between 0 and 2\^63 - 1"),
    ],
)
def test_a_run_that_cannot_be_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        Run(**{name: value})


def test_the_largest_seed_can_be_used() -> None:
    assert Run(seed=2**63 - 1, device="cpu").generator().initial_seed() == 2**63 - 1


def test_a_run_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Run().seed = 4  # type: ignore[misc]


@pytest.mark.parametrize("device", ["gpu", "", "cuda:x", "cuda:-1", "cpu cpu", "meta", "mps"])
def test_what_is_no_device_of_ours_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match=f"device = '{device}' is not supported; use auto, cpu, cuda or cuda:N"):
        resolve(device)


@NO_GPU
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:3"])
def test_a_gpu_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match=f"device = '{device}', but PyTorch sees 0 CUDA devices; use auto or cpu"):
        _ = Run(device=device).torch_device


@NO_GPU
def test_without_a_gpu_auto_is_the_cpu_in_single_precision() -> None:
    run = Run()
    assert run.torch_device == torch.device("cpu")
    assert run.dtype == torch.float32


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_matrix_products_run_in_the_precision_asked_for(precision: Any, dtype: torch.dtype) -> None:
    with Run(device="cpu", precision=precision).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_generator_is_fresh_each_time_and_follows_the_seed() -> None:
    draws = [torch.rand(4, generator=Run(seed=seed, device="cpu").generator()).tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_seeding_is_undone_also_after_an_error() -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index,union-attr]  # noqa: NPY002
    with seeded(5):
        first = torch.rand(3)
    with seeded(5):
        assert torch.equal(first, torch.rand(3))
    with pytest.raises(ZeroDivisionError), seeded(5):
        _ = torch.rand(3) / (1 // 0)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # type: ignore[index]  # noqa: NPY002


def test_threads_are_given_back_also_after_an_error() -> None:
    before = torch.get_num_threads()
    with cpu_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), cpu_threads(before + 1):
        _ = 1 / 0
    assert torch.get_num_threads() == before


def test_no_number_of_threads_leaves_the_setting_alone() -> None:
    before = torch.get_num_threads()
    with cpu_threads(None):
        assert torch.get_num_threads() == before


def test_on_a_gpu_what_pytorch_holds_unused_is_free_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("mem_get_info", (100, 1000)), ("memory_reserved", 300), ("memory_allocated", 250)):
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert free_memory(torch.device("cuda")) == 150


def test_the_free_memory_of_this_machine_is_a_plausible_number_or_unknown() -> None:
    free = free_memory(torch.device("cpu"))
    assert free is None or 2**20 < free < 2**50


def test_the_free_memory_of_a_gpu_is_what_its_driver_says(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = []

    def memory_info(device: torch.device) -> tuple[int, int]:
        devices.append(device)
        return 5, 7

    monkeypatch.setattr(torch.cuda, "mem_get_info", memory_info)
    assert free_memory(torch.device("cuda:1")) == 5
    assert devices == [torch.device("cuda:1")]


@pytest.mark.parametrize(("device", "inside"), [("cpu", "highest"), ("cuda", "high")])
def test_tf32_rounds_products_on_a_gpu_only_and_only_inside(
    device: str, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys_ae.nn.runtime.resolve", torch.device)
    monkeypatch.setattr("recsys_ae.nn.runtime.seeded", lambda seed, device: contextlib.nullcontext())
    run = Run(device=device, precision="tf32")
    assert run.dtype is torch.float32
    precisions = []

    def fail() -> None:
        with run.settings():
            precisions.append(torch.get_float32_matmul_precision())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert precisions == [inside]
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("tf32", True), ("bf16", True)])
def test_full_single_precision_holds_for_convolutions_and_recurrent_layers(
    precision: Any, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "torch_device", torch.device("cuda:0"))
    monkeypatch.setattr("recsys_ae.nn.runtime.seeded", lambda seed, device: contextlib.nullcontext())
    with Run(precision=precision).settings():
        assert torch.backends.cudnn.allow_tf32 is allowed
    assert torch.backends.cudnn.allow_tf32 is True


def test_draws_of_a_gpu_without_a_generator_are_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, states, draws = torch.device("cuda:0"), [torch.zeros(16)], torch.Generator
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: states[-1])
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: states.append(state))
    monkeypatch.setattr(torch, "Generator", lambda device: draws())
    with seeded(7, gpu):
        assert torch.equal(states[-1], draws().manual_seed(7).get_state())
    assert torch.equal(states[-1], states[0])


def test_an_update_does_not_ask_the_driver_for_its_device_again(monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[str] = []
    monkeypatch.setattr("recsys_ae.nn.runtime.resolve", lambda device: questions.append(device) or torch.device("cpu"))
    run = Run(precision="bf16")
    for _ in range(3):
        with run.autocast():
            pass
    assert questions == ["auto"]
