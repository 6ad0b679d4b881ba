"""Memory of a fit: no package that it does not use, and no memory that it has freed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import FAST

UNUSED = (
    "implicit",
    "matplotlib",
    "mlflow",
    "networkx",
    "pooch",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "recsys_ae.evaluation",
    "requests",
    "rich",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.special",
    "scipy.stats",
    "sympy",
    "torch._dynamo",
    "torch._inductor",
)
FIT = f"""
import sys
from recsys_ae_cli.main import main
code = main(sys.argv[1:])
print(code, [name for name in {UNUSED} if name in sys.modules])
"""
FREED = """
import re
from pathlib import Path
import numpy as np
from recsys_ae_cli import memory

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

memory.thrifty()
np.ones(2**19)  # once such an array is freed, glibc by itself keeps smaller ones on its heap
before = resident()
parts = [np.ones(2**17) for _ in range(100)]
assert resident() - before > 90
del parts[:-1]  # the last one keeps a heap from shrinking
print(resident() - before)
"""


def output(*command: object) -> str:
    """Return the output of a program in a process of its own."""
    ended = subprocess.run([sys.executable, "-c", *map(str, command)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_a_fit_imports_no_package_that_it_does_not_use(here: Path, ratings: Path) -> None:
    options = ("--data", ratings, *FAST, "--epochs", 1, "--latent", 2, "--hidden", 4, "--quiet", "--out", "model")
    assert output(FIT, "fit", "mult-vae", *options) == "0 []"
    assert (here / "model/config.json").is_file()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory of a process from /proc")
def test_what_is_freed_while_reading_is_given_back() -> None:
    assert float(output(FREED)) < 10
