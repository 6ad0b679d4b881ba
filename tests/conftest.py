"""Fixtures and marks for all tests."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINES = (ROOT / "tests" / "slow_files.tsv").read_text("utf-8").splitlines()
SECONDS = {ROOT / path: int(seconds) for seconds, path in (line.split("\t") for line in LINES)}
"""Seconds of the test files that are slow; CONTRIBUTING.md says which."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of slow files, before pytest selects tests by their marks; on several cores they run first."""
    for item in items:
        if item.path in SECONDS:
            item.add_marker(pytest.mark.slow)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -SECONDS.get(item.path, 0))


def pytest_collection_finish() -> None:
    """Exempt the collected tests from garbage collection: a command that fits collects before the training."""
    gc.collect()
    gc.freeze()


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
