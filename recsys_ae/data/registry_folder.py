"""Folders that are registries: their files, in a fixed order, without importing one."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from pkgutil import iter_modules


def files(folders: Iterable[str], first: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the files: those of ``first`` in that order, then the others by name.

    A name that begins with ``_`` is no entry. ``folders`` is the ``__path__`` of a package.
    """
    found = {file.name for file in iter_modules(list(folders)) if not file.name.startswith("_")}
    return (*(name for name in first if name in found), *sorted(found - set(first)))


def source(folders: Iterable[str], name: str) -> str:
    """Return the text of a file."""
    places = (Path(folder) / f"{name}.py" for folder in folders)
    return next(place for place in places if place.is_file()).read_text(encoding="utf-8")
