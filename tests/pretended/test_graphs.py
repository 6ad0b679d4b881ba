"""Fits with CUDA graphs of the pretended GPU equal those without, bit for bit.

In half precision that holds where the loss uses each weight once: autocast without its cache adds gradients in fp32.
"""

from pathlib import Path
from typing import Any

import pytest
import torch

from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.runtime import Precision, Run
from recsys_ae.nn.training import graphs
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.testing.resuming import Interrupter
from tests.features.models.curves import features_for
from tests.features.models.curves import small as small_features
from tests.pretended.machine import pretended_gpu
from tests.pretended.record import Record
from tests.pretended.test_recommenders import brief, data_for

PLAIN = -1
"""Size of inputs for which no graph is made."""


def fitted(name: str, precision: Precision = "fp32", *, small: int, **chosen: Any) -> tuple[Recommender, Record]:
    """Fit a model on a pretended GPU, with validation in each epoch; the last batch of an epoch is smaller."""
    how = {key: chosen.pop(key) for key in ("checkpoint", "progress") if key in chosen}
    spec = brief(name, **{"epochs": 3, "batch_size": 20, **chosen})
    data, held = data_for(spec)
    run = Run(device="cuda", precision=precision, progress=how.pop("progress", None))
    with pytest.MonkeyPatch.context() as patch, pretended_gpu() as record:
        patch.setattr(graphs, "SMALL", small)
        return Recommender(spec).fit(data, valid=held, run=run, **how), record


def assert_equal_fits(one: Recommender | FeatureEncoder, other: Recommender | FeatureEncoder) -> None:
    own = other.network.state_dict()
    for name, tensor in one.network.state_dict().items():
        assert torch.equal(tensor.cpu(), own[name].cpu()), name
    timed = {"seconds", "rows_per_second"}
    histories = [[{key: value for key, value in epoch.items() if key not in timed} for epoch in one.history]
                 for one in (one, other)]  # fmt: skip
    assert histories[0] == histories[1]


@pytest.mark.parametrize(
    ("name", "precision", "chosen"),
    [
        ("mult_vae", "fp32", {"ema_decay": 0.9, "clip_norm": 1.0, "l2": 0.01}),
        ("mult_vae", "fp16", {"sampled_items": 6}),
        ("mult_vae", "bf16", {"hidden": ()}),
        ("recvae", "bf16", {"ema_decay": 0.9}),
        ("vasp", "fp16", {"optimizer": "adam", "epochs": 2}),
        ("hvamp", "fp32", {"epochs": 2}),
    ],
)
def test_a_fit_with_graphs_equals_one_without(name: str, precision: Precision, chosen: dict[str, Any]) -> None:
    plain, without = fitted(name, precision, small=PLAIN, **chosen)
    replayed, record = fitted(name, precision, small=graphs.SMALL, **chosen)
    assert (without.graphs, record.graphs) == (0, 1)
    assert record.launches["update"] < 0.9 * without.launches["update"]
    assert_equal_fits(replayed, plain)


def features_fitted(name: str, precision: Precision, small: int, **chosen: Any) -> tuple[FeatureEncoder, Record]:
    run, valid = Run(device="cuda", precision=precision), features_for(name, n=20, seed=3)
    with pytest.MonkeyPatch.context() as patch, pretended_gpu() as record:
        patch.setattr(graphs, "SMALL", small)
        spec = small_features(name, epochs=2, batch_size=20, **chosen)
        return FeatureEncoder(spec).fit(features_for(name, n=50), valid=valid, run=run), record


@pytest.mark.parametrize(
    ("name", "precision", "n_graphs", "chosen"),
    [
        ("vanilla", "bf16", 1, {"likelihood": "bernoulli", "scale": "min-max"}),
        ("deep", "bf16", 1, {"ema_decay": 0.9}),
        ("sparse", "bf16", 1, {}),
        ("denoising", "fp32", 1, {"distortion": 0.1}),
        ("contractive", "fp32", 1, {}),
        ("contractive", "fp32", 1, {"jacobian": "estimated", "tied": False}),
        ("variational", "fp16", 1, {}),
        ("convolutional", "bf16", 1, {"code": "variational"}),
        ("masked", "bf16", 1, {}),
        ("adversarial", "fp32", 3, {}),
        ("recurrent", "bf16", 0, {}),
    ],
)
def test_autoencoders_of_features_with_graphs_equal_those_without(
    name: str, precision: Precision, n_graphs: int, chosen: dict[str, Any]
) -> None:
    plain, without = features_fitted(name, precision, PLAIN, **chosen)
    replayed, record = features_fitted(name, precision, graphs.SMALL, **chosen)
    assert (without.graphs, record.graphs) == (0, n_graphs)
    assert_equal_fits(replayed, plain)


def test_an_interrupted_fit_with_graphs_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    expected, _ = fitted("mult_vae", small=graphs.SMALL, epochs=5, ema_decay=0.9)
    checkpoint = Checkpoint(path=tmp_path / "checkpoint", minutes=0)
    for update in (5, 3):
        with pytest.raises(KeyboardInterrupt):
            fitted(
                "mult_vae",
                small=graphs.SMALL,
                epochs=5,
                ema_decay=0.9,
                checkpoint=checkpoint,
                progress=Interrupter(update),
            )
    resumed, record = fitted("mult_vae", small=graphs.SMALL, epochs=5, ema_decay=0.9, checkpoint=checkpoint)
    assert record.graphs == 1
    assert_equal_fits(resumed, expected)


def test_deterministic_fits_have_no_graphs() -> None:
    spec = brief("mult_vae", batch_size=10)
    with pretended_gpu() as record:
        Recommender(spec).fit(data_for(spec)[0], run=Run(device="cuda", deterministic=True))
    assert record.graphs == 0
