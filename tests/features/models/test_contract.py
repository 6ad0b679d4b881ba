"""Contract of the feature autoencoders, on features with a known structure."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.errors import ArtefactError, ConfigError, DataError, NotFittedError, UnsupportedError
from recsys_ae.features import models as autoencoders
from recsys_ae.features.nn.contract import FeatureSpec
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.spec.hyper import build, describe, flatten
from recsys_ae.testing.ranges import check_range
from recsys_ae.testing.resuming import Interrupter
from recsys_ae.tracking import NoTracker
from tests.features.models.curves import KINDS, features_for, images, small, table

NAMES = autoencoders.names()
TRAINED = [name for name in NAMES if name != "pca"]
GENERATIVE = ("adversarial", "variational")
CPU = Run(device="cpu")
every_model = pytest.mark.parametrize("name", NAMES)


@functools.cache
def fitted(name: str) -> FeatureEncoder:
    """Return a fitted model that tests share and do not change."""
    return FeatureEncoder(small(name)).fit(features_for(name), valid=features_for(name, 20, 1), run=CPU)


def fit(name: str, seed: int = 0, **chosen: Any) -> FeatureEncoder:
    return FeatureEncoder(small(name, **chosen)).fit(features_for(name), run=Run(device="cpu", seed=seed))


@every_model
def test_an_interrupted_fit_goes_on_and_ends_with_the_same_weights(name: str, tmp_path: Path) -> None:
    if name not in TRAINED:
        pytest.skip("the model is not trained by gradient descent")
    spec = small(name, epochs=5, ema_decay=0.9, lr_schedule="linear", pretrain_epochs=2)
    features, valid = features_for(name), features_for(name, 20, 1)
    undisturbed = FeatureEncoder(spec).fit(features, valid=valid, run=CPU)
    for updates in (1, 2, 4):
        with pytest.raises(KeyboardInterrupt):
            FeatureEncoder(spec).fit(
                features,
                valid=valid,
                run=Run(device="cpu", progress=Interrupter(updates)),
                checkpoint=tmp_path / "checkpoint",
            )
    resumed = FeatureEncoder(spec).fit(features, valid=valid, run=CPU, checkpoint=tmp_path / "checkpoint")
    for key, tensor in state_of(undisturbed).items():
        assert torch.equal(state_of(resumed)[key], tensor), key
    assert resumed.history.best == undisturbed.history.best
    resumed.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def state_of(model: FeatureEncoder) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


def spread(features: Features) -> float:
    """Return the error of the mean of each column (of each pixel, of each step)."""
    rows = np.array(features.matrix)
    inside = np.ones_like(rows, bool)
    if features.lengths is not None:
        inside = np.repeat(np.arange(features.form[0]) < features.lengths[:, None], features.form[1], axis=1)
    mean = np.where(inside, rows, 0).sum(axis=0) / inside.sum(axis=0)
    return float(np.sqrt(np.square((rows - mean)[inside]).mean()))


class Notebook(NoTracker):
    def __init__(self) -> None:
        self.chosen: dict[str, Any] = {}
        self.measured: list[tuple[int | None, dict[str, float]]] = []

    def parameters(self, values: Mapping[str, Any]) -> None:
        self.chosen |= values

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        self.measured.append((step, dict(values)))


# Registry


def test_the_zoo_is_complete() -> None:
    assert NAMES == (
        "adversarial", "contractive", "convolutional", "deep", "denoising", "masked", "pca", "recurrent", "sparse",
        "vanilla", "variational",
    )  # fmt: skip


@every_model
def test_every_model_and_every_hyper_parameter_says_what_it_is(name: str) -> None:
    cls = autoencoders.spec_class(name)
    assert issubclass(cls, FeatureSpec)
    assert cls.name() == name
    assert getattr(autoencoders, cls.__name__) is cls
    assert cls() == build(cls, json.loads(json.dumps(flatten(cls()))))
    assert len(autoencoders.summary(name).splitlines()[0]) > 20
    for one in describe(cls):
        assert len(one.help) > 10, one.name
        check_range(one, [other.name for other in describe(cls)])


def test_an_unknown_model_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"there is no autoencoder 'variatonal'; did you mean 'variational'\?"):
        autoencoders.spec_class("variatonal")
    assert not hasattr(autoencoders, "AutoMagic")


# Learning


@every_model
def test_gives_back_rows_it_has_never_seen(name: str) -> None:
    """Two numbers generate a row, so a code of four dimensions reconstructs most of it."""
    unseen = features_for(name, 40, 2)
    share = {"masked": 0.8, "recurrent": 0.7, "sparse": 0.7, "variational": 0.7}.get(name, 0.5)
    assert fitted(name).error(unseen) < share * spread(unseen)


@every_model
def test_the_error_is_that_of_the_reconstruction(name: str) -> None:
    features = features_for(name, 40, 2)
    back = fitted(name).reconstruct(features)
    inside = np.ones(back.matrix.shape, bool)
    if features.lengths is not None:
        inside = np.repeat(np.arange(features.form[0]) < features.lengths[:, None], features.form[1], axis=1)
    error = np.sqrt(np.square((np.asarray(back.matrix) - np.asarray(features.matrix))[inside]).mean())
    assert fitted(name).error(features) == pytest.approx(error, rel=1e-4, abs=1e-6)


@every_model
def test_validation_measures_the_error_and_the_best_epoch_is_kept(name: str) -> None:
    valid = features_for(name, 20, 1)
    model = FeatureEncoder(small(name, epochs=6, scale="none", lr=0.02))
    model.fit(features_for(name), valid=valid, run=CPU)
    errors = [measured["valid/rmse"] for measured in model.history]
    best = min(errors)
    if name == "variational":
        elbos = [measured["valid/elbo"] for measured in model.history]
        best = errors[int(np.argmax(elbos))]
    assert model.error(valid) == pytest.approx(best, rel=1e-4, abs=1e-6)


@every_model
def test_what_was_chosen_and_measured_is_handed_to_the_tracker(name: str) -> None:
    notebook, spec = Notebook(), small(name, epochs=2)
    run = Run(device="cpu", seed=5, tracker=notebook)
    model = FeatureEncoder(spec).fit(features_for(name), valid=features_for(name, 20, 1), run=run)
    assert [step for step, _ in notebook.measured] == list(range(1, len(model.history) + 1))
    assert [values for _, values in notebook.measured] == model.history
    assert notebook.chosen["model"] == name
    for one in describe(type(spec)):
        value = getattr(spec, one.name)
        assert notebook.chosen[one.name] == (list(value) if isinstance(value, tuple) else value)


# Encoding


@every_model
def test_codes_are_features_with_the_ids_of_the_rows(name: str) -> None:
    features = features_for(name, 30, 3)
    codes = fitted(name).encode(features)
    assert codes.ids.equals(features.ids)
    assert codes.width == fitted(name).spec.latent
    assert np.asarray(codes.matrix).dtype == np.float32
    assert (np.asarray(codes.matrix).std(axis=0) > 0).any()
    assert codes.to_frame("movie").columns[:2].tolist() == ["movie", "code 0"]


@every_model
def test_a_row_alone_is_encoded_like_the_row_in_a_batch(name: str) -> None:
    features = features_for(name, 12, 3)
    together = np.asarray(fitted(name).encode(features).matrix)
    alone = [np.asarray(fitted(name).encode(features.take(np.array([row]))).matrix) for row in range(12)]
    np.testing.assert_allclose(np.vstack(alone), together, rtol=1e-4, atol=1e-5)
    backwards = fitted(name).encode(features.take(np.arange(12)[::-1])).matrix
    np.testing.assert_allclose(np.asarray(backwards)[::-1], together, rtol=1e-4, atol=1e-5)


@every_model
def test_codes_are_equal_from_call_to_call(name: str) -> None:
    features = features_for(name, 12, 3)
    first = np.asarray(fitted(name).encode(features).matrix)
    fitted(name).network.train()
    np.testing.assert_array_equal(np.asarray(fitted(name).encode(features).matrix), first)


@every_model
def test_no_rows_have_no_codes(name: str) -> None:
    nothing = features_for(name, 5).take(np.array([], np.int64))
    assert fitted(name).encode(nothing).matrix.shape == (0, fitted(name).spec.latent)


@every_model
def test_only_generative_models_draw_rows(name: str) -> None:
    model = fitted(name)
    if name not in GENERATIVE:
        with pytest.raises(UnsupportedError, match="not generative"):
            model.sample(3)
        return
    drawn = model.sample(500, seed=1)
    assert drawn.matrix.shape == (500, 12)
    np.testing.assert_array_equal(np.asarray(model.sample(500, seed=1).matrix), np.asarray(drawn.matrix))
    assert not np.array_equal(np.asarray(model.sample(500).matrix), np.asarray(drawn.matrix))
    np.testing.assert_allclose(
        np.asarray(drawn.matrix).mean(axis=0), np.asarray(table().matrix).mean(axis=0), atol=0.15
    )
    with pytest.raises(ConfigError, match="n = 0 must be at least 1"):
        model.sample(0)


@every_model
def test_what_lies_between_two_rows_can_be_decoded(name: str) -> None:
    model, features = fitted(name), features_for(name, 2, 3)
    codes = np.asarray(model.encode(features).matrix)
    if name == "masked":
        with pytest.raises(UnsupportedError, match="not from a code"):
            model.decode(codes)
        return
    between = np.asarray(model.interpolate(features, 3).matrix)
    middle = model.decode((codes[:1] + codes[1:]) / 2)
    assert middle.form == features.form
    np.testing.assert_allclose(between[1], np.asarray(middle.matrix)[0], rtol=1e-5, atol=1e-6)
    if features.lengths is None:
        np.testing.assert_allclose(
            between[[0, 2]], np.asarray(model.reconstruct(features).matrix), rtol=1e-4, atol=1e-5
        )
    with pytest.raises(DataError, match="expected two rows"):
        model.interpolate(features_for(name, 3))
    with pytest.raises(DataError, match=r"codes have the shape \(2, 1\); expected"):
        model.decode(codes[:, :1])


@every_model
def test_only_the_variational_one_has_a_likelihood(name: str) -> None:
    features = features_for(name, 20, 3)
    if name != "variational":
        with pytest.raises(UnsupportedError, match="has no likelihood; use variational"):
            fitted(name).log_likelihood(features)
        return
    few, many = (fitted(name).log_likelihood(features, samples=n) for n in (1, 300))
    assert few.shape == many.shape == (20,)
    assert few.mean() < many.mean()


@pytest.mark.parametrize("name", TRAINED)
def test_products_may_be_computed_in_half_precision(name: str) -> None:
    spec = small(name, epochs=3)
    model = FeatureEncoder(spec).fit(features_for(name), run=Run(device="cpu", precision="bf16"))
    assert all(np.isfinite(measured["loss"]) for measured in model.history)
    assert np.isfinite(np.asarray(model.encode(features_for(name)).matrix)).all()


# Reproducibility


@every_model
def test_the_same_seed_gives_the_same_model_to_the_bit(name: str) -> None:
    first, again = fit(name, epochs=2), fit(name, epochs=2)
    for key, tensor in state_of(first).items():
        assert torch.equal(tensor, state_of(again)[key]), key


@pytest.mark.parametrize("name", TRAINED)
def test_another_seed_gives_another_model(name: str) -> None:
    features = features_for(name)
    first, other = (fit(name, seed, epochs=2).encode(features).matrix for seed in (0, 1))
    assert not np.array_equal(np.asarray(first), np.asarray(other))


@pytest.mark.parametrize("name", TRAINED)
def test_untrained_it_has_the_weights_that_its_training_began_with(name: str) -> None:
    model, begun = fitted(name), {}

    class StoppedError(Exception):
        pass

    def stop(network: Any, *_: Any) -> Any:
        begun.update({key: tensor.clone() for key, tensor in network.state_dict().items()})
        raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model.network), "learn", stop)
        with pytest.raises(StoppedError):
            fit(name, seed=5)
    before, features = state_of(model), features_for(name, 20, 1)
    bare = model.untrained(seed=5)
    assert all(torch.equal(begun[key], tensor) for key, tensor in bare.network.state_dict().items())
    assert all(torch.equal(before[key], tensor) for key, tensor in model.network.state_dict().items())
    assert bare.encode(features).matrix.shape == model.encode(features).matrix.shape
    assert bare.history == []
    assert model.history


def test_a_closed_form_is_nothing_before_it_is_fitted() -> None:
    with pytest.raises(UnsupportedError, match="pca is a closed form"):
        fitted("pca").untrained()


@every_model
def test_a_model_comes_back_from_its_folder_with_equal_spec_and_codes(name: str, tmp_path: Path) -> None:
    model, features = fit(name, epochs=2), features_for(name, 20, 3)
    model.notes = {"source": "curves"}
    model.save(tmp_path / "model")
    again = FeatureEncoder.load(tmp_path / "model", device="cpu")
    assert again.spec == model.spec
    assert again.columns.equals(model.columns)
    assert again.form == model.form
    assert (again.history, again.metadata, again.notes) == (model.history, model.metadata, model.notes)
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(np.asarray(again.encode(features).matrix), np.asarray(model.encode(features).matrix))
    np.testing.assert_array_equal(
        np.asarray(again.reconstruct(features).matrix), np.asarray(model.reconstruct(features).matrix)
    )
    with pytest.raises(ArtefactError, match="is not a saved Recommender; load it with FeatureEncoder"):
        Recommender.load(tmp_path / "model")


@every_model
def test_before_it_is_fitted_a_model_can_do_nothing(name: str, tmp_path: Path) -> None:
    model, features = FeatureEncoder(small(name)), features_for(name)
    uses = (
        lambda: model.network,
        lambda: model.encode(features),
        lambda: model.reconstruct(features),
        lambda: model.sample(1),
        lambda: model.save(tmp_path / "model"),
    )
    for use in uses:
        with pytest.raises(NotFittedError, match=f"this {name} has not been fitted; call fit first"):
            use()


@every_model
def test_the_global_generators_and_what_it_is_given_stay_untouched(name: str) -> None:
    features = features_for(name)
    before = torch.get_rng_state().tolist(), str(np.random.get_state())  # noqa: NPY002
    rows = np.array(features.matrix)
    np.asarray(features.matrix).flags.writeable = False
    model = FeatureEncoder(small(name, epochs=2)).fit(features, run=CPU)
    model.reconstruct(features)
    assert (torch.get_rng_state().tolist(), str(np.random.get_state())) == before  # noqa: NPY002
    np.testing.assert_array_equal(np.asarray(features.matrix), rows)


# Errors


@every_model
def test_rows_of_another_form_are_refused(name: str) -> None:
    reads = autoencoders.spec_class(name).reads
    for form, made in KINDS.items():
        if form not in reads:
            with pytest.raises(DataError, match=f"{name} reads .*, but these features are"):
                FeatureEncoder(small(name)).fit(made())
    other = images(5, form=(1, 3, 4))
    with pytest.raises(DataError, match="these features are images of 1 × 3 × 4, but the model was fitted on"):
        fitted(name).encode(other)


def test_columns_are_found_by_their_names() -> None:
    features = table(10)
    turned = Features(np.asarray(features.matrix)[:, ::-1], features.ids, features.columns[::-1])
    np.testing.assert_array_equal(
        np.asarray(fitted("pca").encode(turned).matrix), np.asarray(fitted("pca").encode(features).matrix)
    )
    renamed = Features(features.matrix, features.ids, pd.Index([*features.columns[:-1], "other"]))
    with pytest.raises(DataError, match="1 of 12 columns are missing, the first is 'c11'"):
        fitted("pca").encode(renamed)


def test_a_code_that_can_hold_the_whole_row_is_remarked() -> None:
    model = FeatureEncoder(small("vanilla", latent=12, epochs=1)).fit(table(), run=CPU)
    assert any("vanilla can learn to copy its input" in remark for remark in model.metadata["remarks"])
    for name in ("denoising", "sparse", "contractive", "variational"):
        model = FeatureEncoder(small(name, latent=12, epochs=1)).fit(table(), run=CPU)
        assert not model.metadata["remarks"]


def test_the_bernoulli_likelihood_takes_values_from_0_to_1_only() -> None:
    features = table()
    wide = Features(np.asarray(features.matrix) * 3, features.ids, features.columns)
    with pytest.raises(DataError, match="bernoulli likelihood needs values from 0 to 1"):
        FeatureEncoder(small("deep", likelihood="bernoulli", scale="none", epochs=1)).fit(wide, run=CPU)
    FeatureEncoder(small("deep", likelihood="bernoulli", epochs=1)).fit(wide, run=CPU)


def test_nothing_can_be_learnt_from_nothing() -> None:
    with pytest.raises(DataError, match="there is nothing to learn from: 0 rows of 12 columns"):
        FeatureEncoder(small("pca")).fit(table().take(np.array([], np.int64)))
