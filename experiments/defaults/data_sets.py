"""Data sets of this experiment: five that differ, and three that are thinned, each with the split of its users."""

from pathlib import Path

import numpy as np

from recsys_ae.data.filters import MinInteractions, apply
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.recipe import DataRecipe
from recsys_ae.data.splits.split import Split, split_ratings, split_users

SEED = 20
"""Seed of the users and interactions that are drawn, and of the split."""
VALID, TEST = 0.2, 0.1
"""Shares of the users who are held out; of ratings the second share for both."""
LEAST = MinInteractions(user=5, item=5, repeat=True)
"""Filter of the data sets that are drawn from others."""
PLAIN = ("sample", "ml-100k", "ml-latest-small", "ml-1m")
DRAWN = {
    "gowalla-3000": ("gowalla", 3000, 1.0),
    "gowalla-1500": ("gowalla", 1500, 1.0),
    "ml-1m-1500": ("ml-1m", 1500, 1.0),
    "ml-1m-thin": ("ml-1m", None, 0.2),
}
"""Source, number of users that are drawn, and share of their interactions that is drawn."""
NAMES = (*PLAIN, *DRAWN)
RATED = tuple(name for name in NAMES if not name.startswith("gowalla"))
"""Data sets with ratings."""


def split_of(name: str, data_dir: Path | None = None, *, rated: bool = False) -> Split:
    """Return the split of a data set: of the users, or of all ratings if ``rated``."""
    data = _data(name, data_dir, rated=rated) if name in PLAIN else _drawn(name, data_dir, rated=rated)
    if rated:
        return split_ratings(data, valid=TEST, test=TEST, seed=SEED)
    return split_users(data, n_valid=VALID, n_test=TEST, seed=SEED)


def _data(name: str, data_dir: Path | None, *, rated: bool) -> Interactions:
    if rated:
        return DataRecipe(data=name, data_dir=data_dir, min_rating="none", min_user_items=0).read().data
    return DataRecipe(data=name, data_dir=data_dir).read().data


def _drawn(name: str, data_dir: Path | None, *, rated: bool) -> Interactions:
    source, n_users, share = DRAWN[name]
    if source == "gowalla":
        data = DataRecipe(data=source, data_dir=data_dir, min_rating="none", min_user_items=0).read().data
    else:
        data = _data(source, data_dir, rated=rated)
    generator = np.random.default_rng(SEED)
    if n_users is not None:
        data = data.select_users(np.sort(generator.permutation(data.shape[0])[:n_users]))
    if share < 1:
        data = data.take(generator.random(data.nnz) < share)
    return apply(data, LEAST)
