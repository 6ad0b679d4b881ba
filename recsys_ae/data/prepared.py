"""Data that were read and filtered as a recipe says."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_ae.data.dataset_info import Dataset
from recsys_ae.data.filters import MinInteractions, MinRating, apply
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.origin import Origin
from recsys_ae.data.recipe_options import AUTO, NONE, RecipeOptions
from recsys_ae.data.recipe_table import RecipeError, Said
from recsys_ae.data.splits.holdout import Holdout, Split

USUAL_RATING = 4.0


class Prepared(NamedTuple):
    """Filtered data, what is known of their items, and what else a split or an evaluation needs.

    Attributes
    ----------
    recipe
        The recipe, in which the rating threshold is a number or ``"none"``.
    test
        The test part as published, for a split that takes it.
    dataset
        The data as read.
    read
        A given training part before the minimums took users and items away, where histories come from it.
    """

    recipe: RecipeOptions
    data: Interactions
    items: pd.DataFrame | None
    dataset: Dataset
    test: Interactions | None = None
    read: Interactions | None = None

    def split(self) -> Split:
        """Split the data; the training part carries the recipe into a fit."""
        kind = self.recipe.kind
        parts = {"test": self.test, "read": self.read} if kind.parts else {}
        split = kind.split(self.data, **parts, **self.recipe.split_options)
        origin = Origin(self.recipe.as_json(), split.fingerprint)
        return dataclasses.replace(split, train=dataclasses.replace(split.train, origin=origin))

    def restored(self, test: Holdout) -> int:
        """Return how many test users are not in the training part as filtered, but keep their histories."""
        if self.read is None:
            return 0
        return int((~test.users.isin(self.data.users) & (np.diff(test.histories.indptr) > 0)).sum())


def prepare(recipe: RecipeOptions, dataset: Dataset) -> Prepared:
    """Filter data as a recipe says."""
    parts = recipe.kind.parts
    train, test = dataset.interactions, None
    if parts:
        if dataset.given is None:
            raise RecipeError(f"{recipe.data} has no test part of its own; choose another ", Said("split_kind"))
        train, test = dataset.given
    if recipe.min_rating == AUTO:
        # A split of ratings is for predicting them: a threshold would leave none that differ.
        liked_only = not recipe.kind.rated and has_ratings(train, recipe)
        recipe = dataclasses.replace(recipe, min_rating=USUAL_RATING if liked_only else NONE)
    threshold = [] if recipe.threshold is None else [MinRating(recipe.threshold)]
    minimums = []
    if recipe.min_user_items or recipe.min_item_users:
        minimums = [MinInteractions(user=recipe.min_user_items, item=recipe.min_item_users, repeat=recipe.k_core)]
    liked = apply(train, *threshold)
    data = apply(liked, *minimums)
    test = None if test is None else apply(test, *threshold)
    read = liked if minimums and parts and recipe.whole_histories else None
    return Prepared(recipe, data, dataset.items, dataset, test, read)


def has_ratings(data: Interactions, recipe: RecipeOptions) -> bool:
    """Say whether the values tell more than that something happened; sums are counts."""
    return recipe.duplicates != "sum" and bool((data.matrix.data != 1).any())
