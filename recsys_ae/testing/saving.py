"""Contract tests of reproducible fits, saving and loading, and unchanged inputs."""

import dataclasses
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recsys_ae.errors import ArtefactError, NotFittedError
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.spec.hyper import describe
from recsys_ae.testing.blocks import needed_features, unknown_users
from recsys_ae.testing.fits import Fits, fit_to, state_of


class Saving(Fits):
    """The same seed gives the same model, and a saved model is loaded unchanged."""

    def test_the_same_seed_gives_the_same_model_to_the_bit(self) -> None:
        """States, scores and histories are equal."""
        first, again = self.fitted(), self.fit()
        assert state_of(first).keys() == state_of(again).keys()
        for key, tensor in state_of(first).items():
            assert torch.equal(tensor, state_of(again)[key]), key
        np.testing.assert_array_equal(first.score(unknown_users()), again.score(unknown_users()))
        timed = {"seconds", "rows_per_second"}
        histories = [
            [{k: v for k, v in epoch.items() if k not in timed} for epoch in model.history] for model in (first, again)
        ]
        assert histories[0] == histories[1]

    def test_another_seed_gives_another_model(self) -> None:
        """A model that is trained by gradient descent starts from other weights."""
        if not any(hyper.name == "epochs" for hyper in describe(type(self.spec))):
            pytest.skip("the model draws nothing")
        with_seed_1 = self.fit(seed=1)
        assert not np.array_equal(self.fitted().score(unknown_users()), with_seed_1.score(unknown_users()))

    def test_a_model_comes_back_from_its_folder_with_equal_spec_and_scores(self, tmp_path: Path) -> None:
        """Hyper-parameters, ids, history, metadata, notes and scores are equal."""
        model = self.fit(epochs=2)
        model.notes = {"source": "blocks", "nested": {"a": [1, None, "ü"]}}
        _save(model, tmp_path / "model")
        items, scores = model.recommend(unknown_users(), k=7)
        again = Recommender.load(tmp_path / "model", device="cpu")
        assert again.spec == model.spec
        assert again.items.equals(model.items)
        assert again.items.dtype == model.items.dtype
        assert (again.history, again.metadata, again.notes) == (model.history, model.metadata, model.notes)
        assert repr(again) == repr(model)
        np.testing.assert_array_equal(again.score(unknown_users()), model.score(unknown_users()))
        np.testing.assert_array_equal(again.recommend(unknown_users(), k=7).items, items)
        np.testing.assert_array_equal(again.recommend(unknown_users(), k=7).scores, scores)

    def test_a_model_that_came_back_can_be_fitted_again(self, tmp_path: Path) -> None:
        """Nothing remains of the first fit."""
        _save(self.fit(epochs=1), tmp_path / "model")
        again, data = Recommender.load(tmp_path / "model", device="cpu"), self.data()
        expected = fit_to(again.spec, data, run=Run(device="cpu"))
        again.fit(data, item_features=needed_features(again.spec, data), run=Run(device="cpu"))
        np.testing.assert_array_equal(again.score(unknown_users()), expected.score(unknown_users()))

    def test_all_that_was_learnt_is_in_the_state(self) -> None:
        """A new network with the state of a fitted one has equal scores: nothing learnt is in attributes."""
        model = self.fit(epochs=2)
        twin = model.spec.build(Shape(*self.data().shape, len(model.feature_columns or ())))
        twin.load_state_dict(state_of(model))
        copied = Recommender.assembled(dataclasses.replace(model.parts, network=twin))
        np.testing.assert_array_equal(copied.score(unknown_users()), model.score(unknown_users()))

    def test_before_it_is_fitted_a_model_can_do_nothing(self, tmp_path: Path) -> None:
        """The error says to call `fit` first."""
        model, history = Recommender(self.spec), unknown_users()
        uses = (lambda: model.score(history), lambda: model.similar([0]), lambda: model.save(tmp_path / "model"))
        for use in uses:
            with pytest.raises(NotFittedError, match=f"this {self.spec.name()} has not been fitted; call fit first"):
                use()
        assert not (tmp_path / "model").exists()

    def test_what_it_is_given_stays_untouched(self) -> None:
        """Neither the training data, nor the validation users, nor the histories change."""
        data, valid, histories = self.data(), self.held_out(), unknown_users()
        matrices = (data.matrix, valid.histories, valid.targets, histories)
        arrays = [array for matrix in matrices for array in (matrix.data, matrix.indices, matrix.indptr)]
        copies = [array.copy() for array in arrays]
        ids = data.items.copy(), data.users.copy()
        for array in arrays:
            array.flags.writeable = False
        model = fit_to(self.with_values(epochs=2), data, valid=valid, run=Run(device="cpu"))
        model.score(histories)
        model.recommend(histories, k=3, allow=[1, 2, 3], deny=histories)
        for array, copied in zip(arrays, copies, strict=True):
            np.testing.assert_array_equal(array, copied)
        assert data.items.equals(ids[0])
        assert data.users.equals(ids[1])

    def test_the_global_generators_stay_untouched_and_do_not_matter(self) -> None:
        """Everything random comes from the run's seed."""

        def states() -> list[Any]:
            return [torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()]  # noqa: NPY002

        before, model = states(), self.fit(epochs=2)
        model.recommend(unknown_users(), k=3)
        assert states() == before
        torch.rand(3)
        np.random.rand(3)  # noqa: NPY002
        np.testing.assert_array_equal(self.fit(epochs=2).score(unknown_users()), model.score(unknown_users()))


def _save(model: Recommender, folder: Path) -> None:
    """Save a model, or skip the test if its class is not registered and cannot be saved."""
    try:
        model.save(folder)
    except ArtefactError as error:
        pytest.skip(str(error))
