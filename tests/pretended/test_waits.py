"""How often the CPU waits for a GPU in an update of each model: each wait costs the time of the launches after it."""

from typing import Any

import pytest
import torch

from recsys_ae.features import models as autoencoders
from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.features.nn.contract import TrainableFeatureSpec
from recsys_ae.nn.corruption import drop_entries
from recsys_ae.nn.layers import sparse_product
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Precision, Run
from recsys_ae.nn.softmax import losses
from recsys_ae.recommender.recommender import Recommender
from tests.features.models.curves import features_for
from tests.features.models.curves import small as small_features
from tests.pretended.machine import pretended_gpu
from tests.pretended.record import Record
from tests.pretended.test_recommenders import TRAINED, brief, data_for

FEATURE_MODELS = [
    name for name in autoencoders.names() if issubclass(autoencoders.spec_class(name), TrainableFeatureSpec)
]


def trained(name: str, precision: Precision = "auto", **chosen: Any) -> Record:
    """Return what one pass over the rows asks of a GPU."""
    run = Run(device="cuda", precision=precision)
    with pretended_gpu() as record:
        if name in FEATURE_MODELS:
            FeatureEncoder(small_features(name, epochs=1, **chosen)).fit(features_for(name), run=run)
        else:
            spec = brief(name, epochs=1, **chosen)
            Recommender(spec).fit(data_for(spec)[0], run=run)
    return record


def waits(record: Record) -> float:
    return record.count("wait", "update") / record.passes["update"]


WAITS: dict[str, float] = {}
"""Waits in an update with default hyper-parameters; 0 for the models that are not listed."""


@pytest.mark.parametrize("name", [*TRAINED, *FEATURE_MODELS])
def test_no_update_waits_for_a_gpu(name: str) -> None:
    few, many = trained(name, batch_size=30), trained(name, batch_size=10)
    for record in (few, many):
        assert waits(record) == WAITS.get(name, 0), record.listed("wait", "update")
        # A copy from pageable memory waits too.
        assert record.count("copy", "update") == 0, record.listed("copy", "update")
    assert many.passes["update"] > few.passes["update"]
    # At the beginning of an epoch, however many batches it has.
    assert many.count("wait", "epoch") == few.count("wait", "epoch") <= 6, many.listed("wait", "epoch")


@pytest.mark.parametrize("name", ["mult_vae", "mult_dae", "recvae", "macrid_vae"])
def test_a_batch_in_blocks_waits_no_more_often(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large batch does not fit into one block of logits."""
    monkeypatch.setattr(losses.multinomial, "__defaults__", (32 * 6,))
    record = trained(name)
    assert waits(record) == 0, record.listed("wait", "update")


@pytest.mark.parametrize(
    ("name", "precision", "chosen", "expected"),
    [
        ("mult_vae", "fp16", {}, 1),  # the scaled loss must be known to be finite before the update
        ("mult_vae", "auto", {"clip_norm": 1.0, "ema_decay": 0.9, "l2": 0.1}, 0),
        ("mult_vae", "auto", {"optimizer": "nadam"}, 0),
        ("mult_vae", "auto", {"optimizer": "adam_norm_grad"}, 0),
        ("cdae", "auto", {"optimizer": "adagrad", "tied": True}, 0),
        ("mult_vae", "auto", {"sampled_items": 6}, 6),
        ("recvae", "auto", {"sampled_items": 6}, 3),
        ("autorec", "auto", {"optimizer": "rprop", "batch_size": 100}, 0),
        ("deep", "fp16", {}, 1),
        ("recurrent", "auto", {"cell": "gru", "conditional": True}, 0),
    ],
)
def test_waits_of_other_hyper_parameters_do_not_grow(
    name: str, precision: Precision, chosen: dict[str, Any], expected: float
) -> None:
    record = trained(name, precision, **chosen)
    assert waits(record) <= expected, record.listed("wait", "update")


def test_dropped_entries_do_not_update_their_rows_on_a_gpu() -> None:
    """With sampled items Adam updates the rows that a gradient has, so both devices must leave out the same."""
    spec = brief("mult_dae", epochs=1, sampled_items=6, dropout=0.9, latent=4, hidden=())
    start, rows = spec.build(Shape(60, 32)), Rows.from_matrix(data_for(spec)[0].matrix, torch.device("cpu"))
    x = drop_entries(rows, 0.9, torch.Generator().manual_seed(0))
    layer = start.get_submodule("encoder.input")
    layer(x).sum().backward()
    expected = layer.weight.grad.coalesce().indices()[0].tolist()
    assert len(expected) < 32
    with pretended_gpu():
        weight = torch.zeros(32, 4).to("cuda:0").requires_grad_()
        parts = (part.to("cuda:0") for part in (x.indptr, x.indices, x.values))
        there = Rows(*parts, 32, x.positions.to("cuda:0"))  # type: ignore[misc]
        torch.autograd.backward(sparse_product(there, weight, rowwise=True).sum())
        assert weight.grad is not None
        assert weight.grad.coalesce()._indices()[0].tolist() == expected
