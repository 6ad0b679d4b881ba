"""Options of a data recipe: help and types. Names, defaults and order are those of the recipe's own table."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from recsys_ae.data.recipe_options import NONE, RecipeOptions, own_options
from recsys_ae.data.recipe_table import Option as Entry
from recsys_ae.data.recipe_table import Section, options
from recsys_ae.data.splits import kinds

from .display import counted, note
from .framework import Option
from .param_types import FILE, Column, Rating, Separator, Share, Users, Whole

if TYPE_CHECKING:
    import pandas as pd

    from recsys_ae.data.dataset_info import Dataset
    from recsys_ae.data.interactions import Ids
    from recsys_ae.data.recipe import DataRecipe

DATA, FILTERS, SPLIT = "Data", "Filters", "Split"
HEADINGS: Mapping[Section, str] = {"place": DATA, "columns": DATA, "filters": FILTERS, "split": SPLIT}
WORDS = {
    "user_column": "Column of the user ids: its name, or its position from 0.  [default: recognised]",
    "item_column": "Column of the item ids: its name, or its position from 0.  [default: recognised]",
    "rating_column": "Column of the ratings: its name, or its position from 0.  [default: recognised]",
    "timestamp_column": "Column of the timestamps: its name, or its position from 0.  [default: recognised]",
    "separator": "Column separator; `tab` for a tabulator.  [default: recognised]",
    "header": "Read the first line as column names, or as data.  [default: recognised]",
    "encoding": "Character encoding of a text file.",
    "duplicates": "Treatment of repeated pairs of user and item: keep the last one, add up their ratings, or stop.",
    "data": "Name of a data set (see `recsys-ae data list`), or path of a file of interactions.",
    "data_dir": "Folder of the publishers' archives; downloads are saved there.  "
    "[default: $RECSYS_AE_DATA, else your cache folder]",
    "min_rating": "Lowest rating that is kept; kept ratings count as 1. `none` keeps all ratings with their values.  "
    "[default: 4 if there are ratings; none with --split ratings]",
    "min_user_items": "Minimum number of items per user; users with fewer are removed.  "
    "[default: 5; 0 with --split given]",
    "min_item_users": "Minimum number of users per item; items with fewer are removed.",
    "k_core": "Repeat both filters until nothing is removed (k-core).",
    "split_recipe": "Paper whose split is reproduced exactly ({splits}).",
    "split_seed": "Random seed of the split.",
    "valid_users": "Validation users, who select the best epoch: a number, or a share ({splits}).  [default: 0.1]",
    "test_users": "Test users, for `recsys-ae evaluate`: a number, or a share ({splits}).  [default: 0.1]",
    "valid_share": "Validation share of the interactions, which selects the best epoch ({splits}).  [default: 0.1]",
    "test_data": "File of the test part; --data is then the training part ({splits}).",
    "fold": "Published fold of ml-100k ({splits}).  [default: u1]",
}
"""The help of each option; the splits that take it are put in."""

RATED = "Only `none`: this model learns from all ratings with their values.  [default: none]"
"""The help of ``--min-rating`` for a model that learns from ratings."""


def data() -> Option:
    """Return the option that names the data."""
    return _option(_entry("data"))


def data_dir() -> Option:
    """Return the option that says where archives lie."""
    return _option(_entry("data_dir"))


def columns() -> list[Option]:
    """Return how a file of interactions is read."""
    return [_option(one) for one in options(RecipeOptions, "columns")]


def filters(*, rated: bool = False) -> list[Option]:
    """Return which interactions are kept: by a model that learns from ratings, all, or by others."""
    found = [_option(one) for one in options(RecipeOptions, "filters")]
    if rated:
        found[0] = _option(dataclasses.replace(_entry("min_rating"), default=NONE), RATED)
    return found


def splits(*, rated: bool = False) -> list[Option]:
    """Return how the data are split: for a model that learns from ratings, or for others."""
    known = [kinds.kind(name) for name in kinds.names()]
    shared = {one.name: one for one in options(RecipeOptions, "split")}
    if rated:
        shared["split"] = dataclasses.replace(shared["split"], default="ratings")
    own = [_own_option(name, split) for name, split in own_options(RecipeOptions).items()]
    return [*(_option(one, _split_help(one, known)) for one in shared.values()), *own]


def _entry(name: str) -> Entry:
    return next(one for one in options(RecipeOptions) if one.name == name)


def _option(one: Entry, help: str | None = None) -> Option:
    word = one.name.replace("_", "-")
    names = [f"--{word}/--no-{word}" if one.kind == "yes or no" else f"--{word}"]
    settings: dict[str, Any] = {"help": help or WORDS[one.name], "section": HEADINGS[one.section], **_type(one)}
    if one.default is not None or one.kind == "yes or no":
        shown = one.default is not None and one.kind not in ("flag", "rating")
        settings |= {"default": one.default, "show_default": shown}
    return Option(names, **settings)


def _own_option(name: str, split: kinds.Kind) -> Option:
    """Return an option that only one split has."""
    default = split.defaults.get(name)
    help = f"Setting of the split {split.name} ({split.name} only).  [default: {default}]"
    return Option(
        [f"--{name.replace('_', '-')}"], type=str if default is None else type(default), section=SPLIT, help=help
    )


def _split_help(one: Entry, known: Sequence[kinds.Kind]) -> str:
    """Return the help of an option of splits, with those that take it."""
    if one.kind == "split":
        return f"Data that are held out. {'; '.join(f'{split.name}: {split.summary}' for split in known)}."
    takers = [split.name for split in known if one.name in split.options or (split.parts and one.of_parts)]
    return WORDS[one.name].format(splits=f"{takers[0]} only" if len(takers) == 1 else ", ".join(takers))


def _type(one: Entry) -> dict[str, Any]:
    """Return the type of an option on the command line, and what stands for its value in the help."""
    known: dict[str, dict[str, Any]] = {
        "data": {"metavar": "NAME|PATH"},
        "folder": {"type": FILE, "metavar": "DIR"},
        "file": {"type": FILE, "metavar": "FILE"},
        "column": {"type": Column(), "metavar": "NAME"},
        "separator": {"type": Separator()},
        "name": {"metavar": "NAME"},
        "choice": {"type": click.Choice(one.choices)},
        "flag": {"is_flag": True},
        "yes or no": {},
        "rating": {"type": Rating()},
        "whole": {"type": Whole(one.low or 0, one.high)},
        "users": {"type": Users(one.low or 0)},
        "share": {"type": Share()},
    }
    return {"type": click.Choice(kinds.names())} if one.kind == "split" else known[one.kind]


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
