"""Registry folders: names and texts of their files, in a fixed order, without imports."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from pkgutil import iter_modules


def files(folders: Iterable[str], first: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the files: those in ``first`` in that order, then the others by name.

    Files whose names begin with ``_`` are skipped. ``folders`` is the ``__path__`` of a package.
    """
    names = {file.name for file in iter_modules(list(folders)) if not file.name.startswith("_")}
    return (*(name for name in first if name in names), *sorted(names - set(first)))


def source(folders: Iterable[str], name: str) -> str:
    """Return the source text of the file with this name."""
    paths = (Path(folder) / f"{name}.py" for folder in folders)
    return next(path for path in paths if path.is_file()).read_text(encoding="utf-8")
