"""Data recipes and splits of saved models."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_ae.errors import ArtefactError, DataError, RecsysError

from .data_options import DATA
from .framework import Option
from .param_types import FILE

if TYPE_CHECKING:
    from recsys_ae.data.prepared import Prepared
    from recsys_ae.data.reading import Reading
    from recsys_ae.data.recipe import DataRecipe
    from recsys_ae.data.splits.split import Split
    from recsys_ae.features.encoder import FeatureEncoder
    from recsys_ae.recommender.recommender import Recommender


def moved() -> tuple[Option, Option]:
    """Return the options for the present places of the data of the fit."""
    data = (
        "Path of the data file of the fit, or name of its data set: if the file has moved, or you have not saved the "
        "model yourself.  [default: that of the fit]"
    )
    test = "Path of the test part of the fit (--split given), in the same cases.  [default: its path in the fit]"
    return (
        Option(["--data"], type=FILE, metavar="NAME|PATH", section=DATA, help=data),
        Option(["--test-data"], type=FILE, metavar="FILE", section=DATA, help=test),
    )


def recipe_of(model: "Recommender", folder: Path, settings: Mapping[str, Any]) -> "DataRecipe":
    """Return the data recipe of the fit with the places of the data that the options name.

    The data of a model that this user has not saved are read only if the options name them.
    """
    try:
        recipe = model.recipe
    except RecsysError as error:
        why = f"{folder} has no data recipe, because it was not saved by this version of `recsys-ae fit`"
        raise ArtefactError(f"{why}; fit the model again") from error
    return recipe.at(settings["data"], settings["data_dir"], settings["test_data"])


def titles_of(model: "Recommender") -> "Sequence[str | None]":
    """Return the titles of the items, which are saved with the model; an empty list if there are none."""
    titles = model.notes.get("titles")
    if not isinstance(titles, list) or len(titles) != len(model.items):
        return []
    return titles if all(isinstance(title, str | None) for title in titles) else []


def sizes_of(model: "FeatureEncoder") -> dict[str, int]:
    """Return the sizes of images and of histories in the fit of an encoder, where they are sides of its rows."""
    options = model.notes.get("source")
    if not isinstance(options, dict):
        return {}
    return {name: size for name, size in options.items() if type(size) is int and size in model.form}


def reading_of(model: "Recommender") -> "Reading":
    """Return the options that the data of the fit were read with; the defaults if they are not saved."""
    from recsys_ae.data.reading import Reading  # noqa: PLC0415

    try:
        return model.recipe
    except RecsysError:
        return Reading()


def threshold_of(model: "Recommender") -> float | None:
    """Return the lowest rating that the fit kept; None if there was no threshold, or none is saved."""
    try:
        return model.recipe.threshold
    except RecsysError:
        return None


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
    if split.fingerprint != fingerprint_of(model):
        raise DataError(
            f"the split of {recipe.data} is {split.fingerprint}, but {folder} was fitted on "
            f"{fingerprint_of(model)}: the data have changed since; fit the model again, or restore the data"
        )
    return prepared, split


def fingerprint_of(model: "Recommender") -> str | None:
    """Return the fingerprint of the split of the fit; None if none is saved."""
    fingerprint = model.notes.get("fingerprint")
    return fingerprint if isinstance(fingerprint, str) else None


def refuse_other_splits(fingerprints: Mapping[Path, str | None]) -> None:
    """Raise an error if saved models were fitted on different splits; ``fingerprints`` has that of each folder."""
    (first, expected), *others = fingerprints.items()
    for folder, fingerprint in others:
        if fingerprint != expected:
            raise DataError(
                f"{folder} was fitted on the split {fingerprint}, but {first} on {expected}; "
                "fit both with the same data, filters and split"
            )
