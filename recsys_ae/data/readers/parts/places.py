"""Parts of a table: the files of a folder or of a pattern, on this machine or where Arrow's file systems reach."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from recsys_ae.data.parsing import listing
from recsys_ae.data.readers.archives import COMPRESSED, NOT_DATA, Source, locate, member_or_all
from recsys_ae.data.readers.parts.addresses import REMOTE, STANDARD_INPUT, address_of
from recsys_ae.data.readers.table import arrow
from recsys_ae.errors import DataError, MissingPackageError

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
TABLES = {"_delta_log": "a Delta table", ".hoodie": "a Hudi table"}
"""Folders that show that some files of a folder are no longer part of its table."""


@dataclass(frozen=True)
class Part:
    """A file of a table.

    Attributes
    ----------
    source
        Where its bytes are.
    name
        Name within the folder or pattern, for messages.
    keys
        Values in the names of its folders (``date=2026-01-01``); None for a missing value.
    """

    source: Source
    name: str
    keys: Mapping[str, str | None] = field(default_factory=dict)


def parts_of(place: str | Path) -> list[Part]:
    """Return the parts of the table at a place, in the natural order of their names.

    Parameters
    ----------
    place
        A file, also in a zip archive; a folder or a pattern such as ``logs/*.parquet``; ``-`` for standard input; or an
        address such as ``s3://bucket/logs``. Names that begin with ``_`` or ``.`` are not data.

    Raises
    ------
    DataError
        If nothing is there, or a folder has files of several kinds.
    """
    text = os.fspath(place)
    if text == STANDARD_INPUT:
        content = _standard_input()
        return [Part(member_or_all(Path("standard input"), content), "standard input")]
    if REMOTE.match(text):
        return _remote(address_of(text))
    path = Path(text)
    if path.is_dir():
        return _checked(path, sorted(_files_in(path), key=_natural))
    if re.search(r"[*?\[]", text) and not os.path.lexists(text):
        return _matching(text)
    return [Part(locate(path), path.name)]


def is_local_file(parts: Sequence[Part]) -> bool:
    """Return True if all parts are files on this machine, which can be read again."""
    return all(part.source.files is None and part.source.content is None for part in parts)


@cache
def _standard_input() -> bytes:
    """Return all of standard input, which can be read only once."""
    if sys.stdin is None or sys.stdin.closed:
        raise DataError("there is no standard input")
    if sys.stdin.isatty():
        raise DataError("standard input is a terminal; give the data by a pipe, or the path of a file")
    content = sys.stdin.buffer.read()
    if not content:
        raise DataError("there is nothing on standard input; give the data by a pipe, or the path of a file")
    return content


def _files_in(folder: Path) -> list[PurePosixPath]:
    """Return the data files of a folder and of the folders in it, relative to it."""
    found = []
    for home, folders, names in os.walk(folder):
        for name in folders:
            if name in TABLES:
                raise DataError(
                    f"this is {TABLES[name]}, and some of its files may be out of date; write it as plain Parquet first"
                )
        folders[:] = [name for name in folders if _is_data(name)]
        inside = PurePosixPath(Path(home).relative_to(folder).as_posix())
        found += [inside / name for name in names if _is_data(name)]
    return found


def _is_data(name: str) -> bool:
    return not name.startswith("_") and not name.lower().startswith(NOT_DATA)


def _matching(pattern: str) -> list[Part]:
    """Return the files that match a pattern, and those in the folders that do."""
    parts = Path(pattern).parts
    n_plain = next(place for place, part in enumerate(parts) if set("*?[") & set(part))
    base = Path(*parts[:n_plain])
    found: dict[PurePosixPath, None] = {}
    for path in base.glob("/".join(parts[n_plain:])):
        inside = PurePosixPath(path.relative_to(base).as_posix())
        if path.is_dir():
            found |= dict.fromkeys(inside / name for name in _files_in(path))
        elif _is_data(path.name):
            found[inside] = None
    if not found:
        raise DataError("there is no such file, and no file matches the pattern")
    return _checked(base, sorted(found, key=_natural))


def _checked(folder: Path, names: Sequence[PurePosixPath]) -> list[Part]:
    """Return the parts of these names; raise a `DataError` if there are none, or their kinds differ."""
    if not names:
        raise DataError("the folder holds no data file")
    if len({_suffix(name) for name in names}) > 1:
        raise DataError(
            "the folder holds files of different kinds; give one of them, or a pattern such as "
            f"{folder.name or '.'}/*{names[0].suffix}: {listing([name.as_posix() for name in names])}"
        )
    return [Part(locate(folder / name), name.as_posix(), keys_of(name)) for name in names]


def _suffix(name: PurePosixPath) -> str:
    plain = PurePosixPath(name.name.lower())
    return plain.with_suffix("").suffix if plain.suffix in COMPRESSED else plain.suffix


def keys_of(name: PurePosixPath) -> dict[str, str | None]:
    """Return the values in the folders of a name, as Hive writes them: ``date=2026-01-01/part.parquet``."""
    pairs = (folder.partition("=") for folder in name.parts[:-1])
    return {
        unquote(key): None if value == NO_VALUE else unquote(value) for key, equals, value in pairs if key and equals
    }


def _natural(name: PurePosixPath) -> list[tuple[int, int, str]]:
    """Return a key by which ``part-10`` comes after ``part-9``."""
    return [
        (0, int(piece), "") if piece.isdecimal() and piece.isascii() else (1, 0, piece)
        for part in name.parts
        for piece in (*re.split(r"([0-9]+)", part), "/")
    ]


def _remote(address: str) -> list[Part]:
    """Return the files at an address, by Arrow's file systems."""
    fs = arrow("pyarrow.fs")
    try:
        files, path = fs.FileSystem.from_uri(address)
    except ImportError as error:
        raise MissingPackageError(f"{address}: this build of pyarrow cannot read it: {error}") from error
    except (arrow().ArrowException, OSError, ValueError) as error:
        raise DataError(f"the address is not understood: {error}") from error
    if files.type_name == "local":
        return parts_of(path)
    info = files.get_file_info(path)
    if info.type == fs.FileType.File:
        return [Part(Source(Path(path), files=files), PurePosixPath(path).name)]
    selector = fs.FileSelector(path, recursive=True, allow_not_found=True)
    names = [
        PurePosixPath(entry.path).relative_to(PurePosixPath(path))
        for entry in files.get_file_info(selector)
        if entry.type == fs.FileType.File
    ]
    if any(name.parts[0] in TABLES for name in names):
        raise DataError("this is a Delta or Hudi table, and some of its files may be out of date; write plain Parquet")
    names = sorted((name for name in names if all(map(_is_data, name.parts))), key=_natural)
    if not names:
        raise DataError("there is no such file, and no folder with data files")
    if len({_suffix(name) for name in names}) > 1:
        raise DataError(f"the folder holds files of different kinds: {listing([name.as_posix() for name in names])}")
    return [Part(Source(Path(path) / name, files=files), name.as_posix(), keys_of(name)) for name in names]
