"""Data recipes on the command line: progress while data are read, and titles of their items."""

from typing import TYPE_CHECKING

from .display import counted, note

if TYPE_CHECKING:
    import pandas as pd

    from recsys_ae.data.dataset_info import Dataset
    from recsys_ae.data.interactions import Ids
    from recsys_ae.data.recipe import DataRecipe


def load(recipe: "DataRecipe", *, cache: bool = True) -> "Dataset":
    """Read the data, and download what is not there; with ``cache`` what was read is kept for the next time."""
    if not recipe.named:
        return recipe.load(cache=cache)
    with counted(recipe.data) as show:
        return recipe.load(cache=cache, progress=show, announce=note)


def titles(items: "pd.DataFrame | None", ids: "Ids") -> list[str | None]:
    """Return a title for each id, None where there is none; nothing where none is known."""
    if items is None or "title" not in items:
        return []
    found = items["title"].reindex(ids)
    return [title if isinstance(title, str) else None for title in found]
