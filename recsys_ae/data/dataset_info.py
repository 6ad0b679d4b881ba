"""Named data sets: description, files, how they are read, and the folder for all of them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recsys_ae.data.interactions import Duplicates, Interactions


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set.

    Attributes
    ----------
    items
        What is known of the items, by item id: title as published, year (Int64), genres and, where users gave some,
        tags (tuples of text); None where nothing is known. It may list items without interactions.
    given
        A training and a test part as published, where there are such.
    """

    name: str
    interactions: Interactions
    items: pd.DataFrame | None = None
    given: tuple[Interactions, Interactions] | None = None


@dataclass(frozen=True)
class Remote:
    """A file as its publisher offers it.

    Attributes
    ----------
    path
        Where it belongs in the data folder.
    checksum
        ``"md5:…"`` or ``"sha256:…"``; None where the file changes over time and the publisher keeps its MD5 beside it,
        under the same address with ``.md5`` at the end.
    """

    url: str
    path: str
    checksum: str | None


@dataclass(frozen=True)
class Info:
    """What is known about a data set without having it.

    Attributes
    ----------
    interactions, users, items
        Counts; of items, those with interactions.
    size
        Bytes to download.
    page
        Where the publisher describes it.
    files
        What there is to download; nothing for what is generated, or can be fetched by hand only.
    by_hand
        What belongs into the data folder, where it cannot be downloaded but by hand.
    """

    name: str
    title: str
    interactions: int
    users: int
    items: int
    size: int
    licence: str
    page: str
    files: tuple[Remote, ...]
    by_hand: str = ""


@dataclass(frozen=True)
class ReadOptions:
    """How a named data set is read: which published fold, what to do with repeated pairs, with or without cache."""

    fold: str | None = None
    duplicates: Duplicates = "error"
    cache: bool = False


USUAL = ReadOptions()


@dataclass(frozen=True)
class CatalogEntry:
    """A named data set: its description, where it lies, and how it is read.

    Attributes
    ----------
    read
        Reads the data set from its place.
    find
        Returns that place in the data folder; None where the data set is not there. A data set that is generated has
        no such function.
    expected
        What has to lie in the data folder, for the message when it does not.
    folds
        The names of the published folds, where there are several to choose from.
    """

    info: Info
    read: Callable[[Path, ReadOptions], Dataset]
    find: Callable[[Path], Path | None] | None = None
    expected: str = ""
    folds: tuple[str, ...] = ()


def default_data_dir() -> Path:
    """Return the folder named by ``RECSYS_AE_DATA``, else the user's cache folder."""
    named = os.environ.get("RECSYS_AE_DATA")
    if named:
        return Path(named).expanduser()
    return user_cache_dir()


def user_cache_dir() -> Path:
    """Return the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "recsys_ae"
