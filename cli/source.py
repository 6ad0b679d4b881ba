"""Where data come from and how they are filtered and divided: written beside a model, and done again from there."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from .display import counted, note
from .framework import suggestion
from .param_types import AUTO, NONE

if TYPE_CHECKING:
    import pandas as pd

    from recsys_ae.data.dataset_info import Dataset
    from recsys_ae.data.interactions import Ids, Interactions
    from recsys_ae.data.splits.split import Holdout, Split

USUAL_RATING = 4.0
USUAL_ITEMS = 5
USUAL_SHARE = 0.1
SAMPLE = "sample"
SHARED = ("weak", "time", "ratings", "given")
"""Splits of which a share of the interactions is the validation part."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a file of interactions is read."""

    user_column: str | int | None = None
    item_column: str | int | None = None
    rating_column: str | int | None = None
    timestamp_column: str | int | None = None
    separator: str | None = None
    header: bool | None = None
    encoding: str = "utf-8"
    duplicates: Literal["last", "sum", "error"] = "last"

    def read(self, path: Path, *, cache: bool) -> "Interactions":
        """Read a file."""
        from recsys_ae.data.readers.read import read_interactions  # noqa: PLC0415

        return read_interactions(
            path,
            user=self.user_column,
            item=self.item_column,
            rating=self.rating_column,
            timestamp=self.timestamp_column,
            separator=self.separator,
            header=self.header,
            encoding=self.encoding,
            duplicates=self.duplicates,
            cache=cache,
        )


@dataclass(frozen=True, kw_only=True)
class Source(Reading):
    """All options that say which interactions a model learns from and is judged on, under their own names."""

    data: str = SAMPLE
    data_dir: str | None = None
    min_rating: float | str = AUTO
    min_user_items: int = USUAL_ITEMS
    min_item_users: int = 0
    k_core: bool = False
    split: str = "strong"
    split_recipe: Literal["liang2018"] | None = None
    split_seed: int = 98765
    valid_users: int | float | None = None
    test_users: int | float | None = None
    valid_share: float | None = None
    test_data: str | None = None
    fold: str | None = None
    whole_histories: bool = False
    """Whether test users that ``min_user_items`` or ``min_item_users`` takes from a given training part keep their
    histories. Models that were saved before this was so do not say it, and are evaluated as they were then."""

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Source":
        """Take the options that are about data, with full paths, and refuse those that do not go together."""
        known = {field.name: options[field.name] for field in dataclasses.fields(cls) if field.name in options}
        for name in ("data_dir", "test_data"):
            known[name] = str(known[name].absolute()) if known.get(name) is not None else None
        given = options.get("split") == "given"
        if known.get("min_user_items") is None:
            known["min_user_items"] = 0 if given else USUAL_ITEMS
        source = cls(**{**known, "whole_histories": given})
        if not source.named:
            source = dataclasses.replace(source, data=str(_file(source.data)))
        source._refuse_misfits()
        return source

    @property
    def named(self) -> bool:
        """Whether the data are a known data set, not a file."""
        from recsys_ae.data import named  # noqa: PLC0415

        return self.data in named.names()

    @property
    def title(self) -> str:
        """A short name of the data."""
        return self.data if self.named else Path(self.data).name.partition(".")[0]

    @property
    def threshold(self) -> float | None:
        """The lowest rating that counts, once it is resolved."""
        return float(self.min_rating) if not isinstance(self.min_rating, str) else None

    def _refuse_misfits(self) -> None:
        only = {"split_recipe": "strong", "valid_users": "strong", "test_users": "strong"}
        only |= {"test_data": "given", "fold": "given"}
        for name, split in only.items():
            if getattr(self, name) is not None and self.split != split:
                raise click.UsageError(f"--{name.replace('_', '-')} goes with --split {split}, not {self.split}")
        if self.valid_share is not None and self.split not in SHARED:
            raise click.UsageError(f"--valid-share goes with --split {', '.join(SHARED)}, not {self.split}")
        if self.named:
            for field in dataclasses.fields(Reading):
                if getattr(self, field.name) != field.default and field.name != "duplicates":
                    raise click.UsageError(
                        f"--{field.name.replace('_', '-')} is about files; {self.data} has its own form"
                    )
            if self.test_data is not None:
                raise click.UsageError(f"--test-data is about files; {self.data} has its own parts, or none")
        if self.fold is not None and self.data != "ml-100k":
            raise click.UsageError(f"--fold is about the published folds of ml-100k, not about {self.title}")
        if self.split == "given" and self.test_data is None and not self.named:
            raise click.UsageError("--split given needs the test part: --test-data FILE")


