"""Every feature autoencoder on a GPU: on the pretended one, whatever a GPU would refuse raises an error."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys_ae.errors import UnsupportedError
from recsys_ae.features import models as autoencoders
from recsys_ae.features.analysis.few_labels import _Tuned
from recsys_ae.features.data.features import Features
from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.features.nn.contract import FeatureSpec, TrainableFeatureSpec
from recsys_ae.nn.runtime import Precision
from tests.features.models.curves import features_for, small
from tests.pretended.machines import (
    PRETENDED,
    Machine,
    check_resumed,
    on_every_machine,
    on_every_machine_nightly,
    run_on_gpu,
    trained_features,
)  # fmt: skip
from tests.pretended.test_recommenders import devices

TRAINED = trained_features()


def texts(n: int = 60, seed: int = 0) -> Features:
    """Return counts of words, most of which are zero, as sparse rows."""
    rng = np.random.default_rng(seed)
    counts = csr_matrix(rng.poisson(0.4, (n, 30)).astype(np.float32))
    return Features(counts, pd.Index([f"text {place}" for place in range(n)]), pd.Index([f"w{i}" for i in range(30)]))


def fitted(spec: FeatureSpec, precision: Precision = "auto", **how: Any) -> FeatureEncoder:
    data, held = features_for(spec.name()), features_for(spec.name(), n=20, seed=3)
    run = how.pop("run", run_on_gpu(spec, precision))
    return FeatureEncoder(spec).fit(data, valid=held, run=run, **how)


def use(model: FeatureEncoder) -> None:
    """Ask a model for all that it can do."""
    held = features_for(model.spec.name(), n=20, seed=3)
    model.encode(held)
    model.reconstruct(held)
    model.error(held)
    two = held.take(np.array([0, 1]))
    for generate in (
        lambda: model.interpolate(two),
        lambda: model.sample(3),
        lambda: model.log_likelihood(held, samples=3),
        model.untrained,
    ):
        try:
            generate()
        except UnsupportedError:
            continue


def save_and_load(model: FeatureEncoder, folder: Path) -> None:
    held = features_for(model.spec.name(), n=20, seed=3)
    model.save(folder)
    for device in ("cuda", "cpu"):
        loaded = FeatureEncoder.load(folder, device=device)
        assert devices(loaded.network) == {device}
        codes = [np.asarray(one.encode(held).matrix) for one in (loaded, model)]
        np.testing.assert_allclose(codes[0], codes[1], rtol=1e-2, atol=5e-3)


def do_all(spec: FeatureSpec, precision: Precision, machine: Machine, folder: Path) -> None:
    """Do all that a model can do on a GPU."""
    with machine() as record:
        model = fitted(spec, precision)
        assert devices(model.network) == {"cuda"}
        use(model)
        save_and_load(model, folder / "model")
        check_resumed(fitted, model, precision, folder / "checkpoint")
        if isinstance(spec, TrainableFeatureSpec):
            tuned = _Tuned(model, features_for(spec.name()), np.arange(60) % 2, 2)
            tuned.train(2, 1e-3, 0)
            tuned.predict(model.rows(features_for(spec.name())))
    assert record.count("draw") == 0, record.listed("draw")


@on_every_machine
@pytest.mark.parametrize("name", autoencoders.names())
def test_every_autoencoder_does_all_it_can_on_a_gpu(name: str, machine: Machine, tmp_path: Path) -> None:
    do_all(small(name, epochs=2), "auto", machine, tmp_path)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", TRAINED)
def test_every_autoencoder_is_trained_in_every_precision(name: str, precision: Precision) -> None:
    with PRETENDED() as record:
        fitted(small(name, epochs=1), precision).encode(features_for(name, n=20))
    assert record.count("draw") == 0, record.listed("draw")


@on_every_machine_nightly
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", TRAINED)
def test_every_autoencoder_does_all_it_can_in_every_precision(
    name: str, precision: Precision, machine: Machine, tmp_path: Path
) -> None:
    do_all(small(name, epochs=2), precision, machine, tmp_path)


@on_every_machine
@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("recurrent", {"cell": "gru", "bidirectional": True, "ema_decay": 0.9}),
        ("recurrent", {"conditional": True, "repeated": True}),
        pytest.param(
            "convolutional", {"code": "variational", "down": "pooled", "up": "unpooled"}, marks=pytest.mark.nightly
        ),
        ("contractive", {"jacobian": "estimated"}),
        ("deep", {"pretrain_epochs": 1, "tied": True}),
        pytest.param("masked", {"code": "bottleneck"}, marks=pytest.mark.nightly),
        pytest.param("denoising", {"distortion": 0.1, "corruption": "gaussian"}, marks=pytest.mark.nightly),
        pytest.param("sparse", {"sparsity": "top-k", "activation": "relu"}, marks=pytest.mark.nightly),
        pytest.param("adversarial", {"prior": "mixture"}, marks=pytest.mark.nightly),
        pytest.param(
            "vanilla", {"likelihood": "bernoulli", "bias": "mean", "ema_decay": 0.9}, marks=pytest.mark.nightly
        ),
    ],
)
def test_other_hyper_parameters_work_on_a_gpu_too(
    name: str, chosen: dict[str, Any], machine: Machine, tmp_path: Path
) -> None:
    do_all(small(name, epochs=2, **chosen), "auto", machine, tmp_path)


@on_every_machine
@pytest.mark.parametrize("name", ["vanilla", "denoising", "sparse", "variational", "pca"])
def test_sparse_rows_of_texts_are_features_on_a_gpu_too(name: str, machine: Machine, tmp_path: Path) -> None:
    spec, rows, unseen = small(name, epochs=1), texts(), texts(20, seed=3)
    with machine() as record:
        model = FeatureEncoder(spec).fit(rows, valid=unseen, run=run_on_gpu(spec))
        codes = model.encode(unseen).matrix
        model.error(unseen)
        model.save(tmp_path / "model")
    on_cpu = FeatureEncoder.load(tmp_path / "model", device="cpu").encode(unseen).matrix
    np.testing.assert_allclose(codes, on_cpu, rtol=1e-2, atol=5e-3)
    assert record.count("wait", "update") == record.count("draw") == 0, record.listed("wait", "update")
