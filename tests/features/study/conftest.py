"""Fixtures of a small finished study and of a browser."""

import dataclasses
from pathlib import Path

import pytest

from recsys_ae.features.study import folder
from recsys_ae.features.study.plan import Plan
from recsys_ae.features.study.report import StudyReport, write_report
from recsys_ae.features.study.runner import run_study
from recsys_ae.nn.runtime import Run
from tests.browser import chromium  # noqa: F401
from tests.features.study.small import data, plan

ALL = (
    {"steps": ["latent", "reconstruction", "structure", "unlike", "generation", "summary", "reduction", "denoising",
               "retrieval", "anomaly"],
     "models": ["pca", "deep", "variational", "raw"], "latents": [2, 3]},
    {"steps": ["summary"], "models": ["deep"], "latents": [3], "seeds": [1]},
    {"steps": ["pretraining", "augmentation"], "models": ["deep"], "latents": [3]},
    {"steps": ["pretraining"], "models": ["raw"]},
    {"steps": ["architecture"], "models": ["pca", "deep"], "latents": [2, 3], "layers": [1, 2]},
    {"steps": ["anomaly"], "models": ["pca"], "latents": [3], "withhold": ["each"]},
)  # fmt: skip
COMMAND = "recsys-ae study small.toml --data 'a < b'"


@dataclasses.dataclass(frozen=True)
class Done:
    """A finished study: its plan, its folder and its report."""

    plan: Plan
    out: Path
    report: StudyReport


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Return a small study with all its steps; tests must not change it."""
    out, small = tmp_path_factory.mktemp("study"), plan(*ALL)
    folder.begin(out, small, COMMAND)
    left_out = run_study(small, data(), out, run=Run(device="cpu", threads=1))
    return Done(small, out, write_report(small, data(), out, command=COMMAND, left_out=left_out))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
