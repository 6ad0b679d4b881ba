"""Plain files, gzip files and members of zip archives, opened as streams of decompressed bytes."""

import gzip
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from recsys_ae.data.parsing import listing
from recsys_ae.errors import DataError

# Beginnings of the names of files that publishers put next to the data.
NOT_DATA = ("readme", "license", "licence", "notice", "changelog", ".", "__macosx")


@dataclass(frozen=True)
class Source:
    """A file or a member of a zip archive, decompressed while it is read."""

    path: Path
    member: str | None = None

    @property
    def suffix(self) -> str:
        """Suffix of the name without ``.gz``, in lower case: ``.csv`` for ``Ratings.CSV.gz``."""
        name = (self.member or self.path.name).lower().removesuffix(".gz")
        return PurePosixPath(name).suffix

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the decompressed bytes."""
        with ExitStack() as stack:
            raw: IO[bytes]
            if self.member is None:
                raw = stack.enter_context(self.path.open("rb"))
            else:
                with _unsupported():
                    archive = stack.enter_context(zipfile.ZipFile(self.path))
                    raw = stack.enter_context(archive.open(self.member))
            if _is_gzip(raw, self.member or self.path.name):
                raw = stack.enter_context(cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb")))
            yield raw


def locate(path: Path) -> Source:
    """Return the file at ``path``, which may continue into a zip archive: ``archive.zip/folder/ratings.csv``.

    The path of an archive with a single data file means that file.

    Raises
    ------
    DataError
        If there is no such file, or an archive has several data files.
    """
    if path.is_dir():
        files = sorted(entry.name for entry in path.iterdir() if entry.is_file())
        inside = f": {listing(files)}" if files else ""
        raise DataError(f"this is a folder; give one of the files in it{inside}")
    if path.is_file():
        return Source(path, _only_member(path)) if _is_zip(path) else Source(path)
    for parent in path.parents:
        if parent.is_file():
            if not _is_zip(parent):
                raise DataError(f"there is no such file; {parent.name} is not a zip archive")
            return Source(parent, _member(parent, path.relative_to(parent).as_posix()))
    raise DataError("there is no such file")


@contextmanager
def _unsupported() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, OverflowError) as error:
        # A password, a version or compression that Python does not support, or sizes that make no sense.
        raise DataError(f"the zip archive cannot be unpacked: {error}") from error


def _is_gzip(raw: IO[bytes], name: str) -> bool:
    start = raw.peek(2)[:2] if hasattr(raw, "peek") else b""
    return start == b"\x1f\x8b" or name.lower().endswith(".gz")


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06") or path.suffix.lower() == ".zip"


def _members(archive: Path) -> list[str]:
    with _unsupported(), zipfile.ZipFile(archive) as opened:
        return [entry.filename for entry in opened.infolist() if not entry.is_dir()]


def _only_member(archive: Path) -> str:
    names = _members(archive)
    data = [name for name in names if not any(step.lower().startswith(NOT_DATA) for step in PurePosixPath(name).parts)]
    if not data:
        raise DataError("the zip archive holds no data file")
    if len(data) > 1:
        raise DataError(
            f"the zip archive holds {len(data):,} files; give one of them as {archive.name}/{data[0]}: {listing(data)}"
        )
    return data[0]


def _member(archive: Path, name: str) -> str:
    """Return the full name of a member; ``name`` may lack folders and the suffix ``.gz``."""
    names = _members(archive)
    for candidate in (name, f"{name}.gz"):
        if candidate in names:
            return candidate
        matches = [member for member in names if member.endswith(f"/{candidate}")]
        if len(matches) == 1:
            return matches[0]
    raise DataError(f"the zip archive has no file {name}; it holds: {listing(names)}")
