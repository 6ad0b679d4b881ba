"""Validation metrics of each user, during a fit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recsys_ae import Recommender, Run, evaluate, split_users
from recsys_ae.data.splits.split import split_ratings
from recsys_ae.data.synthetic.generate import synthesize
from recsys_ae.models import EASE, AutoRec, MultVAE
from recsys_ae.nn.model import Spec

DATA = synthesize(120, 60, 1_800).interactions


@pytest.mark.parametrize(
    ("spec", "n_epochs"), [(EASE(), 1), (MultVAE(epochs=3, latent=8, hidden=()), 3), (AutoRec(epochs=2, latent=8), 2)]
)
def test_a_receiver_gets_the_values_of_each_user_after_each_epoch(spec: Spec, n_epochs: int) -> None:
    is_rated = spec.feedback == "explicit"
    split: Any = split_ratings(DATA, seed=1) if is_rated else split_users(DATA, n_valid=20, n_test=20, seed=1)
    received: list[Mapping[str, NDArray[np.float64]]] = []
    model = Recommender(spec).fit(split.train, valid=split.valid, run=Run(device="cpu", validated=received.append))
    assert len(received) == n_epochs
    best = model.history.best
    assert best is not None
    report = evaluate(model, split.valid, [spec.monitor], n_resamples=10)
    values = received[best.epoch - 1][spec.monitor]
    assert values.shape == (len(split.valid.users),)
    np.testing.assert_allclose(values[~np.isnan(values)], report.values[spec.monitor])
