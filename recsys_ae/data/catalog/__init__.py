"""Named data sets. The folder is the registry: a new file is a new data set.

A file defines ``DATASETS``, a tuple with a `CatalogEntry` for each data set in it. Nothing else has to be edited.
"""

from collections.abc import Mapping
from importlib import import_module

from recsys_ae.data.dataset_info import CatalogEntry, Info
from recsys_ae.data.registry_folder import files
from recsys_ae.errors import ConfigError
from recsys_ae.spec.hyper import nearest

FIRST = ("sample", "movielens", "gowalla", "netflix", "msd")
"""The files whose data sets are listed first, in this order; all others follow by their names."""


def entries() -> Mapping[str, CatalogEntry]:
    """Return all data sets by name."""
    modules = (import_module(f"{__name__}.{name}") for name in files(__path__, FIRST))
    return {entry.info.name: entry for module in modules for entry in module.DATASETS}


def names() -> tuple[str, ...]:
    """Return the names of all data sets."""
    return tuple(entries())


def entry(name: str) -> CatalogEntry:
    """Return a data set; an unknown name is an error that suggests the nearest."""
    known = entries()
    if name not in known:
        usual = name.lower().replace("movielens", "ml").replace("_", "-")
        raise ConfigError(f"there is no data set {name!r}{nearest(usual, known)}")
    return known[name]


def info(name: str) -> Info:
    """Return what is known about a data set without having it."""
    return entry(name).info
