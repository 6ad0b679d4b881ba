"""Products in half precision with a result in single precision."""

from typing import Any

import pytest
import torch
from torch import Tensor

from recsys_ae.nn.softmax import products
from recsys_ae.nn.softmax.products import wide_product


def factors(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(shape, generator=generator).to(dtype) for shape in ((5, 70), (70, 3)))  # type: ignore[return-value]


def test_a_product_in_single_precision_is_the_usual_one() -> None:
    left, right = factors(torch.float32)
    assert torch.equal(wide_product(left, right), left @ right)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_without_pytorchs_own_the_product_is_rounded(dtype: torch.dtype) -> None:
    left, right = factors(dtype)
    rounded = wide_product(left, right, rounded=True)
    assert rounded.dtype is dtype
    assert torch.equal(rounded, left @ right)
    assert torch.equal(wide_product(left, right), rounded.float())


def test_pytorchs_own_is_used_where_it_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = factors(torch.bfloat16)
    expected, multiply = left.float() @ right.float(), torch.mm

    def mm(left: Tensor, right: Tensor, **how: Any) -> Tensor:
        assert how == {"out_dtype": torch.float32}
        return multiply(left.float(), right.float())

    monkeypatch.setattr(products, "multiplies_to_float32", lambda device, dtype: True)
    monkeypatch.setattr(torch, "mm", mm)
    for rounded in (True, False):
        assert torch.equal(wide_product(left, right, rounded=rounded), expected)
