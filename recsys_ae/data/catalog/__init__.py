"""Named data sets. The folder is the registry: a new file is a new data set.

A file defines ``DATASETS``, a tuple with a `CatalogEntry` for each data set. Nothing else has to be edited.
"""

from collections.abc import Mapping
from importlib import import_module

from recsys_ae.data.dataset_info import CatalogEntry, Info
from recsys_ae.data.registry_folder import files
from recsys_ae.errors import ConfigError
from recsys_ae.spec.hyper import nearest

FIRST = ("sample", "movielens", "gowalla", "netflix", "msd")
"""Files whose data sets are listed first, in this order; the others follow by name."""


def entries() -> Mapping[str, CatalogEntry]:
    """Return all data sets by name."""
    modules = (import_module(f"{__name__}.{name}") for name in files(__path__, FIRST))
    return {entry.info.name: entry for module in modules for entry in module.DATASETS}


def names() -> tuple[str, ...]:
    """Return the names of all data sets."""
    return tuple(entries())


def entry(name: str) -> CatalogEntry:
    """Return the entry of a data set; the error for an unknown name suggests the nearest one."""
    catalog = entries()
    if name not in catalog:
        usual = name.lower().replace("movielens", "ml").replace("_", "-")
        raise ConfigError(f"there is no data set {name!r}{nearest(usual, catalog)}")
    return catalog[name]


def info(name: str) -> Info:
    """Return the description of a data set, which needs no files."""
    return entry(name).info
