"""Initial bias of the output: zero, or such that the output without a code is the mean of each column."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.features import models as autoencoders
from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.features.nn.output_bias import column_means
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.runtime import seeded
from recsys_ae.spec.hyper import build
from tests.features.models.curves import table

CPU = Run(device="cpu")
MODELS = pytest.mark.parametrize("name", ["vanilla", "sparse", "contractive"])


def begun(name: str, rows: FeatureRows, **chosen: Any) -> Any:
    with seeded(0):
        spec = build(autoencoders.spec_class(name), {"latent": 3, **chosen})
        network: Any = spec.build(FeatureShape(len(rows), rows.width, ()))
    network.begin(rows)
    return network


@MODELS
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("hidden", [(), (5,)])
def test_without_any_code_the_mean_comes_out(name: str, likelihood: str, hidden: tuple[int, ...]) -> None:
    rows = FeatureRows(torch.rand(3000, 7, generator=torch.Generator().manual_seed(0)), Scaling(7))
    deep = {"hidden": hidden} if name != "vanilla" else {}
    network = begun(name, rows, bias="mean", likelihood=likelihood, **deep)
    for weight in network.layers.decoder.parameters():
        if weight.ndim > 1:
            weight.data.zero_()
    if name == "contractive":  # its decoder has the encoder's weights
        network.layers.encoder.layers[0].weight.data.zero_()
        if hidden:
            network.layers.decoder.biases[0].data.fill_(-1e3)  # a sigmoid of 0
    found = network.decode(torch.zeros(1, 3))[0]
    torch.testing.assert_close(found, rows.source.mean(dim=0), atol=1e-5, rtol=1e-4)


@MODELS
def test_by_default_it_starts_near_0(name: str) -> None:
    rows = FeatureRows(torch.rand(30, 7), Scaling(7))
    assert begun(name, rows).layers.output_bias.abs().max() < 0.5


def test_columns_that_are_always_0_or_1_start_at_finite_log_odds() -> None:
    rows = FeatureRows(torch.tensor([[0.0, 1.0, 0.5]]).expand(9, 3), Scaling(3))
    bias = begun("vanilla", rows, bias="mean", likelihood="bernoulli").layers.output_bias
    torch.testing.assert_close(bias, torch.tensor([-6.9068, 6.9068, 0.0]), atol=1e-3, rtol=0)


def test_what_is_missing_does_not_count() -> None:
    values = torch.tensor([[1.0, torch.nan], [3.0, 4.0]]).repeat(700, 1)
    scaling = Scaling(2)
    scaling.fill = torch.full((2,), 99.0)
    torch.testing.assert_close(column_means(FeatureRows(values, scaling, holes=True)), torch.tensor([2.0, 4.0]))


def test_a_sigmoid_layer_learns_where_else_it_saturates() -> None:
    """Rows are far from 0 in most columns, as images are; with a bias of 0 the model learns only the mean."""
    rng = np.random.default_rng(0)
    waves = np.asarray(table(400).matrix).repeat(10, axis=1) * 0.5
    rows = np.concatenate([waves, np.full((400, 400), 0.02) * rng.random((400, 400))], axis=1)
    features = Features(rows, pd.RangeIndex(400), pd.RangeIndex(520))
    spread = float(np.sqrt(np.square(rows - rows.mean(axis=0)).mean()))
    errors = {}
    for bias in ("zero", "mean"):
        chosen = {"latent": 4, "activation": "tanh", "likelihood": "bernoulli", "epochs": 40, "batch_size": 20}
        spec = build(autoencoders.spec_class("vanilla"), {**chosen, "lr": 0.005, "bias": bias, "scale": "none"})
        errors[bias] = FeatureEncoder(spec).fit(features, run=CPU).error(features)
    assert errors["mean"] < 0.6 * spread
    assert errors["mean"] < 0.8 * errors["zero"]
