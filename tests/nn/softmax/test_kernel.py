"""The Triton kernel of the softmax: equal to the plain form, in Triton's interpreter."""

import importlib.util
import os
import subprocess
import sys

import pytest

from tests.import_graph import ROOT

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")


@pytest.mark.parametrize("widths", ["few", pytest.param("many", marks=pytest.mark.nightly)])
def test_the_kernel_equals_the_plain_form(widths: str) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.nn.softmax.interpreted", widths]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
