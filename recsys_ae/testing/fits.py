"""Fits of a model to the test data, shared by its contract tests."""

import dataclasses
import functools
from typing import Any, ClassVar

import torch

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Holdout
from recsys_ae.nn.model import Spec
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.spec.hyper import describe
from recsys_ae.testing import blocks


class Fits:
    """Model and its fits to the test data of `blocks`."""

    spec: ClassVar[Any]
    """Hyper-parameters with which the model learns the test data in about a second."""

    @classmethod
    def rated(cls) -> bool:
        """Return True if the model needs ratings."""
        return bool(cls.spec.feedback == "explicit")

    @classmethod
    def data(cls) -> Interactions:
        """Return the training data."""
        return blocks.training_data(rated=cls.rated())

    @classmethod
    def held_out(cls) -> Holdout:
        """Return the validation users."""
        return blocks.holdout(cls.data(), rated=cls.rated())

    @classmethod
    def with_values(cls, **values: Any) -> Any:
        """Return the hyper-parameters with these values; names that the model does not have are ignored."""
        names = {hyper.name for hyper in describe(type(cls.spec))}
        return dataclasses.replace(cls.spec, **{name: value for name, value in values.items() if name in names})

    @classmethod
    def fit(cls, *, seed: int = 0, **values: Any) -> Recommender:
        """Fit the model to the test data."""
        return fit_to(cls.with_values(**values), cls.data(), valid=cls.held_out(), run=Run(seed=seed, device="cpu"))

    @classmethod
    @functools.cache
    def fitted(cls) -> Recommender:
        """Return a fitted model that is shared by all tests; they must not change it."""
        return cls.fit()


def fit_to(spec: Spec, data: Interactions, **how: Any) -> Recommender:
    """Fit a model, with item features if it needs them."""
    return Recommender(spec).fit(data, item_features=blocks.needed_features(spec, data), **how)


def state_of(model: Recommender) -> dict[str, torch.Tensor]:
    """Return a copy of the state of a model's network."""
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
