"""Command-line options of a data recipe: help and types. The recipe defines their names, defaults and order."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from recsys_ae.data.recipe_options import NONE, RecipeOptions, own_options, takers
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
    "rating_column": "Column of the ratings: its name or position from 0; or `none`.  [default: recognised]",
    "timestamp_column": "Column of the timestamps: its name or position from 0; or `none`.  [default: recognised]",
    "separator": "Column separator; `tab` for a tabulator.  [default: recognised]",
    "header": "Read the first line as column names, or as data.  [default: recognised]",
    "encoding": "Character encoding of a text file.",
    "quote": "Quotation marks in a text file: `double` lets fields in them hold separators and line ends, `none` reads "
    "them as ordinary characters, `auto` decides by the separator and the first lines.",
    "decimal": "Decimal point of the numbers in a text file.",
    "comment": "Beginning of the lines of comments in a text file.  [default: # or % before the table]",
    "skip_lines": "Number of lines before the table in a text file, which are not read.",
    "missing": "Treatment of rows with a missing value (blank, NA, null, ...): stop, or skip and count them.",
    "layout": "Layout of a text file: an interaction in each row, or a user and all of their items in each line "
    "(lists). `auto` recognises lists of integers.",
    "duplicates": "Treatment of repeated pairs of user and item: keep the last, add up their ratings, or stop.",
    "where": "Condition that selects rows: `date >= 2026-01-01 and country = DE`. Files whose folders rule them out "
    "(date=2025-12-31/) are not read.",
    "data": "Name of a data set (see `recsys-ae data list`), or path of a file of interactions; also a folder or "
    "pattern ('logs/*.parquet'), an address (s3://bucket/logs), or - for standard input.",
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
    "test_data": "File of the test part; --data is then the training part. With --split none both are for training "
    "({splits}).",
    "fold": "Published fold of ml-100k ({splits}).  [default: u1]",
}
"""Help of each option; ``{splits}`` becomes the names of the splits that take it."""

RATED = "Only `none`: this model learns from all ratings with their values.  [default: none]"
"""Help of ``--min-rating`` for a model that learns from ratings."""


def data() -> Option:
    """Return the option that names the data."""
    return _option(_entry("data"))


def data_dir() -> Option:
    """Return the option for the folder of the archives."""
    return _option(_entry("data_dir"))


def columns() -> list[Option]:
    """Return the options for the format of a file of interactions."""
    return [_option(entry) for entry in options(RecipeOptions, "columns")]


def filters(*, rated: bool = False) -> list[Option]:
    """Return the options of the filters; with ``rated``, the default keeps all ratings."""
    filter_options = [_option(entry) for entry in options(RecipeOptions, "filters")]
    if rated:
        filter_options[0] = _option(dataclasses.replace(_entry("min_rating"), default=NONE), RATED)
    return filter_options


def splits(*, rated: bool = False) -> list[Option]:
    """Return the options of the splits; with ``rated``, the default splits the ratings."""
    split_kinds = [kinds.kind(name) for name in kinds.names()]
    shared = {entry.name: entry for entry in options(RecipeOptions, "split")}
    if rated:
        shared["split"] = dataclasses.replace(shared["split"], default="ratings")
    special = [_own_option(name, split) for name, split in own_options(RecipeOptions).items()]
    return [*(_option(entry, _split_help(entry, split_kinds)) for entry in shared.values()), *special]


def _entry(name: str) -> Entry:
    return next(entry for entry in options(RecipeOptions) if entry.name == name)


def _option(entry: Entry, help: str | None = None) -> Option:
    word = entry.name.replace("_", "-")
    names = [f"--{word}/--no-{word}" if entry.kind == "yes or no" else f"--{word}"]
    settings: dict[str, Any] = {"help": help or WORDS[entry.name], "section": HEADINGS[entry.section], **_type(entry)}
    if entry.default is not None or entry.kind == "yes or no":
        shown = entry.default is not None and entry.kind not in ("flag", "rating")
        settings |= {"default": entry.default, "show_default": shown}
    return Option(names, **settings)


def _own_option(name: str, split: kinds.Kind) -> Option:
    """Return an option that only one split takes."""
    default = split.defaults.get(name)
    help = f"Setting of the split {split.name} ({split.name} only).  [default: {default}]"
    return Option(
        [f"--{name.replace('_', '-')}"], type=str if default is None else type(default), section=SPLIT, help=help
    )


def _split_help(entry: Entry, split_kinds: Sequence[kinds.Kind]) -> str:
    """Return the help of an option of splits, with the names of the splits that take it."""
    if entry.kind == "split":
        return f"Data that are held out. {'; '.join(f'{split.name}: {split.summary}' for split in split_kinds)}."
    names = takers(entry)
    return WORDS[entry.name].format(splits=f"{names[0]} only" if len(names) == 1 else ", ".join(names))


def _type(entry: Entry) -> dict[str, Any]:
    """Return the settings of click for the type of an option and its placeholder in the help."""
    types: dict[str, dict[str, Any]] = {
        "data": {"metavar": "NAME|PATH"},
        "folder": {"type": FILE, "metavar": "DIR"},
        "file": {"type": FILE, "metavar": "FILE"},
        "column": {"type": Column(), "metavar": "NAME"},
        "separator": {"type": Separator()},
        "name": {"metavar": "NAME"},
        "condition": {"metavar": "CONDITION"},
        "choice": {"type": click.Choice(entry.choices)},
        "flag": {"is_flag": True},
        "yes or no": {},
        "rating": {"type": Rating()},
        "whole": {"type": Whole(entry.low or 0, entry.high)},
        "users": {"type": Users(entry.low or 0)},
        "share": {"type": Share()},
    }
    return {"type": click.Choice(kinds.names())} if entry.kind == "split" else types[entry.kind]


def load(recipe: "DataRecipe", *, cache: bool = True) -> "Dataset":
    """Read the data, download them if necessary, and print remarks; ``cache`` saves a binary copy for the next time."""
    if recipe.named:
        with counted(recipe.data) as show:
            return recipe.load(cache=cache, progress=show, announce=note)
    dataset = recipe.load(cache=cache)
    for remark in dict.fromkeys(remark for part in dataset.given or (dataset.interactions,) for remark in part.remarks):
        note(f"Note: {remark}")
    return dataset


def titles(items: "pd.DataFrame | None", ids: "Ids") -> list[str | None]:
    """Return a title or None for each id; an empty list if the data have no titles."""
    if items is None or "title" not in items:
        return []
    column = items["title"].reindex(ids)
    return [title if isinstance(title, str) else None for title in column]