class Prepared(NamedTuple):
    """Filtered data, what is known of their items, and what else a split or an evaluation needs."""

    source: Source
    data: "Interactions"
    items: "pd.DataFrame | None"
    given: "Interactions | None" = None
    sample: "Dataset | None" = None
    read: "Interactions | None" = None
    """A given training part before the minimums took users and items away, where histories come from it."""

    def restored(self, test: "Holdout") -> int:
        """Return how many test users are not in the training part as filtered, but keep their histories."""
        import numpy as np  # noqa: PLC0415

        if self.read is None:
            return 0
        return int((~test.users.isin(self.data.users) & (np.diff(test.histories.indptr) > 0)).sum())

    def divide(self) -> "Split":
        """Divide the data as the source says."""
        from recsys_ae.data.splits import split as splitting  # noqa: PLC0415

        source, data, seed = self.source, self.data, self.source.split_seed
        share = USUAL_SHARE if source.valid_share is None else source.valid_share
        if source.split == "given":
            if self.given is None:
                raise click.UsageError(f"{source.data} has no test part of its own; choose another --split")
            return splitting.split_given(data, self.given, valid=share, seed=seed, read=self.read)
        plain: Mapping[str, Callable[[], Split]] = {
            "weak": lambda: splitting.split_interactions(data, valid=share, seed=seed),
            "leave-last": lambda: splitting.split_last(data),
            "time": lambda: splitting.split_time(data, valid=share),
            "ratings": lambda: splitting.split_ratings(data, valid=share, seed=seed),
            "none": lambda: splitting.Split.of(data, None, None),
        }
        if source.split in plain:
            return plain[source.split]()
        return splitting.split_users(
            data,
            n_valid=USUAL_SHARE if source.valid_users is None else source.valid_users,
            n_test=USUAL_SHARE if source.test_users is None else source.test_users,
            seed=seed,
            recipe=source.split_recipe,
        )


def prepare(source: Source, dataset: "Dataset | None" = None, *, cache: bool = True) -> Prepared:
    """Read, unless that is done, and filter; an automatic rating threshold is a number or ``none`` afterwards."""
    from recsys_ae.data.filters import MinInteractions, MinRating, apply  # noqa: PLC0415

    dataset = dataset or load(source, cache=cache)
    train, test = dataset.interactions, None
    if source.split == "given":
        train, test = dataset.given or (train, None)
    if source.min_rating == AUTO:
        # What divides ratings is for predicting them: a threshold would leave none that differ.
        divided = source.split != "ratings" and has_ratings(train, source)
        source = dataclasses.replace(source, min_rating=USUAL_RATING if divided else NONE)
    threshold = [] if source.threshold is None else [MinRating(source.threshold)]
    least = []
    if source.min_user_items or source.min_item_users:
        least = [MinInteractions(user=source.min_user_items, item=source.min_item_users, repeat=source.k_core)]
    liked = apply(train, *threshold)
    data = apply(liked, *least)
    test = None if test is None else apply(test, *threshold)
    read = liked if least and source.split == "given" and source.whole_histories else None
    return Prepared(source, data, dataset.items, test, dataset if source.data == SAMPLE else None, read)


def titles(items: "pd.DataFrame | None", ids: "Ids") -> list[str | None]:
    """Return a title for each id, None where there is none; nothing where none is known."""
    if items is None or "title" not in items:
        return []
    found = items["title"].reindex(ids)
    return [title if isinstance(title, str) else None for title in found]


def load(source: Source, *, cache: bool = True) -> "Dataset":
    """Read the data, and download what is not there; with ``cache`` what was read is kept for the next time."""
    from recsys_ae.data import named  # noqa: PLC0415
    from recsys_ae.data.dataset_info import Dataset  # noqa: PLC0415

    if source.named:
        folder = None if source.data_dir is None else Path(source.data_dir)
        with counted(source.data) as show:
            return named.load(
                source.data,
                data_dir=folder,
                fold=source.fold,
                duplicates=source.duplicates,
                cache=cache,
                progress=show,
                announce=note,
            )
    train = source.read(Path(source.data), cache=cache)
    given = None if source.test_data is None else (train, source.read(Path(source.test_data), cache=cache))
    return Dataset(source.title, train, given=given)


def has_ratings(data: "Interactions", source: Source) -> bool:
    """Say whether the values tell more than that something happened; sums are counts."""
    return source.duplicates != "sum" and bool((data.matrix.data != 1).any())


def _file(path: str) -> Path:
    """Return the full path of a file; a word that is neither file nor data set is a mistyped name."""
    from recsys_ae.data import named  # noqa: PLC0415

    if not Path(path).exists() and not {"/", "\\", "."} & set(path):
        raise click.UsageError(f"--data: there is no data set and no file {path!r}{suggestion(path, named.names())}")
    return Path(path).absolute()
