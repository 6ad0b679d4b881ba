"""Data recipes in the words of the command line, with progress shown."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from recsys_ae.data.recipe import DataRecipe
from recsys_ae.data.recipe_table import RecipeError, Said, UnknownDataError, options

from .display import counted, note
from .framework import suggestion

if TYPE_CHECKING:
    import pandas as pd

    from recsys_ae.data.dataset_info import Dataset
    from recsys_ae.data.interactions import Ids
    from recsys_ae.data.prepared import Prepared


def from_options(given: Mapping[str, Any]) -> DataRecipe:
    """Take the options that are about data; those that do not go together are wrong usage."""
    try:
        return DataRecipe.from_options(given)
    except UnknownDataError as error:
        near = suggestion(error.data, error.known)
        raise click.UsageError(f"--data: there is no data set and no file {error.data!r}{near}") from error
    except RecipeError as error:
        raise click.UsageError(error.worded(_typed)) from error


def load(recipe: DataRecipe, *, cache: bool = True) -> "Dataset":
    """Read the data, and download what is not there; with ``cache`` what was read is kept for the next time."""
    if not recipe.named:
        return recipe.load(cache=cache)
    with counted(recipe.data) as show:
        return recipe.load(cache=cache, progress=show, announce=note)


def prepare(recipe: DataRecipe, dataset: "Dataset | None" = None, *, cache: bool = True) -> "Prepared":
    """Read, unless that is done, and filter."""
    try:
        return recipe.read(dataset or load(recipe, cache=cache))
    except RecipeError as error:
        raise click.UsageError(error.worded(_typed)) from error


def titles(items: "pd.DataFrame | None", ids: "Ids") -> list[str | None]:
    """Return a title for each id, None where there is none; nothing where none is known."""
    if items is None or "title" not in items:
        return []
    found = items["title"].reindex(ids)
    return [title if isinstance(title, str) else None for title in found]


def _typed(said: Said) -> str:
    """Return an option of a message as it is typed."""
    name = {one.field: one.name for one in options(DataRecipe)}.get(said.field, said.field)
    return " ".join([f"--{name.replace('_', '-')}", *([said.value] if said.value else [])])
