"""Named data sets: read from the data folder, else downloaded from their publisher, or generated."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zipfile import is_zipfile

from recsys_ae.data.catalog import gowalla, movielens, msd, netflix
from recsys_ae.data.dataset_info import Dataset, Info, default_data_dir, info, names
from recsys_ae.data.download import Progress
from recsys_ae.data.download import fetch as download
from recsys_ae.data.interactions import Duplicates, Interactions
from recsys_ae.data.synthetic.generate import synthesize
from recsys_ae.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dataset", "Info", "default_data_dir", "find", "info", "load", "names"]

# The folder in an archive is called like the archive, but for this.
UNPACKED = {"ml-10m": "ml-10M100K"}


class Form(Protocol):
    """A module that reads a form in which only one data set comes."""

    def find(self, folder: Path) -> Path | None:
        """Return where in its own folder the data set lies."""

    def read(
        self, place: Path, duplicates: Duplicates = "error", *, cache: bool = False
    ) -> "tuple[Interactions, pd.DataFrame | None]":
        """Read the interactions, and what is known of the items."""


FORMS: Mapping[str, Form] = {"netflix": netflix, "msd": msd}


def load(
    name: str,
    *,
    data_dir: Path | None = None,
    fetch: bool = True,
    fold: str | None = None,
    duplicates: Duplicates = "error",
    cache: bool = False,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> Dataset:
    """Read a named data set.

    Parameters
    ----------
    data_dir
        The folder with the official archives, zipped or unpacked; the default is ``RECSYS_AE_DATA``, else the user's
        cache folder.
    fetch
        Download what is not there.
    fold
        Which published fold ``given`` holds: ``u1`` to ``u5``, ``ua`` or ``ub`` of ml-100k, by default ``u1``.
    cache
        As for ``read_interactions``.
    progress, announce
        As for ``recsys_ae.data.download.fetch``.

    Raises
    ------
    ConfigError
        For an unknown name, with the nearest one.
    DataError
        Where the data are not there and cannot be fetched, or are damaged.
    """
    about = info(name)
    movielens.check_fold(name, fold)
    if name == "sample":
        return synthesize()
    folder = default_data_dir() if data_dir is None else Path(data_dir)
    place = find(name, folder)
    if place is None and fetch:
        place = download(name, folder, progress=progress, announce=announce)
    if place is None:
        raise DataError(
            f"{name} is not in {folder}; expected {_expected(name)} there, from {about.page}: "
            f"fetch it, or name its folder with --data-dir or RECSYS_AE_DATA"
        )
    if place.suffix == ".zip" and not is_zipfile(place):
        raise DataError(f"{place} is damaged or no zip archive; delete it and fetch {name} again")
    if name == "gowalla":
        interactions, given = gowalla.read_parts(place, duplicates)
        return Dataset(name, interactions, given=given)
    if name in FORMS:
        return Dataset(name, *FORMS[name].read(place, duplicates, cache=cache))
    return Dataset(
        name,
        movielens.read_ratings(name, place, duplicates, cache=cache),
        movielens.read_items(name, place),
        movielens.read_fold(place, fold or movielens.FOLDS[0], duplicates) if name == "ml-100k" else None,
    )


def find(name: str, data_dir: Path | None = None) -> Path | None:
    """Return where a data set lies in the data folder, its archive or its unpacked folder; None where it is not."""
    about = info(name)
    folder = default_data_dir() if data_dir is None else Path(data_dir)
    if name in FORMS:
        return FORMS[name].find(folder / name)
    if not about.files:
        return None
    if name == "gowalla":
        place = folder / name
        there = all(gowalla.file_of(place, file).is_file() for file in gowalla.FILES)
        return place if there else None
    archive = folder / f"{name}.zip"
    if archive.is_file():
        return archive
    inner = UNPACKED.get(name, name)
    for place in (folder / name, folder / inner, folder / name / inner):
        if (place / movielens.ratings_file(name)).is_file():
            return place
    return None


def _expected(name: str) -> str:
    if name == "gowalla":
        return "gowalla/train.txt and gowalla/test.txt, plain or gzipped,"
    return info(name).by_hand or f"{name}.zip, or {name}/ with {movielens.ratings_file(name)},"
