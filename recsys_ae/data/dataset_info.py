"""Descriptions of named data sets: counts, licence, files and reader; the data folder."""

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
        Metadata of the items by item id: published title, year (Int64), genres and, if users gave any, tags (tuples of
        text). None without metadata. It may list items without interactions.
    given
        The published training and test part, if there are any.
    """

    name: str
    interactions: Interactions
    items: pd.DataFrame | None = None
    given: tuple[Interactions, Interactions] | None = None


@dataclass(frozen=True)
class Remote:
    """A file that a publisher offers for download.

    Attributes
    ----------
    path
        Path within the data folder.
    checksum
        ``"md5:…"`` or ``"sha256:…"``. None for a file that changes over time; its publisher keeps the MD5 at the same
        address with ``.md5`` appended.
    """

    url: str
    path: str
    checksum: str | None


@dataclass(frozen=True)
class Info:
    """Description of a data set, available without its files.

    Attributes
    ----------
    interactions, users, items
        Counts; items without interactions are not counted.
    size
        Bytes to download.
    page
        Address of the publisher's description.
    files
        Files to download; none for a data set that is generated or must be downloaded by hand.
    by_hand
        Files that must be put into the data folder by hand.
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
    """Options for reading a named data set: published fold, treatment of repeated pairs, cache."""

    fold: str | None = None
    duplicates: Duplicates = "error"
    cache: bool = False


USUAL = ReadOptions()


@dataclass(frozen=True)
class CatalogEntry:
    """A named data set: its description and the functions that find and read its files.

    Attributes
    ----------
    read
        Function that reads the data set from the path that ``find`` returned.
    find
        Function that returns the path in a data folder, or None if the data set is not there. None for a generated
        data set.
    expected
        Files that the data folder must contain, for the error message if they are missing.
    folds
        Names of the published folds, if there are several to choose from.
    """

    info: Info
    read: Callable[[Path, ReadOptions], Dataset]
    find: Callable[[Path], Path | None] | None = None
    expected: str = ""
    folds: tuple[str, ...] = ()


def default_data_dir() -> Path:
    """Return the folder that ``RECSYS_AE_DATA`` names, or the user's cache folder if it is not set."""
    folder = os.environ.get("RECSYS_AE_DATA")
    if folder:
        return Path(folder).expanduser()
    return user_cache_dir()


def user_cache_dir() -> Path:
    """Return the user's cache folder; a user without a home folder has one in the working directory."""
    cache = os.environ.get("XDG_CACHE_HOME")
    if cache:
        return Path(cache) / "recsys_ae"
    try:
        home = Path.home()
    except RuntimeError:  # neither HOME nor an entry among the users, as in a container
        home = Path.cwd()
    return home / ".cache" / "recsys_ae"
