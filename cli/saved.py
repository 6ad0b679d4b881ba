"""Data recipes and splits of saved models."""

from pathlib import Path
from typing import TYPE_CHECKING

from recsys_ae.errors import ArtefactError, DataError, RecsysError

from .data_options import DATA
from .framework import Option
from .param_types import FILE

if TYPE_CHECKING:
    from recsys_ae.data.prepared import Prepared
    from recsys_ae.data.reading import Reading
    from recsys_ae.data.recipe import DataRecipe
    from recsys_ae.data.splits.split import Split
    from recsys_ae.recommender.recommender import Recommender


def moved() -> Option:
    """Return the option for the new path of a data file."""
    help = "Path of the data file of the fit, if it has moved.  [default: its path in the fit]"
    return Option(["--data"], type=FILE, metavar="PATH", section=DATA, help=help)


def recipe_of(model: "Recommender", folder: Path, data: Path | None, data_dir: Path | None) -> "DataRecipe":
    """Return the data recipe of the fit with the present paths of the data."""
    try:
        return model.recipe.at(data, data_dir)
    except RecsysError as error:
        why = f"{folder} has no data recipe, because it was not saved by this version of `recsys-ae fit`"
        raise ArtefactError(f"{why}; fit the model again") from error


def reading_of(model: "Recommender") -> "Reading":
    """Return the options that the data of the fit were read with; the defaults if they are not saved."""
    from recsys_ae.data.reading import Reading  # noqa: PLC0415

    try:
        return model.recipe
    except RecsysError:
        return Reading()


def threshold_of(model: "Recommender") -> float | None:
    """Return the lowest rating that the fit kept; None if there was no threshold, or none is saved."""
    threshold = model.notes.get("source", {}).get("min_rating")
    return threshold if isinstance(threshold, (int, float)) else None


def refuse_rankers(model: "Recommender") -> None:
    """Predict one rating, so that a model that predicts none raises its error before any data are read."""
    import numpy as np  # noqa: PLC0415
    from scipy.sparse import csr_matrix  # noqa: PLC0415

    index = np.zeros(1, np.int64)
    model.predict(csr_matrix(np.zeros((1, len(model.items)), np.float32)), (index, index))


def divided(model: "Recommender", folder: Path, recipe: "DataRecipe", *, cache: bool) -> tuple["Prepared", "Split"]:
    """Read, filter and split the data as in the fit; raise an error if the split differs."""
    from .data_options import load  # noqa: PLC0415

    prepared = recipe.read(load(recipe, cache=cache))
    split = prepared.split()
    if split.fingerprint != model.notes["fingerprint"]:
        raise DataError(
            f"the split of {recipe.data} is {split.fingerprint}, but {folder} was fitted on "
            f"{model.notes['fingerprint']}: the data have changed since; fit the model again, or restore the data"
        )
    return prepared, split
