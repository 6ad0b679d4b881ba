"""Files of version 0.1.0, saved before hyper-parameters were renamed: models load and score, a study continues.

The files were written by that version from ``ratings.csv``, ``features.csv`` and ``items.csv``, and ``scores.json``
holds what it computed. Scores were equal to the last bit on the processor that wrote them; other processors may add in
another order, so the tests allow 1e-6.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys_ae import FeatureEncoder, Features, Recommender
from recsys_ae.models import Blend, MultVAE
from recsys_ae_cli.main import main
from tests.single_thread import single_thread  # noqa: F401

SAVED = Path(__file__).parent / "saved_0_1_0"
EXPECTED = json.loads((SAVED / "scores.json").read_text("utf-8"))
FINGERPRINT = "f4cb2633841afe1c"


def histories() -> csr_matrix:
    """Return three users: one with two items, one with one, and one without any."""
    dense = np.zeros((3, 12), np.float32)
    dense[0, [0, 1]] = dense[1, 5] = 1
    return csr_matrix(dense)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the saved files, which is the working directory."""
    copy = tmp_path / "saved"
    shutil.copytree(SAVED, copy)
    monkeypatch.chdir(copy)
    return copy


@pytest.mark.parametrize("name", ["mult_vae", "blend"])
def test_a_saved_model_scores_as_before(name: str) -> None:
    scores = Recommender.load(SAVED / name, device="cpu").score(histories())
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, np.array(EXPECTED[name]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["mult_vae", "blend"])
def test_a_saved_model_that_is_saved_again_scores_as_before_to_the_bit(name: str, tmp_path: Path) -> None:
    model = Recommender.load(SAVED / name, device="cpu")
    model.save(tmp_path / name)
    again = Recommender.load(tmp_path / name, device="cpu")
    assert again.spec == model.spec
    np.testing.assert_array_equal(again.score(histories()), model.score(histories()))


def test_hyper_parameters_have_their_current_names() -> None:
    spec = Recommender.load(SAVED / "mult_vae", device="cpu").spec
    assert isinstance(spec, MultVAE)
    assert (spec.ema_decay, spec.anchor_l2, spec.sampled_items, spec.latent) == (0.9, 0.1, 0, 3)


def test_the_members_of_a_blend_have_theirs_too() -> None:
    spec = Recommender.load(SAVED / "blend", device="cpu").spec
    assert isinstance(spec, Blend)
    text = " ".join(spec.members)
    assert "sampled_items=8" in text
    assert " samples=8" not in text


def test_a_saved_encoder_encodes_as_before() -> None:
    encoder = FeatureEncoder.load(SAVED / "encoder", device="cpu")
    codes = encoder.encode(Features.from_frame(pd.read_csv(SAVED / "features.csv")))
    np.testing.assert_allclose(codes.matrix, np.array(EXPECTED["encoder"]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["mult_vae", "blend"])
def test_the_command_line_rebuilds_the_split_of_a_saved_model(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", name, "--data", "ratings.csv", "--device", "cpu", "--no-track", "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["fingerprint"] == FINGERPRINT
    assert report["users"] == 10
    assert report["metrics"]["ndcg@100"]["mean"] == pytest.approx(EXPECTED["ndcg"][name], rel=1e-6)


def test_a_study_goes_on_without_fitting_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fits = {path: path.read_bytes() for path in sorted((folder / "study" / "fits").rglob("*")) if path.is_file()}
    assert len(fits) == 12
    command = ["study", "study_plan.toml", "--out", "study", "--device", "cpu", "--threads", "1", "--no-track"]
    assert main(command) == 0
    fits_after = {path: path.read_bytes() for path in sorted((folder / "study" / "fits").rglob("*")) if path.is_file()}
    assert fits_after == fits
    assert "[1/2]" not in capsys.readouterr().err
    report = json.loads((folder / "study" / "report.json").read_text("utf-8"))
    specs = {fit["model"]: fit["spec"] for fit in report["fits"]}
    assert specs["vanilla"]["ema_decay"] == 0
