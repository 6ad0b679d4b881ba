"""Rounding of float32 products on a GPU: settings of PyTorch inside a run, restored afterwards."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from recsys_ae.nn import rounding
from recsys_ae.nn.rounding import with_tf32, without_tf32

cudnn: Any = torch.backends.cudnn


def settings() -> tuple[Any, ...]:
    layers = (cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision) if hasattr(cudnn, "conv") else ()
    return torch.get_float32_matmul_precision(), *layers


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    with without_tf32():
        pass
    before = settings()
    yield
    assert settings() == before
    assert cudnn.allow_tf32 is True


def test_without_tf32_no_layer_rounds() -> None:
    with without_tf32():
        assert cudnn.allow_tf32 is False
        assert settings()[0] == "highest"
        assert set(settings()[1:]) <= {"ieee"}


def test_tf32_is_for_matrix_products_too() -> None:
    with with_tf32():
        assert cudnn.allow_tf32 is True
        assert settings()[0] == "high"
        assert set(settings()[1:]) <= {"tf32"}


def test_settings_are_restored_after_an_error() -> None:
    with pytest.raises(KeyError), without_tf32():
        raise KeyError


def test_what_the_user_had_set_is_restored() -> None:
    torch.set_float32_matmul_precision("medium")
    try:
        with without_tf32():
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_an_older_pytorch_has_one_setting_for_cudnn(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(allow_tf32=True)
    monkeypatch.setattr(rounding.torch.backends, "cudnn", old)
    with without_tf32():
        assert old == SimpleNamespace(allow_tf32=False)
    assert old == SimpleNamespace(allow_tf32=True)
