"""How many kernels an update of each model launches on a GPU; with small batches, launches are what an update costs."""

from typing import Any

import pytest

from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from tests.features.models.curves import features_for
from tests.features.models.curves import small as small_features
from tests.pretended.machine import pretended_gpu
from tests.pretended.test_recommenders import brief, data_for
from tests.pretended.test_waits import FEATURE_MODELS

LAUNCHES = {
    "autorec": 52, "cdae": 163, "elsa": 92, "hvamp": 156, "macrid_vae": 386, "mult_dae": 83, "mult_vae": 90,
    "recvae": 95, "vasp": 582, "adversarial": 50, "contractive": 22, "convolutional": 17, "deep": 16,
    "denoising": 20, "masked": 18, "recurrent": 348, "sparse": 21, "vanilla": 16, "variational": 23,
}  # fmt: skip
"""Launches of an update in bf16, with a graph of the dense part if the model has one. NAdam (elsa, vasp) has fewer on a
true GPU, where PyTorch updates all tensors together."""


def launches(name: str) -> int:
    """Return the launches of the last update of a fit in which all batches have one size."""
    counts = list[int]()
    with pretended_gpu() as record:

        def note(_: Any) -> None:
            counts.append(record.launches["update"])

        run = Run(device="cuda", progress=note)
        if name in FEATURE_MODELS:
            FeatureEncoder(small_features(name, epochs=2, batch_size=30)).fit(features_for(name), run=run)
        else:
            spec = brief(name, epochs=2, batch_size=20)
            Recommender(spec).fit(data_for(spec)[0], run=run)
    return counts[-1] - counts[-2]


@pytest.mark.parametrize("name", LAUNCHES)
def test_an_update_launches_no_more_kernels(name: str) -> None:
    assert launches(name) <= LAUNCHES[name]
