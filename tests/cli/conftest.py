"""A small file of ratings with awkward ids, models fitted to it, and functions that run a command."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from recsys_ae_cli.main import main

PROGRAM = Path(sys.executable).parent / "recsys-ae"
AWKWARD = ("comma, quote \" and 'tick'", "🎬 film", "ünï/code", "x" * 10_000)
ITEMS = (*AWKWARD, *(f"film {number}" for number in range(20)))
USERS = ("user, one", "🧍", *(f"u{number}" for number in range(78)))
FAST = ("--no-track", "--min-user-items", "3")
RATED = ("--latent", "4", "--epochs", "30", "--l2", "0.1", "--lr", "0.02")


@dataclass(frozen=True)
class Outcome:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of an error."""
        assert "Traceback" not in self.err
        (line,) = self.err.splitlines()
        return line


Run = Callable[..., Outcome]


def write_ratings(path: Path) -> Path:
    """Write users of two tastes, who like one half of the items and rate some of the other half low."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["userId", "itemId", "rating", "timestamp"])
        for u, user in enumerate(USERS):
            for i, item in enumerate(ITEMS):
                if (u * 7 + i * 5) % 3:
                    liked = i % 2 == u % 2
                    rows.writerow(
                        [user, item, 5 - (u + i) % 2 if liked else 1 + (u * i) % 3, 1_000_000 + (u * 31 + i * 17) % 997]
                    )
    return path


@pytest.fixture(scope="session")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ratings(tmp_path_factory.mktemp("ratings") / "ratings.csv")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without the caller's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("RECSYS_AE_DATA", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def cli(here: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process, in an empty folder."""

    def run(*args: object) -> Outcome:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def program(here: Path) -> Run:
    """Run the installed program in a process of its own, in an empty folder."""

    def run(*args: object, **settings: object) -> Outcome:
        command = [str(PROGRAM), *map(str, args)]
        ended = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False, timeout=120, **settings)
        return Outcome(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture(scope="session")
def model(ratings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model of the ratings; not to be changed."""
    folder = tmp_path_factory.mktemp("models") / "ease"
    assert main(["fit", "ease", "--data", str(ratings), *FAST, "--l2", "5", "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def rated_model(ratings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model that predicts ratings and knows its users; not to be changed."""
    folder = tmp_path_factory.mktemp("models") / "rated"
    assert main(["fit", "autorec", "--data", str(ratings), *FAST, *RATED, "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def sample_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model of the embedded sample, with titles; not to be changed."""
    folder = tmp_path_factory.mktemp("models") / "sample"
    assert main(["fit", "ease", "--no-track", "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def not_root() -> None:
    """Skip the test for the superuser, who may write everywhere."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
