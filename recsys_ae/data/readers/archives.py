"""Files as they lie on disk: plain, compressed with gzip, or inside a zip archive."""

import gzip
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from recsys_ae.data.parsing import listing
from recsys_ae.errors import DataError

# What publishers put beside the data.
NOT_DATA = ("readme", "license", "licence", "notice", "changelog", ".", "__macosx")


@dataclass(frozen=True)
class Source:
    """A file, or the member of a zip archive; decompressed as it is read."""

    path: Path
    member: str | None = None

    @property
    def suffix(self) -> str:
        """The last ending of its name but ``.gz``, in lower case: ``.csv`` for ``Ratings.CSV.gz``."""
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
    """Return the file at ``path``, which may go on into a zip archive: ``archive.zip/folder/ratings.csv``.

    An archive of a single data file stands for that file.

    Raises
    ------
    DataError
        Where there is no such file, or more than one that may be meant.
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
        # A password, a version or compression that Python does not know, or numbers that make no sense.
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
    data = [name for name in names if not any(part.lower().startswith(NOT_DATA) for part in PurePosixPath(name).parts)]
    if not data:
        raise DataError("the zip archive holds no data file")
    if len(data) > 1:
        raise DataError(
            f"the zip archive holds {len(data):,} files; give one of them as {archive.name}/{data[0]}: {listing(data)}"
        )
    return data[0]


def _member(archive: Path, wanted: str) -> str:
    """Return the member's full name; ``wanted`` may leave out folders and the ending ``.gz``."""
    names = _members(archive)
    for name in (wanted, f"{wanted}.gz"):
        if name in names:
            return name
        found = [other for other in names if other.endswith(f"/{name}")]
        if len(found) == 1:
            return found[0]
    raise DataError(f"the zip archive has no file {wanted}; it holds: {listing(names)}")
