"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder with the publishers' archives, or skip where there is none."""
    folder = os.environ.get("RECSYS_AE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real data are absent: set RECSYS_AE_DATA to a folder with the publishers' archives")
    return Path(folder).resolve()
