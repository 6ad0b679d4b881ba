"""Evaluation of codes with every feature autoencoder."""

import functools
import math

import numpy as np
import pytest

from recsys_ae import FeatureEncoder, Run
from recsys_ae.errors import UnsupportedError
from recsys_ae.features import models as autoencoders
from recsys_ae.features.analysis import augmented, errors, fine_tuned, perturbation
from recsys_ae.features.analysis.denoising import denoising
from recsys_ae.features.analysis.verification import verification
from recsys_ae.features.data.features import Features
from tests.features.models.curves import features_for, small

every_model = pytest.mark.parametrize("name", autoencoders.names())
decodes = pytest.mark.parametrize("name", [name for name in autoencoders.names() if name != "masked"])


@functools.cache
def fitted(name: str) -> FeatureEncoder:
    return FeatureEncoder(small(name, epochs=3)).fit(features_for(name), run=Run(device="cpu"))


def inside(features: Features) -> np.ndarray:
    rows = np.ones((len(features), features.width), bool)
    if features.lengths is not None:
        rows = np.repeat(np.arange(features.form[0]) < features.lengths[:, None], features.form[1], axis=1)
    return rows


@every_model
def test_the_errors_of_rows_are_those_of_their_values(name: str) -> None:
    features, model = features_for(name, 15, 1), fitted(name)
    kept = inside(features)
    squares = np.where(kept, np.asarray(model.reconstruct(features).matrix) - features.matrix, 0) ** 2
    np.testing.assert_allclose(errors(model, features), np.sqrt(squares.sum(axis=1) / kept.sum(axis=1)), 1e-3, 1e-6)
    assert model.error(features) == pytest.approx(math.sqrt(squares.sum() / kept.sum()), rel=1e-3, abs=1e-6)


@every_model
def test_noise_is_measured(name: str) -> None:
    found = denoising(fitted(name), features_for(name, 40, 1), [0.1])[0]
    assert found["psnr_noisy"] == pytest.approx(20, abs=1)
    assert math.isfinite(found["psnr"])


@every_model
def test_it_can_be_trained_on(name: str) -> None:
    features, model = features_for(name), fitted(name)
    labels = np.asarray(features.matrix)[:, 0] > np.median(np.asarray(features.matrix)[:, 0])
    before = np.asarray(model.encode(features).matrix)
    start, end = (
        fine_tuned(model, features, labels, features, labels, [1], seeds=[0], updates=updates, lr=1e-2)[0]
        for updates in (0, 60)
    )
    assert end["accuracy"] >= max(start["accuracy"] - 0.05, 0.8)
    np.testing.assert_array_equal(model.encode(features).matrix, before)


@decodes
def test_codes_are_perturbed_and_members_made_of_them(name: str) -> None:
    features, model = features_for(name, 20, 1), fitted(name)
    still, moved = perturbation(model, features, [0, 3])
    assert still["rmse"] == pytest.approx(model.error(features), rel=1e-3, abs=1e-6)
    assert moved["rmse"] > still["rmse"]
    labels = np.repeat(["a", "b"], [15, 5])
    made, names = augmented(model, features, labels, share=0.1, minimum=8)
    assert (made.matrix.shape, names.tolist()) == ((3, features.width), ["b"] * 3)
    assert 0 <= verification(model, features, labels, features, labels, share=0.1, minimum=8) <= 1


def test_a_code_that_cannot_be_decoded_says_so() -> None:
    with pytest.raises(UnsupportedError, match="masked"):
        perturbation(fitted("masked"), features_for("masked"), [0.1])
