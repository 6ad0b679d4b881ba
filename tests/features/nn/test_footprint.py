"""Estimated memory of a fit to features, against the tensors that a fit holds."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.errors import DataError, TrainingError
from recsys_ae.features import models as autoencoders
from recsys_ae.features.models import PCA, Adversarial, Deep, Masked, Recurrent
from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.features.nn.footprint import memory
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.features.preflight import check
from recsys_ae.nn import capacity
from recsys_ae.nn.runtime import seeded
from recsys_ae.nn.training.steps import Step
from recsys_ae.spec.hyper import build
from tests.features.models.curves import table

CPU = Run(device="cpu")
WEIGHTS = 4 * (12 * 6 + 6 + 6 * 4 + 4 + 4 * 6 + 6 + 6 * 12 + 12)
DEEP = Deep(latent=4, hidden=(6,), batch_size=50)


def really_kept(spec: Any, features: Features) -> int:
    """Return the bytes of the tensors, without weights, that the loss of a batch stores, each counted once."""
    with seeded(0):
        network = spec.build(FeatureShape(len(features), features.width, features.form))
    rows = FeatureRows.of(features, Scaling(features.width), torch.device("cpu"))
    own = {weight.data_ptr() for weight in network.parameters()}
    found: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in own:
            found[place] = tensor
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        network.loss(rows.take(torch.arange(spec.batch_size)), Step(0, 1, torch.Generator()))
    return sum(tensor.untyped_storage().nbytes() for tensor in found.values())


def pictures(n: int = 64) -> Features:
    rng = np.random.default_rng(0)
    return Features(rng.random((n, 784)), pd.RangeIndex(n), pd.RangeIndex(784), (1, 28, 28))


def steps(n: int = 64) -> Features:
    rng = np.random.default_rng(0)
    return Features(rng.random((n, 90)), pd.RangeIndex(n), pd.RangeIndex(90), (30, 3), np.full(n, 30, np.int64))


def test_each_copy_of_the_weights_is_counted_by_what_it_is_for() -> None:
    parts = memory(DEEP, table(60), table(20))
    assert {what: size for what, size in parts.items() if what != "activations of a batch"} == {
        "features": 4 * 80 * 12,
        "weights": WEIGHTS,
        "gradients": WEIGHTS,
        "moments of adam": 2 * WEIGHTS,
        "weights of the best epoch": WEIGHTS,
        "inputs of a batch": 4 * 4 * 50 * 12,
    }
    alone = memory(Deep(latent=4, hidden=(6,), ema_decay=0.9, optimizer="adagrad"), table(60))
    assert "weights of the best epoch" not in alone
    assert alone["moving average of the weights"] == alone["moments of adagrad"] == WEIGHTS
    assert alone["inputs of a batch"] == 4 * 4 * 60 * 12  # it has no more rows than there are


def test_sparse_features_are_as_large_as_their_entries() -> None:
    rows = csr_matrix(np.eye(30, 1000, dtype=np.float32))
    features = Features(rows, pd.RangeIndex(30), pd.RangeIndex(1000))
    assert memory(DEEP, features)["features"] == 30 * 8 + 30 * 12


KEPT: list[tuple[str, dict[str, Any]]] = [
    ("adversarial", {}),
    ("contractive", {}),
    ("contractive", {"hidden": [100]}),
    ("contractive", {"hidden": [100], "jacobian": "estimated", "probes": 2}),
    ("convolutional", {"down": "strided", "up": "transposed"}),
    ("convolutional", {"down": "strided", "up": "unpooled"}),
    ("convolutional", {"down": "pooled", "up": "transposed"}),
    ("convolutional", {"down": "pooled", "up": "unpooled"}),
    ("convolutional", {"code": "variational", "channels": [4, 8, 8]}),
    ("deep", {}),
    ("deep", {"tied": True, "hidden": [50]}),
    ("denoising", {"distortion": 1.0}),
    ("masked", {}),
    ("masked", {"code": "bottleneck", "patch": 7, "depth": 1, "width": 32}),
    ("recurrent", {}),
    ("recurrent", {"cell": "gru"}),
    ("recurrent", {"bidirectional": True, "repeated": True}),
    ("sparse", {}),
    ("vanilla", {}),
    ("variational", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "chosen"), KEPT)
def test_what_waits_for_the_gradient_is_neither_forgotten_nor_much_exaggerated(
    name: str, chosen: dict[str, Any]
) -> None:
    spec = build(autoencoders.spec_class(name), {"batch_size": 64, "latent": 16, **chosen})
    features = steps() if name == "recurrent" else pictures()
    parts = memory(spec, features)
    told, kept = parts["activations of a batch"] + parts["inputs of a batch"], really_kept(spec, features)
    assert 1 <= told / kept < 4, (told, kept)


def test_a_table_of_tokens_keeps_weights_for_each_row() -> None:
    rng = np.random.default_rng(0)
    features = Features(rng.random((64, 60)), pd.RangeIndex(64), pd.RangeIndex(60))
    for chosen in ({}, {"code": "bottleneck"}):
        spec = build(Masked, {"batch_size": 64, **chosen})
        parts = memory(spec, features)
        assert 1 <= (parts["activations of a batch"] + parts["inputs of a batch"]) / really_kept(spec, features) < 4


def test_every_trained_model_is_among_those() -> None:
    assert {name for name, _ in KEPT} == {name for name in autoencoders.names() if name != "pca"}


def test_of_losses_that_take_turns_all_weights_count() -> None:
    parts = memory(Adversarial(latent=2, hidden=(6,), critic=(5,)), table(60))
    dense = 4 * (12 * 6 + 6 + 6 * 2 + 2 + 2 * 6 + 6 + 6 * 12 + 12)
    assert parts["weights"] == dense + 4 * (2 * 5 + 5 + 5 + 1)


def test_a_closed_form_tells_its_matrices() -> None:
    features = table(60)
    parts = memory(PCA(latent=3), features)
    assert parts == {"features": 4 * 60 * 12, "matrices of the closed form": 8 * 4 * 12**2 + 20 * 60 * 12}
    assert memory(PCA(latent=3, solver="randomised", oversamples=4), features)["matrices of the closed form"] == (
        8 * 12 * 4 * 7 + 20 * 60 * 12
    )


def test_nothing_of_the_size_of_the_network_is_made() -> None:
    """The size of weights of 160 GB is computed without allocating them."""
    features = Features(csr_matrix((4, 200_000), dtype=np.float32), pd.RangeIndex(4), pd.RangeIndex(200_000))
    parts = memory(Deep(hidden=(100_000,)), features)
    assert parts["weights"] > 4 * 2 * 200_000 * 100_000


def test_too_little_memory_is_refused_with_both_numbers_and_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda device: 2**30)
    wide = Features(csr_matrix((4, 200_000), dtype=np.float32), pd.RangeIndex(4), pd.RangeIndex(200_000))
    message = (
        r"deep needs [\d.]+ GiB for 4 rows of 200,000 columns, and 1\.0 GiB are free; most of it is for moments of "
        r"adam: lower hidden or latent, or use fewer columns \(pca reduces them\)"
    )
    for refused in (
        lambda: check(Deep(hidden=(100_000,)), wide, None, CPU),
        lambda: FeatureEncoder(Deep(hidden=(100_000,))).fit(wide, run=CPU),
    ):
        with pytest.raises(TrainingError, match=message):
            refused()
    with pytest.raises(TrainingError, match=r"for matrices of the closed form: set solver = 'randomised'"):
        check(PCA(latent=2, solver="covariance"), wide, None, CPU)


def test_what_to_change_goes_by_what_most_of_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda device: 10)
    rows = Features(np.zeros((2000, 144), np.float32), pd.RangeIndex(2000), pd.RangeIndex(144), (1, 12, 12))
    with pytest.raises(TrainingError, match="for activations of a batch: lower batch_size"):
        check(Masked(), rows, None, CPU)
    with pytest.raises(TrainingError, match="for features: use fewer rows or columns"):
        check(Deep(latent=2, hidden=(4,), batch_size=1), rows, None, CPU)


def test_rows_that_a_model_cannot_read_are_refused_before_memory_is_asked_for() -> None:
    with pytest.raises(DataError, match="recurrent reads sequences, but these features are a table"):
        check(Recurrent(), table(), None, CPU)


@pytest.mark.parametrize("free", [None, 2**40])
def test_enough_memory_and_an_unknown_amount_are_enough(free: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda device: free)
    check(DEEP, table(), table(20), CPU)
