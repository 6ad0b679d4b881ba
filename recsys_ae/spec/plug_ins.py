"""Plug-ins: models of other installed packages, registered as entry points.

A package registers its class of hyper-parameters in its ``pyproject.toml``::

    [project.entry-points."recsys_ae.models"]
    my-model = "my_package.my_file:MySpec"
"""

import dataclasses
import inspect
import re
from typing import TYPE_CHECKING, Any

from recsys_ae.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUPS = ("recsys_ae.models", "recsys_ae.features.models")
"""Packages whose files are models, and groups of entry points of the same names."""
NAME = re.compile(r"[\w-]+")
"""Pattern of a name: one word, because it is typed as a command and written in the members of a blend."""


def plain(name: str) -> str:
    """Return a name in its saved form; ``my-model`` and ``my_model`` are the same name."""
    return name.replace("-", "_")


def registered(group: str) -> list["EntryPoint"]:
    """Return the entry points of a group in the order of the path; none is imported."""
    from importlib.metadata import entry_points  # noqa: PLC0415  takes 0.1 s, and only plug-ins need it

    return [entry for entry in entry_points(group=group) if NAME.fullmatch(entry.name)]


def package_of(entry: "EntryPoint") -> str:
    """Return the name of the installed package that registers an entry point."""
    return entry.dist.name if entry.dist is not None else entry.module.partition(".")[0]


def load(entry: "EntryPoint") -> Any:
    """Import and return the class of hyper-parameters that an entry point names; a `ConfigError` if it is none."""
    named = f"the model {entry.name!r} of the package {package_of(entry)!r}"
    try:
        cls = entry.load()
    except Exception as error:  # importing another package's module may raise anything
        raise ConfigError(f"{named} cannot be imported from {entry.value}: {error}") from error
    if not is_spec(cls):
        raise ConfigError(f"{named} is not a class of hyper-parameters: {entry.value} must be a dataclass with build()")
    return cls


def is_spec(member: Any) -> bool:
    """Return True for a class of hyper-parameters: a dataclass with ``build``."""
    return inspect.isclass(member) and dataclasses.is_dataclass(member) and hasattr(member, "build")


def entry_of(cls: type) -> "EntryPoint | None":
    """Return the entry point that names a class; only modules of its top-level package are imported."""
    root = cls.__module__.partition(".")[0]
    entries = (entry for group in GROUPS for entry in registered(group) if entry.module.partition(".")[0] == root)
    return next((entry for entry in entries if load(entry) is cls), None)


def name_of(cls: type) -> str:
    """Return a model's name: its file's in this package, its entry point's in a plug-in, else the class's name."""
    home, _, file = cls.__module__.rpartition(".")
    if home in GROUPS:
        return file
    entry = entry_of(cls)
    return cls.__name__ if entry is None else plain(entry.name)


def installed(package: str) -> bool:
    """Return True if a package is installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
