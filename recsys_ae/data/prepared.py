"""Data that were read and filtered as a recipe says."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_ae.data.dataset_info import Dataset
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.origin import Origin
from recsys_ae.data.recipe_options import RecipeOptions
from recsys_ae.data.splits.holdout import Holdout, Split


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


def has_ratings(data: Interactions, recipe: RecipeOptions) -> bool:
    """Say whether the values tell more than that something happened; sums are counts."""
    return recipe.duplicates != "sum" and bool((data.matrix.data != 1).any())
