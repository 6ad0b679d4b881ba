"""The experiment on larger batches: which fits it plans, a fit, its table, and that finished fits are not repeated."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_ae import split_users
from recsys_ae.data.synthetic.generate import synthesize

HERE = Path(__file__).parents[2] / "experiments/speed"


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])
    yield importlib.import_module("batches")
    for name in ("batches", "measured"):
        sys.modules.pop(name, None)


def test_an_early_end_leaves_fewer_seeds_and_not_fewer_settings(batches: Any) -> None:
    plans = list(batches.plans({"mult_vae": 40, "mult_dae": 60}, 2))
    assert len(plans) == len({plan.name for plan in plans}) == 2 * 2 * 7
    assert [plan.seed for plan in plans] == [0] * 14 + [1] * 14
    factors = {(plan.batch, plan.rate): batches.rate_factor(plan) for plan in plans}
    assert factors == {
        (500, "1"): 1, (1000, "1"): 1, (1000, "√k"): 2**0.5, (1000, "k"): 2, (2000, "1"): 1, (2000, "√k"): 2,
        (2000, "k"): 4,
    }  # fmt: skip


def test_a_fit_is_described_by_its_validation_users(batches: Any) -> None:
    split = split_users(synthesize(150, 40, 1_000).interactions, n_valid=20, n_test=20)
    fit = batches.fit(batches.Plan("mult_dae", 2, 60, "1", 3), split, "fp32")
    assert fit["updates"] == 2 * 2
    assert len(fit["curve"]) == 2
    assert len(fit["users"]) <= 20
    assert max(fit["curve"]) == pytest.approx(np.mean(fit["users"]))
    assert fit["fingerprint"] == split.fingerprint


def test_differences_are_paired_over_users_and_of_the_same_seeds(batches: Any) -> None:
    def fit(batch: int, rate: str, seed: int, users: list[float]) -> dict[str, Any]:
        plan = batches.Plan("mult_vae", 2, batch, rate, seed)
        return {**plan._asdict(), "updates": 8, "curve": [0.1, 0.3, 0.2], "users": users}

    fits = [fit(500, "1", 0, [0.1, 0.5]), fit(500, "1", 1, [0.9, 0.9]), fit(1000, "k", 0, [0.3, 0.5])]
    assert batches.table(fits).splitlines()[2:] == [
        "| mult_vae | 500 | 1 | 2 | 8 | 0.6000 | 0.3000, 0.9000 | – | 2, 2 |",
        "| mult_vae | 1000 | k | 2 | 8 | 0.4000 | 0.4000 | +0.1000 ± 0.1000 | 2 |",
    ]


def test_finished_fits_are_not_repeated(
    batches: Any, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECSYS_AE_DATA", str(data_dir))
    calls = []

    def fit(plan: Any, split: Any, precision: str) -> dict[str, Any]:
        calls.append(plan)
        return {**plan._asdict(), "updates": 1, "curve": [0.1], "users": [0.1, 0.2]}

    monkeypatch.setattr(batches, "fit", fit)
    words = ["--seeds", "1", "--out", str(tmp_path / "results")]
    batches.main(words)
    batches.main(words)
    assert len(calls) == 14
    batches.main([*words, "--epochs", "1", "1", "--minutes", "0"])
    assert len(calls) == 14
    assert "Split 56e05861c9a6a314" in capsys.readouterr().out
