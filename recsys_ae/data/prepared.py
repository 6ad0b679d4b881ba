"""Prepared data: read and filtered by a data recipe, ready to split."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_ae.data.dataset_info import Dataset
from recsys_ae.data.id_matching import match
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.origin import Origin
from recsys_ae.data.recipe_options import RecipeOptions
from recsys_ae.data.splits.holdout import Holdout, Split


class Prepared(NamedTuple):
    """Filtered data with the recipe, item metadata, and the data that a split or an evaluation needs.

    Attributes
    ----------
    recipe
        The recipe, with its rating threshold resolved to a number or ``"none"``.
    items
        Metadata of the items, as in `Dataset`.
    test
        The published test part, for a split that takes one.
    dataset
        The unfiltered data.
    read
        A given training part before the minimum counts removed users and items, if test histories come from it.
    """

    recipe: RecipeOptions
    data: Interactions
    items: pd.DataFrame | None
    dataset: Dataset
    test: Interactions | None = None
    read: Interactions | None = None

    def split(self) -> Split:
        """Split the data; the origin of the training part holds the recipe."""
        kind = self.recipe.kind
        test_part = {"test": self.test, "read": self.read} if kind.parts else {}
        split = kind.split(self.data, **test_part, **self.recipe.split_options)
        origin = Origin(self.recipe.as_json(), split.fingerprint)
        return dataclasses.replace(split, train=dataclasses.replace(split.train, origin=origin))

    def restored(self, test: Holdout) -> int:
        """Return the number of test users who keep their histories although the filters removed them from training."""
        if self.read is None:
            return 0
        is_removed = match(self.data.users, test.users) < 0
        return int((is_removed & (np.diff(test.histories.indptr) > 0)).sum())


def has_ratings(data: Interactions, recipe: RecipeOptions) -> bool:
    """Return True if the values are ratings: they differ from 1 and are not sums of repeated pairs."""
    return recipe.duplicates != "sum" and bool((data.matrix.data != 1).any())
