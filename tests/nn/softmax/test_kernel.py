"""The Triton kernel of the softmax: equal to the plain form, in Triton's interpreter."""

import importlib.util
import os
import subprocess
import sys

import pytest
import torch

from recsys_ae.nn.softmax import fused
from tests.import_graph import ROOT

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")


@pytest.mark.parametrize("widths", ["few", pytest.param("many", marks=pytest.mark.nightly)])
def test_the_kernel_equals_the_plain_form(widths: str) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.nn.softmax.interpreted", widths]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if "only 0-dimensional arrays can be converted" in result.stderr:
        pytest.skip("the interpreter of this version of Triton does not work with this version of NumPy")
    assert result.returncode == 0, result.stderr


@pytest.mark.gpu
@pytest.mark.parametrize("of_logits", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("n", "width"), [(1, 1), (500, 20_108), (33, 4_097), (2_000, 300)])
def test_the_kernel_is_used_on_a_gpu(n: int, width: int, of_logits: torch.dtype, dtype: torch.dtype) -> None:
    generator = torch.Generator("cuda").manual_seed(1)
    logits = 4 * torch.randn(n, width, device="cuda", generator=generator)
    bias, lengths = logits[0].clone(), torch.arange(n, dtype=torch.float32, device="cuda")
    logits = logits.to(of_logits)
    expected = fused.plain(logits.clone(), bias, lengths, dtype)
    actual = fused.softmax(logits, bias, lengths, dtype)
    assert fused._is_usable[(logits.device, of_logits, dtype, False)]
    for one, other in zip(actual, expected, strict=True):
        assert fused._is_close(one, other, fused.TOLERANCE[dtype])
