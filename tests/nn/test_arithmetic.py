"""Arithmetic of a GPU: sums in a fixed order, and rounding."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from recsys_ae.errors import ConfigError, UnsupportedError
from recsys_ae.nn.arithmetic import (
    WORKSPACE,
    deterministic,
    fix_workspace,
    multiplies_to_float32,
    with_tf32,
    without_tf32,
)
from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.run_metadata import run_metadata
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.testing.resuming import Interrupter
from tests.models.blocks import small, training_data


@pytest.fixture(autouse=True)
def workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKSPACE, "")
    monkeypatch.delenv(WORKSPACE)


def settings() -> tuple[bool, bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
    )


def test_pytorch_is_deterministic_inside_only() -> None:
    assert settings() == (False, False, False)

    def fail() -> None:
        with deterministic("mult_vae"):
            assert settings() == (True, False, False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert settings() == (False, False, False)


def test_the_settings_of_the_caller_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with deterministic("mult_vae"):
            assert settings() == (True, False, False)
        assert settings() == (True, True, True)
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (
            "max_unpooling2d_forward_out does not have a deterministic implementation, but you set "
            "'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this operation …",
            "max_unpooling2d_forward_out",
        ),
        ("Deterministic behavior was enabled with either `torch.use_deterministic_algorithms(True)` or …", "operation"),
    ],
)
def test_an_operation_without_a_deterministic_form_is_one_line_with_the_way_out(message: str, named: str) -> None:
    with pytest.raises(UnsupportedError) as raised, deterministic("convolutional"):
        raise RuntimeError(message)
    assert str(raised.value).startswith("deterministic = True: convolutional needs ")
    assert named in str(raised.value)
    assert str(raised.value).endswith("set device = 'cpu', or leave deterministic out")


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), deterministic("mult_vae"):
        torch.ones(2, 3) @ torch.ones(2, 3)


def test_cublas_is_told_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    fix_workspace()
    assert os.environ[WORKSPACE] == ":4096:8"
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    fix_workspace()


def test_a_gpu_that_is_in_use_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(ConfigError) as raised:
        fix_workspace()
    assert str(raised.value) == (
        "deterministic = True comes too late, because this process has used the GPU already; set the environment "
        "variable CUBLAS_WORKSPACE_CONFIG=:4096:8 before Python starts, or fit this model first"
    )
    monkeypatch.setenv(WORKSPACE, ":16:8")
    fix_workspace()


def test_another_work_space_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKSPACE, ":0:0")
    with pytest.raises(ConfigError, match="to be :4096:8 or :16:8, but it is ':0:0'"):
        fix_workspace()


@pytest.mark.parametrize(
    ("device", "asked", "inside"), [("cuda", True, True), ("cuda", False, False), ("cpu", True, False)]
)
def test_only_fits_on_a_gpu_change_the_settings(
    device: str, asked: bool, inside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys_ae.nn.runtime.resolve", torch.device)
    monkeypatch.setattr("recsys_ae.nn.runtime.seeded", lambda seed, device: contextlib.nullcontext())
    entered: list[str] = []
    monkeypatch.setattr(
        "recsys_ae.nn.arithmetic.deterministic", lambda name: contextlib.nullcontext(entered.append(name))
    )
    with Run(device=device, deterministic=asked).settings("vasp"):
        pass
    assert entered == (["vasp"] if inside else [])
    assert (WORKSPACE in os.environ) is inside


def test_a_fit_on_a_cpu_is_the_same() -> None:
    spec, data = small("mult_vae", epochs=2), training_data()
    runs = [Run(device="cpu", deterministic=chosen) for chosen in (False, True)]
    models = [Recommender(spec).fit(data, run=run) for run in runs]
    for name, tensor in models[0].network.state_dict().items():
        assert torch.equal(tensor, models[1].network.state_dict()[name])
    assert [model.metadata["deterministic"] for model in models] == [False, True]
    assert run_metadata(runs[1])["deterministic"] is True
    assert WORKSPACE not in os.environ


def test_a_checkpoint_belongs_to_a_fit_of_the_same_determinism(tmp_path: Path) -> None:
    spec, data, checkpoint = small("mult_vae", epochs=2), training_data(), Checkpoint(path=tmp_path / "c", minutes=0)
    run = Run(device="cpu", progress=Interrupter(2))
    with pytest.raises(KeyboardInterrupt):
        Recommender(spec).fit(data, run=run, checkpoint=checkpoint)
    other = dataclasses.replace(run, progress=None, deterministic=True)
    with pytest.raises(ConfigError, match="deterministic"):
        Recommender(spec).fit(data, run=other, checkpoint=checkpoint)
    Recommender(spec).fit(data, run=dataclasses.replace(other, deterministic=False), checkpoint=checkpoint)


cudnn: Any = torch.backends.cudnn


def rounding() -> tuple[Any, ...]:
    layers = (cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision) if hasattr(cudnn, "conv") else ()
    return torch.get_float32_matmul_precision(), *layers


@pytest.fixture
def restored() -> Iterator[None]:
    with without_tf32():
        pass
    before = rounding()
    yield
    assert rounding() == before
    assert cudnn.allow_tf32 is True


@pytest.mark.usefixtures("restored")
def test_without_tf32_no_layer_rounds() -> None:
    with without_tf32():
        assert cudnn.allow_tf32 is False
        assert rounding()[0] == "highest"
        assert set(rounding()[1:]) <= {"ieee"}


@pytest.mark.usefixtures("restored")
def test_tf32_is_for_matrix_products_too() -> None:
    with with_tf32():
        assert cudnn.allow_tf32 is True
        assert rounding()[0] == "high"
        assert set(rounding()[1:]) <= {"tf32"}


@pytest.mark.usefixtures("restored")
def test_settings_are_restored_after_an_error() -> None:
    with pytest.raises(KeyError), without_tf32():
        raise KeyError


@pytest.mark.usefixtures("restored")
def test_what_the_user_had_set_is_restored() -> None:
    torch.set_float32_matmul_precision("medium")
    try:
        with without_tf32():
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("restored")
def test_an_older_pytorch_has_one_setting_for_cudnn(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(allow_tf32=True)
    monkeypatch.setattr(torch.backends, "cudnn", old)
    with without_tf32():
        assert old == SimpleNamespace(allow_tf32=False)
    assert old == SimpleNamespace(allow_tf32=True)


def test_a_cpu_offers_no_products_of_halves_in_float32() -> None:
    assert not multiplies_to_float32(torch.device("cpu"), torch.bfloat16)


@pytest.mark.parametrize("error", [None, RuntimeError("not supported")])
def test_on_a_gpu_they_are_tried(error: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    tile = torch.ones(16, 16, dtype=torch.bfloat16)

    def mm(left: Tensor, right: Tensor, **how: Any) -> Tensor:
        if error is not None:
            raise error
        return left.float()

    monkeypatch.setattr(torch, "mm", mm)
    monkeypatch.setattr(torch, "ones", lambda *_, **__: tile)
    multiplies_to_float32.cache_clear()
    assert multiplies_to_float32(torch.device("cuda:0"), torch.bfloat16) is (error is None)
    multiplies_to_float32.cache_clear()


def test_before_pytorch_2_8_they_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.aten, "mm", object())
    multiplies_to_float32.cache_clear()
    assert not multiplies_to_float32(torch.device("cuda:0"), torch.bfloat16)
    multiplies_to_float32.cache_clear()
