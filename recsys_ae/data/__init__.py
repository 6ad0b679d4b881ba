"""Interactions: reading files and named data sets, filters and splits."""

from typing import TYPE_CHECKING

from recsys_ae.spec.faces import lazy

if TYPE_CHECKING:
    from recsys_ae.data.dataset_info import Dataset as Dataset
    from recsys_ae.data.filters import MinInteractions as MinInteractions
    from recsys_ae.data.filters import MinRating as MinRating
    from recsys_ae.data.filters import apply as apply
    from recsys_ae.data.interactions import Interactions as Interactions
    from recsys_ae.data.named import load as load_dataset  # noqa: F401
    from recsys_ae.data.readers.read import read_interactions as read_interactions
    from recsys_ae.data.recipe import DataRecipe as DataRecipe
    from recsys_ae.data.splits.holdout import Holdout as Holdout
    from recsys_ae.data.splits.holdout import Split as Split
    from recsys_ae.data.splits.liang2018 import split_liang2018 as split_liang2018
    from recsys_ae.data.splits.split import split_given as split_given
    from recsys_ae.data.splits.split import split_interactions as split_interactions
    from recsys_ae.data.splits.split import split_last as split_last
    from recsys_ae.data.splits.split import split_ratings as split_ratings
    from recsys_ae.data.splits.split import split_time as split_time
    from recsys_ae.data.splits.split import split_users as split_users
    from recsys_ae.data.synthetic.generate import synthesize as synthesize

_SPLITS = "recsys_ae.data.splits.split"
_HOMES = {
    "DataRecipe": "recsys_ae.data.recipe",
    "Dataset": "recsys_ae.data.dataset_info",
    "Holdout": "recsys_ae.data.splits.holdout",
    "Interactions": "recsys_ae.data.interactions",
    "MinInteractions": "recsys_ae.data.filters",
    "MinRating": "recsys_ae.data.filters",
    "Split": "recsys_ae.data.splits.holdout",
    "apply": "recsys_ae.data.filters",
    "load_dataset": "recsys_ae.data.named:load",
    "read_interactions": "recsys_ae.data.readers.read",
    "split_given": _SPLITS,
    "split_interactions": _SPLITS,
    "split_last": _SPLITS,
    "split_liang2018": "recsys_ae.data.splits.liang2018",
    "split_ratings": _SPLITS,
    "split_time": _SPLITS,
    "split_users": _SPLITS,
    "synthesize": "recsys_ae.data.synthetic.generate",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy(__name__, _HOMES)
