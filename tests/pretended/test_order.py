"""Which models a GPU fits with results that are equal to the bit from run to run, and which with a fixed order only."""

import dataclasses
import inspect
from typing import Any

import numpy as np
import pytest
import torch

from recsys_ae import models
from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import UnsupportedError
from recsys_ae.features import models as autoencoders
from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.nn.arithmetic import deterministic
from recsys_ae.nn.linear import sparse_dense
from recsys_ae.nn.model import Spec
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from tests.features.models.curves import features_for
from tests.features.models.curves import small as small_features
from tests.pretended.machines import (
    CHANGES,
    CHANGES_LARGE,
    CHANGES_SCORES,
    PRETENDED,
    Machine,
    on_every_machine,
    run_on_gpu,
)
from tests.pretended.record import Record
from tests.pretended.test_recommenders import brief, data_for, fitted, use

SAMPLED = pytest.param("mult_vae", {"sampled_items": 6}, id="sampled")
EVERY_MODEL = pytest.mark.parametrize(
    ("name", "chosen"), [*((name, {}) for name in (*models.names(), *autoencoders.names())), SAMPLED]
)


def learn(name: str, chosen: dict[str, Any], run: Run) -> Recommender | FeatureEncoder:
    if name in autoencoders.names():
        return FeatureEncoder(small_features(name, epochs=1, **chosen)).fit(features_for(name), run=run)
    return fitted(brief(name, epochs=1, **chosen), run=run)


@EVERY_MODEL
def test_only_the_models_that_are_named_add_in_an_order_that_changes(name: str, chosen: dict[str, Any]) -> None:
    with PRETENDED() as record:
        model = learn(name, chosen, Run(device="cuda"))
        # The validation of neighbour models scores too, but changes no weight.
        assert bool(record.count("order", "update")) == (name in CHANGES or bool(chosen)), record.listed("order")
        if isinstance(model, Recommender):
            use(model)
    assert bool(record.count("order")) == (name in CHANGES + CHANGES_SCORES or bool(chosen)), record.listed("order")


def test_the_documentation_of_the_seed_names_them() -> None:
    text = str(inspect.getdoc(Run))
    about_seed = text[text.index("seed\n") : text.index("device\n")]
    assert "sampled" in about_seed
    named = {name for name in (*models.names(), *autoencoders.names()) if f"``{name}``" in about_seed}
    assert named == {*CHANGES, *CHANGES_LARGE, *CHANGES_SCORES}


@EVERY_MODEL
def test_a_deterministic_fit_adds_in_a_fixed_order(name: str, chosen: dict[str, Any]) -> None:
    with PRETENDED() as record:
        learn(name, chosen, Run(device="cuda", deterministic=True))
        assert not torch.are_deterministic_algorithms_enabled()
    assert record.count("order") == 0, record.listed("order")


def weighted(spec: Spec) -> Interactions:
    """Return interactions with weights that are no whole numbers."""
    data = data_for(spec)[0]
    weights = np.random.default_rng(0).uniform(0.5, 2, data.matrix.shape).astype(np.float32)
    return Interactions(data.matrix.multiply(weights).tocsr(), data.users, data.items)


@pytest.mark.parametrize("asked", [False, True])
def test_weights_that_are_no_whole_numbers_need_it_too(asked: bool) -> None:
    spec = brief("mult_vae", epochs=1)
    with PRETENDED() as record:
        Recommender(spec).fit(weighted(spec), run=Run(device="cuda", deterministic=asked))
    assert bool(record.count("order")) is not asked


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize(("name", "chosen"), [("autorec", {}), ("mult_vae", {}), ("edlae", {"rank": 4})])
def test_sparse_products_of_large_data_need_it_too(
    name: str, chosen: dict[str, Any], asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparse_dense, "WORK", 0)
    monkeypatch.setattr(sparse_dense, "LONG", 0)
    with PRETENDED() as record:
        learn(name, chosen, Run(device="cuda", deterministic=asked))
    assert bool(record.count("order")) is not asked, record.listed("order")


@on_every_machine
@EVERY_MODEL
def test_two_fits_are_equal_to_the_bit(name: str, chosen: dict[str, Any], machine: Machine) -> None:
    spec = small_features(name) if name in autoencoders.names() else brief(name, **chosen)
    with machine():
        run = dataclasses.replace(run_on_gpu(spec), seed=3)
        first, second = (learn(name, chosen, run).network.state_dict() for _ in range(2))
        for key, tensor in first.items():
            assert torch.equal(tensor.cpu(), second[key].cpu()), key


@on_every_machine
def test_a_model_that_cannot_be_deterministic_is_refused(machine: Machine) -> None:
    def refused(record: Record) -> None:
        with deterministic("my_model"):
            torch.histc(torch.ones(4).to("cuda:0"), bins=2, min=0, max=2)

    with machine() as record, pytest.raises(UnsupportedError, match=r"my_model needs .*histc.* set device = 'cpu'"):
        refused(record)


@pytest.mark.parametrize(
    "operation",
    [
        lambda tensor: tensor.cumsum(0),
        lambda tensor: torch.bincount(tensor.long(), weights=tensor),
        lambda tensor: tensor.median(dim=0),
        lambda tensor: tensor.put_(tensor.long() * 0, tensor + 1),
    ],
)
def test_the_pretended_gpu_refuses_what_pytorch_refuses(operation: Any) -> None:
    with PRETENDED():
        tensor = torch.ones(3).to("cuda:0")
        operation(tensor)
        with pytest.raises(UnsupportedError, match="no deterministic form"), deterministic("my_model"):
            operation(tensor)
        tensor.long().cumsum(0)
