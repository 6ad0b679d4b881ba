"""Loading of named data sets from the data folder, by download, or by generation."""

from collections.abc import Callable
from pathlib import Path
from zipfile import is_zipfile

from recsys_ae.data.catalog import entry, info, names
from recsys_ae.data.dataset_info import CatalogEntry, Dataset, Info, ReadOptions, default_data_dir
from recsys_ae.data.download import fetch as download
from recsys_ae.data.interactions import Duplicates
from recsys_ae.data.readers.bounded.transfer import Progress
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
        Folder of the publishers' archives, zipped or unpacked; by default ``RECSYS_AE_DATA``, else the user's cache
        folder.
    fetch
        Download missing files.
    fold
        Published fold in ``given``: ``u1`` to ``u5``, ``ua`` or ``ub`` of ml-100k; by default ``u1``.
    cache
        As for ``read_interactions``.
    progress, announce
        As for ``recsys_ae.data.download.fetch``.

    Raises
    ------
    ConfigError
        If the name is unknown; the message suggests the nearest one.
    DataError
        If the data are missing and cannot be downloaded, or are damaged.
    """
    catalog_entry = entry(name)
    _check_fold(catalog_entry, fold)
    folder = default_data_dir() if data_dir is None else Path(data_dir)
    path = None if catalog_entry.find is None else catalog_entry.find(folder)
    if path is None and fetch and (catalog_entry.info.files or catalog_entry.info.by_hand):
        path = download(name, folder, progress=progress, announce=announce)
    if path is None and catalog_entry.find is not None:
        raise DataError(
            f"{name} is not in {folder}; expected {catalog_entry.expected}; "
            f"download it from {catalog_entry.info.page}, or set ",
            Argument("data_dir"),
            " or RECSYS_AE_DATA to the folder that has it",
        )
    if path is not None and path.suffix == ".zip" and not is_zipfile(path):
        raise DataError(f"{path} is damaged or no zip archive; delete it and download {name} again")
    return catalog_entry.read(path or folder, ReadOptions(fold, duplicates, cache))


def find(name: str, data_dir: Path | None = None) -> Path | None:
    """Return the path of a data set in the data folder, its archive or unpacked folder; None if it is not there."""
    catalog_entry = entry(name)
    folder = default_data_dir() if data_dir is None else Path(data_dir)
    return None if catalog_entry.find is None else catalog_entry.find(folder)


def _check_fold(catalog_entry: CatalogEntry, fold: str | None) -> None:
    """Raise a `ConfigError` for a fold that is not published."""
    if fold is not None and fold not in catalog_entry.folds:
        name = catalog_entry.info.name
        reason = f"{name} has no published folds to choose from"
        if catalog_entry.folds:
            reason = f"expected one of {', '.join(catalog_entry.folds)}"
        raise ConfigError(Argument("fold", fold), f": {reason}")
