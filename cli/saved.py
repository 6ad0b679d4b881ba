"""Models that `fit` has saved, and the data and split behind them."""

from pathlib import Path
from typing import TYPE_CHECKING

from recsys_ae.errors import ArtefactError, DataError, RecsysError

from .data_options import DATA
from .framework import Option
from .param_types import FILE

if TYPE_CHECKING:
    from recsys_ae.data.prepared import Prepared
    from recsys_ae.data.recipe import DataRecipe
    from recsys_ae.data.splits.split import Split
    from recsys_ae.recommender.recommender import Recommender


def moved() -> Option:
    """Return the option that says where a file of data is now."""
    help = "Path of the data file of the fit, if it has moved.  [default: its path in the fit]"
    return Option(["--data"], type=FILE, metavar="PATH", section=DATA, help=help)


def recipe_of(model: "Recommender", folder: Path, data: Path | None, data_dir: Path | None) -> "DataRecipe":
    """Return the data recipe of the fit, for the places that the data are at now."""
    try:
        return model.recipe.at(data, data_dir)
    except RecsysError as error:
        why = f"{folder} has no data recipe, because it was not saved by this version of `recsys-ae fit`"
        raise ArtefactError(f"{why}; fit the model again") from error


def threshold_of(model: "Recommender") -> float | None:
    """Return the lowest rating that counted in the fit, if that is known."""
    threshold = model.notes.get("source", {}).get("min_rating")
    return threshold if isinstance(threshold, (int, float)) else None


def refuse_rankers(model: "Recommender") -> None:
    """Let a model that predicts no ratings say so before any data are read: it is asked for a first one."""
    import numpy as np  # noqa: PLC0415
    from scipy.sparse import csr_matrix  # noqa: PLC0415

    first = np.zeros(1, np.int64)
    model.predict(csr_matrix(np.zeros((1, len(model.items)), np.float32)), (first, first))


def divided(model: "Recommender", folder: Path, recipe: "DataRecipe", *, cache: bool) -> tuple["Prepared", "Split"]:
    """Do again what `fit` did with the data, and refuse another outcome."""
    from .data_options import load  # noqa: PLC0415

    prepared = recipe.read(load(recipe, cache=cache))
    split = prepared.split()
    if split.fingerprint != model.notes["fingerprint"]:
        raise DataError(
            f"the split of {recipe.data} is {split.fingerprint}, but {folder} was fitted on "
            f"{model.notes['fingerprint']}: the data have changed since; fit the model again, or restore the data"
        )
    return prepared, split
