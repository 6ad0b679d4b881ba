"""Named data sets: read from the data folder, else downloaded from their publisher, or generated."""

from collections.abc import Callable
from pathlib import Path
from zipfile import is_zipfile

from recsys_ae.data.catalog import entry, info, names
from recsys_ae.data.dataset_info import CatalogEntry, Dataset, Info, ReadOptions, default_data_dir
from recsys_ae.data.download import Progress
from recsys_ae.data.download import fetch as download
from recsys_ae.data.interactions import Duplicates
from recsys_ae.errors import Argument, ConfigError, DataError

__all__ = ["Dataset", "Info", "default_data_dir", "find", "info", "load", "names"]


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
    known = entry(name)
    _check_fold(known, fold)
    folder = default_data_dir() if data_dir is None else Path(data_dir)
    place = None if known.find is None else known.find(folder)
    if place is None and fetch and (known.info.files or known.info.by_hand):
        place = download(name, folder, progress=progress, announce=announce)
    if place is None and known.find is not None:
        raise DataError(
            f"{name} is not in {folder}; expected {known.expected}; download it from {known.info.page}, or set ",
            Argument("data_dir"),
            " or RECSYS_AE_DATA to the folder that has it",
        )
    if place is not None and place.suffix == ".zip" and not is_zipfile(place):
        raise DataError(f"{place} is damaged or no zip archive; delete it and download {name} again")
    return known.read(place or folder, ReadOptions(fold, duplicates, cache))


def find(name: str, data_dir: Path | None = None) -> Path | None:
    """Return where a data set lies in the data folder, its archive or its unpacked folder; None where it is not."""
    known = entry(name)
    folder = default_data_dir() if data_dir is None else Path(data_dir)
    return None if known.find is None else known.find(folder)


def _check_fold(known: CatalogEntry, fold: str | None) -> None:
    """Refuse a fold that is not among the published ones."""
    if fold is not None and fold not in known.folds:
        name = known.info.name
        why = f"{name} has no published folds to choose from"
        if known.folds:
            why = f"expected one of {', '.join(known.folds)}"
        raise ConfigError(Argument("fold", fold), f": {why}")
