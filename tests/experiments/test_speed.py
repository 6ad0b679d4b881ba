"""Tests of the benchmark: formulas against published numbers, the yardstick against the library, and a tiny run."""

import dataclasses
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix, random_array

from recsys_ae.models import MultDAE, MultVAE, RecVAE, spec_class
from recsys_ae.nn import losses
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Progress

HERE = Path(__file__).parents[2] / "experiments/speed"
CPU = torch.device("cpu")
USERS, ITEMS, CLICKS, BATCH = 116_677, 20_108, 73.1, 500  # ML-20M under the protocol of Liang et al. 2018
Speed = Callable[[str], Any]


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Speed]:
    """Return a function that imports a file of the benchmark."""
    monkeypatch.syspath_prepend(str(HERE.parent))
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.delenv("RECSYS_AE_DATA", raising=False)
    yield importlib.import_module
    for name in (*(path.stem for path in HERE.glob("*.py")), "measured"):
        sys.modules.pop(name, None)


@pytest.fixture
def run(speed: Speed, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the program, changed to measure its rows in this process."""
    module: ModuleType = speed("run")

    def child(row: Any, quantity: str) -> dict[str, Any]:
        return json.loads(json.dumps(module._answer(quantity, **dataclasses.asdict(row))))

    monkeypatch.setattr(module, "_child", child)
    monkeypatch.setattr(speed("roofline"), "COPIED", 2**16)
    monkeypatch.setattr(speed("row"), "_refuse_more_than", lambda free: None)
    return module


def rows(n: int = 40, width: int = 30) -> csr_matrix:
    matrix = csr_matrix(random_array((n, width), density=0.2, rng=np.random.default_rng(0), dtype=np.float32))
    matrix.data[:] = 1
    return matrix


def test_a_mult_vae_of_ml_20m_costs_what_is_published(speed: Speed) -> None:
    roofline = speed("roofline")
    layers = roofline.Layers(ITEMS, (600, 400), (200, 600), ITEMS, ITEMS, ITEMS)
    assert roofline.dense_flops(layers) / 1e6 == pytest.approx(122.8, abs=0.05)
    assert layers.flops(CLICKS / 2) / 1e6 == pytest.approx(74.6, abs=0.05)
    # Bytes of an update with a dense and with a sparse input, and of the 234 updates of an epoch.
    assert layers.bytes(BATCH, dense=ITEMS) / 1e9 == pytest.approx(1.33, abs=0.005)
    assert layers.bytes(BATCH) / 1e9 == pytest.approx(1.13, abs=0.005)
    work = roofline.work(MultVAE.paper(), roofline.Rows(USERS, ITEMS, CLICKS), ITEMS)
    assert work.flops / 1e12 == pytest.approx(8.71, abs=0.01)
    assert work.bytes / 1e9 == pytest.approx(265, abs=1)
    # An H200 in TF32 is bound by Adam's traffic, 55 ms; two cores by the arithmetic, 70 s.
    assert work.bound({"gemm": 490e12, "bandwidth": 4.8e12}) == pytest.approx(0.055, abs=0.001)
    assert work.bound({"gemm": 125e9, "bandwidth": 30e9}) == pytest.approx(70, abs=0.5)


def test_the_other_models_cost_what_is_published(speed: Speed) -> None:
    roofline = speed("roofline")
    shape = roofline.Rows(USERS, ITEMS, CLICKS)
    assert roofline.work(MultDAE.paper(), shape, ITEMS).flops / 1e12 == pytest.approx(2.82, abs=0.02)
    assert roofline.work(spec_class("ease")(), shape, ITEMS).flops / 125e9 == pytest.approx(65, abs=0.5)
    # The published 12.7 TFLOP of RecVAE's four passes count the encoder in each pass. Here its codes are stored from
    # pass to pass. So three encoder passes over all rows are added: those of the old encoder in three passes, and that
    # of the decoder's pass, less one pass for the codes.
    encoder = 2 * (4 * 600 * 600 + 600 * 400 + CLICKS * 600)
    cycle = 4 * roofline.work(RecVAE.paper(), shape, ITEMS).flops + USERS * 3 * encoder
    assert cycle / 1e12 == pytest.approx(12.7, abs=0.15)
    assert roofline.work(spec_class("popularity")(), shape, ITEMS) is None


def test_a_sampled_softmax_does_not_pay_for_all_items(speed: Speed) -> None:
    roofline = speed("roofline")
    spec = MultVAE.paper(hidden=())

    @dataclasses.dataclass
    class Sampled:
        sampled_items: int = 2_000
        hidden: tuple[int, ...] = ()
        latent, dropout, batch_size = spec.latent, spec.dropout, spec.batch_size

        @staticmethod
        def name() -> str:
            return "mult_vae"

    few, many = (roofline.Rows(10**6, width, 50.0) for width in (10**5, 10**6))
    assert roofline.work(Sampled(), many, 15_000) == roofline.work(Sampled(), few, 15_000)
    assert roofline.work(spec, many, 15_000).flops > 50 * roofline.work(Sampled(), many, 15_000).flops


def test_the_yardstick_is_the_same_model_as_the_librarys(speed: Speed) -> None:
    yardstick, matrix = speed("yardstick"), rows()
    x, dense = Rows.from_matrix(matrix, CPU), torch.from_numpy(matrix.toarray())
    spec = MultVAE(latent=4, hidden=(8,))
    ours = spec.build(Shape(*matrix.shape)).eval()
    theirs = yardstick.DenseAutoencoder(30, (8,), 4, variational=True).eval()
    layers = [ours.encoder.input, ours.encoder.deeper[1], ours.decoder.hidden[0], ours.decoder.output]
    with torch.no_grad():
        for i, (layer, dense_layer) in enumerate(zip(layers, [*theirs.encoder, *theirs.decoder], strict=True)):
            dense_layer.weight.copy_(layer.weight.T if i == 0 else layer.weight)
            dense_layer.bias.copy_(layer.bias)
        logits = theirs(dense)[0]
        torch.testing.assert_close(logits, ours(x), rtol=1e-5, atol=1e-6)
    assert yardstick.multinomial(logits, dense).item() == pytest.approx(losses.multinomial(logits, x).item(), rel=1e-5)


@pytest.mark.parametrize("variational", [True, False])
def test_the_yardstick_learns(variational: bool, speed: Speed) -> None:
    torch.manual_seed(0)
    yardstick = speed("yardstick").Yardstick(rows(), (8,), 4, variational=variational, batch_size=16, device=CPU)
    first = yardstick.epoch()
    assert yardstick.updates == 3
    assert min(yardstick.epoch() for _ in range(60)) < 0.98 * first


def test_laps_exclude_the_first_and_the_time_between(speed: Speed) -> None:
    timing = speed("timing")
    laps = timing.Laps(CPU, 2, between=lambda: time.sleep(0.2), limit=0.5)
    reports = [Progress(epoch, 8, n_rows, 10, {}) for epoch in range(1, 9) for n_rows in (5, 10)]
    with pytest.raises(timing.EnoughError):
        list(map(laps, reports))
    # Each lap is two epochs and then 0.2 s of sleep, until half a second is over.
    assert len(laps.seconds) == 2
    assert max(laps.seconds) < 0.1
    assert timing.ratio([1.0, 2.0, 9.0], [2.0, 4.0, 9.0]) == 0.5
    with pytest.raises(timing.EnoughError):
        timing.after_updates(1)(Progress(1, 1, 1, 10, {}))
    assert timing.peak_mib() > 50


def test_synthetic_data_are_read_as_they_were_written(speed: Speed, tmp_path: Path) -> None:
    shapes = speed("shapes")
    file, size = tmp_path / "tiny.npz", shapes.SHAPES["tiny"]
    shapes.make("tiny", file, None)
    data = shapes.load(file)
    assert (data.source, data.train.shape) == ("generated", (size.users, size.items))
    assert data.train.nnz == pytest.approx(size.interactions, rel=0.05)
    assert data.test.histories.shape == data.test.targets.shape == (size.tested, size.items)
    assert data.test.histories.multiply(data.test.targets).nnz == 0
    assert data.test.targets.nnz / (data.test.targets.nnz + data.test.histories.nnz) == pytest.approx(0.2, abs=0.03)
    assert shapes.ready("tiny", file, None)
    # Synthetic data replace MovieLens until its archive is in the data folder.
    assert shapes.ready("ml-1m", file, tmp_path)
    (tmp_path / "ml-1m.zip").touch()
    assert not shapes.ready("ml-1m", file, tmp_path)


def test_a_run_measures_every_row_once(run: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results.json"
    models = ["mult-vae:latent=8,hidden=16,batch_size=100", "recvae:width=8,layers=1,latent=4", "als:latent=8", "ease"]
    words = [
        "--shapes",
        "tiny",
        "--seconds",
        "0.05",
        "--out",
        str(out),
        "--precisions",
        "fp32,bf16",
        "--models",
        *models,
    ]
    run.main(words)
    results = json.loads(out.read_text(encoding="utf-8"))
    vae = [f"tiny {models[0]} cpu {precision}" for precision in ("fp32", "bf16")]
    trained = [*vae, *(f"tiny {models[1]} cpu {precision}" for precision in ("fp32", "bf16"))]
    assert list(results) == [*trained, f"tiny {models[2]} cpu own", "tiny ease cpu own"]
    for title in trained:
        row = results[title]
        assert row["rows_per_second"] == pytest.approx(400 / row["seconds_per_epoch"])
        assert row["fit_seconds"] == pytest.approx(200 * row["seconds_per_epoch"])
        assert row["fit_extrapolated"]
        assert ("yardstick" in row) == (title in vae)
    assert results[vae[0]]["yardstick"]["ratio"] > 0
    assert results[vae[0]]["yardstick"]["peak_mib"] > 50
    assert results[vae[0]]["rates"].keys() == {"gemm", "bandwidth"}
    for row in results.values():
        assert row["peak_mib"] >= row["loaded_mib"] > 50
        assert row["bound"]["fraction"] == pytest.approx(
            row["bound"]["seconds"] / row.get("seconds_per_epoch", row["fit_seconds"])
        )
        assert row["top_n"]["implicit"]["factors"] == row["bound"]["width"]
        assert row["evaluation"]["users"] == 50
        assert "refused" not in row
    assert results[f"tiny {models[2]} cpu own"]["implicit"]["ratio"] > 0
    shown = capsys.readouterr()
    assert shown.out.count("| tiny |") == 6
    assert shown.err.splitlines() == list(results)
    run.main(words)
    assert capsys.readouterr().err == ""
    run.main([*words[:-4], "ease", "--fresh"])
    assert capsys.readouterr().err == "tiny ease cpu own\n"


def test_a_refused_fit_is_reported_and_the_other_rows_are_measured(
    run: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    capacity = importlib.import_module("recsys_ae.nn.capacity")
    monkeypatch.setattr(capacity, "free_memory", lambda device: 1000)
    words = ["--shapes", "tiny", "--seconds", "0.01", "--out", str(tmp_path / "r.json"), "--models"]
    run.main([*words, "ease", "popularity"])
    shown = capsys.readouterr().out
    assert "- tiny ease cpu: ease needs 0.0 GiB for 400 users and 300 items" in shown
    assert "| tiny | popularity | cpu | – |" in shown


def test_a_closed_form_that_takes_too_long_is_not_started(
    run: ModuleType, speed: Speed, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed("fits"), "PATIENCE", 1e-6)
    run.main(["--shapes", "tiny", "--seconds", "0.01", "--out", str(tmp_path / "r.json"), "--models", "ease"])
    assert "s at least; to start it, set --seconds" in capsys.readouterr().out


def test_a_profile_names_the_slowest_operations(
    run: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = "mult-vae:latent=8,hidden=16,batch_size=50"
    run.main(["--shapes", "tiny", "--out", str(tmp_path / "r.json"), "--profile", "--models", model])
    shown = capsys.readouterr().out
    assert "aten::addmm" in shown
    assert "Self CPU time total" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shapes", "ml-2m"], "there is no 'ml-2m'; available: tiny, ml-1m"),
        (["--devices", "cuda:99"], "device = 'cuda:99', but PyTorch sees"),
        (["--precisions", "tf32"], "tf32 needs --devices cuda"),
        (["--models", "mult-vea"], "there is no model 'mult-vea'; did you mean 'mult_vae'?"),
        (["--models", "mult-vae:latent=x"], "must be a whole number"),
    ],
)
def test_an_unknown_option_is_refused_before_any_measurement(
    words: list[str], message: str, run: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run.main([*words, "--out", str(tmp_path / "results/r.json")])
    assert message in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_row_that_fails_in_its_process_is_refused(speed: Speed, tmp_path: Path) -> None:
    row = speed("row").Row("tiny", "popularity", "cpu", "fp32", str(tmp_path / "tiny.npz"), 0.01)
    assert "No such file" in speed("run")._child(row, "memory")["refused"]
    speed("shapes").make("tiny", tmp_path / "tiny.npz", None)
    huge = dataclasses.replace(row, model="mult-vae:hidden=1000000000")  # 1.1 TiB of weights
    assert "GiB are free" in speed("run")._child(huge, "memory")["refused"]


def test_other_packages_are_fitted_by_their_own_interpreter(speed: Speed, tmp_path: Path) -> None:
    packages = speed("others")
    assert packages.parse(f"cornac={sys.executable}") == ("cornac", sys.executable)
    with pytest.raises(SystemExit, match="there is no package 'recbol'; available: lenskit, cornac"):
        packages.parse(f"recbol={sys.executable}")
    with pytest.raises(SystemExit, match="expected cornac=/path/to/python"):
        packages.parse(f"cornac={tmp_path}/python")
    speed("shapes").make("tiny", tmp_path / "tiny.npz", None)
    timings = packages.measure("cornac", "ease", sys.executable, tmp_path / "tiny.npz", 1)
    assert timings == {"refused": "ModuleNotFoundError: No module named 'cornac'"}


def test_the_data_of_movielens_are_the_strong_split(speed: Speed, tmp_path: Path, data_dir: Path) -> None:
    shapes = speed("shapes")
    shapes.make("ml-1m", tmp_path / "ml-1m.npz", data_dir)
    data, size = shapes.load(tmp_path / "ml-1m.npz"), shapes.SHAPES["ml-1m"]
    assert data.source == "real"
    assert (*data.train.shape, data.train.nnz) == (size.users, size.items, size.interactions)
    assert data.test.targets.shape == (603, size.items)
