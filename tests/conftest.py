"""Fixtures and marks for all tests."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SLOW = set(re.findall(r"^\| `(tests/\S+\.py)` \| \d+ \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE))
"""Test files that CONTRIBUTING.md lists as slow."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow files, before pytest selects tests by their marks."""
    for item in items:
        if item.path.is_relative_to(ROOT) and item.path.relative_to(ROOT).as_posix() in SLOW:
            item.add_marker(pytest.mark.slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests that need a GPU where there is none."""
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@pytest.fixture(scope="session", autouse=True)
def workspace() -> Iterator[None]:
    """Let cuBLAS add in a fixed order: it reads this before its first use, which may be in any test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        yield


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the key of saved models out of the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder with the publishers' archives, or skip the test without one."""
    folder = os.environ.get("RECSYS_AE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real data are absent: set RECSYS_AE_DATA to a folder with the publishers' archives")
    return Path(folder).resolve()
