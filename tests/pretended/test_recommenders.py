"""Every recommender on a GPU: on the pretended one, whatever a GPU would refuse raises an error."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from torch import nn

from recsys_ae import models
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Holdout
from recsys_ae.evaluation import evaluate
from recsys_ae.features.data.features import Features
from recsys_ae.nn.model import Model, Spec
from recsys_ae.nn.runtime import Precision
from recsys_ae.nn.training.model import TrainableSpec
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.testing.blocks import needed_features
from tests.models.blocks import FROM_FEATURES, block_of, features, holdout, small, training_data
from tests.pretended.machines import (
    PRETENDED,
    Machine,
    check_resumed,
    on_every_machine,
    on_every_machine_nightly,
    run_on_gpu,
)
from tests.pretended.tensors import GPU

NEW = pd.Index([f"new {place}" for place in range(3)])


def brief(name: str, **chosen: Any) -> Spec:
    """Return a model that is fitted in a moment; after 4 epochs RecVAE has trained encoder and decoder."""
    return small(name, **{"epochs": 4 if name == "recvae" else 2, "batch_size": 30, **chosen})


def data_for(spec: Spec) -> tuple[Interactions, Holdout]:
    rated = spec.feedback == "explicit"
    data = training_data(rated=rated)
    return data, holdout(data, rated=rated)


def fitted(spec: Spec, precision: Precision = "auto", **how: Any) -> Recommender:
    data, held = data_for(spec)
    run = how.pop("run", run_on_gpu(spec, precision))
    told: Features | None = how.pop(
        "item_features", needed_features(spec, data) if spec.name() in FROM_FEATURES else None
    )
    return Recommender(spec).fit(data, valid=held, item_features=told, run=run, **how)


def use(model: Recommender) -> None:
    """Ask a model for all that it can do."""
    spec = model.spec
    data, held = data_for(spec)
    model.recommend(held.histories, 5, users=held.users)
    model.recommend(held.histories, 5, allow=list(range(20)), deny=held.histories)
    model.score(data.matrix, users=data.users)
    if spec.name() != "blend" and spec.name() != "popularity":
        model.similar([0, 3], 4)
    evaluate(model, held, ["rmse" if spec.feedback == "explicit" else "ndcg@10"], n_resamples=10)
    if spec.feedback == "explicit":
        pairs = np.array([0, 1, 1]), np.array([2, 3, 4])
        model.predict(held.histories, pairs, users=held.users)
        model.predict(held.histories, pairs)


def save_and_load(model: Recommender, folder: Path) -> Recommender:
    """Load a model on both devices; return that on the CPU."""
    _, held = data_for(model.spec)
    model.save(folder)
    loaded = {device: Recommender.load(folder, device=device) for device in ("cuda", "cpu")}
    for device, one in loaded.items():
        assert devices(one.network) == {device}
        np.testing.assert_allclose(one.score(held.histories), model.score(held.histories), rtol=1e-3, atol=1e-4)
    return loaded["cpu"]


def devices(network: nn.Module) -> set[str]:
    return {tensor.device.type for tensor in network.state_dict().values()}


def rank_cold_items(model: Recommender, on_cpu: Recommender) -> None:
    """Rank cold items after a warm start, and after a fit without features on either device."""
    if type(model.network).score_new is Model.score_new:
        return
    data, held = data_for(model.spec)
    told, cold = features(data.items, block_of(data)), features(NEW, np.arange(3), seed=5)
    warm = fitted(model.spec, item_features=told)
    warm.recommend(held.histories, 5, cold_items=cold)
    if not model.network.learns_from_features:
        for one in (model, on_cpu):
            one.fit_cold_items(data, told).recommend(held.histories, 5, cold_items=cold)


def do_all(spec: Spec, precision: Precision, machine: Machine, folder: Path) -> None:
    """Do all that a model can do on a GPU."""
    with machine() as record:
        model = fitted(spec, precision)
        assert devices(model.network) == {"cuda"}
        assert model._popularity.device == GPU
        use(model)
        on_cpu = save_and_load(model, folder / "model")
        check_resumed(fitted, model, precision, folder / "checkpoint")
        rank_cold_items(model, on_cpu)
    assert record.count("draw") == 0, record.listed("draw")


TRAINED = [name for name in models.names() if issubclass(models.spec_class(name), TrainableSpec)]


@on_every_machine
@pytest.mark.parametrize("name", models.names())
def test_every_recommender_does_all_it_can_on_a_gpu(name: str, machine: Machine, tmp_path: Path) -> None:
    do_all(brief(name), "auto", machine, tmp_path)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", TRAINED)
def test_every_recommender_is_trained_in_every_precision(name: str, precision: Precision) -> None:
    with PRETENDED() as record:
        model = fitted(brief(name, epochs=1), precision)
        model.recommend(data_for(model.spec)[1].histories, 5)
    assert record.count("draw") == 0, record.listed("draw")


@on_every_machine_nightly
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", TRAINED)
def test_every_recommender_does_all_it_can_in_every_precision(
    name: str, precision: Precision, machine: Machine, tmp_path: Path
) -> None:
    do_all(brief(name), precision, machine, tmp_path)


@on_every_machine
@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("mult_vae", {"sampled_items": 6, "clip_norm": 1.0}),
        ("recvae", {"sampled_items": 6}),
        ("mult_vae", {"ema_decay": 0.9, "clip_norm": 1.0, "l2": 0.01}),
        pytest.param("mult_vae", {"optimizer": "nadam"}, marks=pytest.mark.nightly),
        ("cdae", {"optimizer": "adagrad", "tied": True}),
        ("edlae", {"rank": 4}),
        pytest.param(
            "autorec", {"orientation": "user", "optimizer": "rprop", "batch_size": 100}, marks=pytest.mark.nightly
        ),
        pytest.param("autorec", {"optimizer": "lbfgs", "lr": 1.0, "batch_size": 100}, marks=pytest.mark.nightly),
        pytest.param("hvamp", {"likelihood": "multinomial"}, marks=pytest.mark.nightly),
        pytest.param("blend", {"scale": "rank"}, marks=pytest.mark.nightly),
    ],
)
def test_other_hyper_parameters_work_on_a_gpu_too(
    name: str, chosen: dict[str, Any], machine: Machine, tmp_path: Path
) -> None:
    do_all(brief(name, **chosen), "auto", machine, tmp_path)
