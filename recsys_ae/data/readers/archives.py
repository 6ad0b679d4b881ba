"""Files, pipes and members of zip archives, also compressed by gzip, bzip2, xz or zstd, as decompressed bytes."""

import bz2
import gzip
import io
import lzma
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from io import BufferedReader, BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from recsys_ae.data.parsing import listing
from recsys_ae.data.readers.bounded.bounds import BoundedStream
from recsys_ae.data.readers.bounded.zips import opened_member, opened_zip
from recsys_ae.data.readers.foreign import refuse_foreign_archive
from recsys_ae.errors import DataError

# Beginnings of the names of files that publishers put next to the data.
NOT_DATA = ("readme", "license", "licence", "notice", "changelog", ".", "__macosx")
ZIP = (b"PK\x03\x04", b"PK\x05\x06")


class _Raw(io.RawIOBase):
    """Compressed bytes as a raw stream, as Arrow reads them."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        content = self.file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


class _Zstd:
    """Decompressed bytes of zstd, by Arrow: Python itself reads it from 3.14 on only."""

    def __init__(self, raw: Any) -> None:
        pa = import_module("pyarrow")
        self.stream = pa.CompressedInputStream(pa.PythonFile(_Raw(raw), mode="r"), "zstd")

    def read(self, size: int = -1, /) -> bytes:
        """Return at most so many bytes; an `EOFError` says that they are truncated or damaged."""
        try:
            return bytes(self.stream.read(None if size < 0 else size))
        except OSError as error:
            raise EOFError(error) from error


COMPRESSED: Mapping[str, tuple[bytes, Callable[[Any], Any]]] = {
    ".gz": (b"\x1f\x8b", lambda raw: gzip.GzipFile(fileobj=raw, mode="rb")),
    ".bz2": (b"BZh", bz2.BZ2File),
    ".xz": (b"\xfd7zXZ\0", lzma.LZMAFile),
    ".zst": (b"\x28\xb5\x2f\xfd", _Zstd),
}
"""Suffix, first bytes and reader of each compression."""
ADDRESS = r"(?:^|/)((?:https?|ftp|s3|gs|hdfs|abfss?|file):)/+(.*)$"
PIPE = "a pipe can be read only once; write its content to a file and give that"


@dataclass(frozen=True)
class Source:
    """A file or a member of a zip archive, decompressed while it is read.

    ``content`` is what was read from a pipe, which can be read only once. ``files`` is the Arrow file system that has
    the file; None for this machine.
    """

    path: Path
    member: str | None = None
    content: bytes | None = None
    files: Any = None

    @property
    def suffix(self) -> str:
        """Suffix of the name without that of a compression, in lower case: ``.csv`` for ``Ratings.CSV.gz``."""
        name = PurePosixPath((self.member or self.path.name).lower())
        return name.with_suffix("").suffix if name.suffix in COMPRESSED else name.suffix

    @property
    def is_packed(self) -> bool:
        """True if the name says that the bytes are compressed."""
        return self.member is not None or PurePosixPath(self.path.name.lower()).suffix in COMPRESSED

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the decompressed bytes; reading raises a `DataError` when they are too many for the file."""
        with ExitStack() as stack:
            file = raw = stack.enter_context(_opened(self.path, self.content, self.files))
            start = 0
            if self.member is not None:
                archive = stack.enter_context(opened_zip(file))
                start = archive.getinfo(self.member).header_offset
                raw = stack.enter_context(opened_member(archive, self.member))
            decompressor = self._decompressor(raw)
            if decompressor is None:
                yield raw
            else:
                yield cast(IO[bytes], BoundedStream(decompressor, raw, lambda: file.tell() - start))

    def _decompressor(self, raw: IO[bytes]) -> Callable[[Any], Any] | None:
        """Return the function that decompresses a stream; None if it is not compressed."""
        start = raw.peek(6)[:6] if hasattr(raw, "peek") else b""
        name = (self.member or self.path.name).lower()
        for suffix, (mark, reader) in COMPRESSED.items():
            if start.startswith(mark) and (suffix != ".bz2" or start[3:4].isdigit()):
                return reader
        return next((reader for suffix, (_, reader) in COMPRESSED.items() if name.endswith(suffix)), None)


def locate(path: Path) -> Source:
    """Return the file at ``path``, which may continue into a zip archive: ``archive.zip/folder/ratings.csv``.

    The path of an archive with a single data file means that file.

    Raises
    ------
    DataError
        If there is no such file, or an archive has several data files.
    """
    if path.is_dir():
        raise DataError("this is a folder; expected a file")
    if path.is_file():
        return Source(path, _only_member(path)) if _is_zip(path) else Source(path)
    if path.exists():
        content = path.read_bytes()
        if not content:
            raise DataError(f"there is nothing to read; {PIPE}")
        return member_or_all(path, content)
    for parent in path.parents:
        if parent.is_file():
            if not _is_zip(parent):
                raise DataError(f"there is no such file; {parent.name} is not a zip archive")
            return Source(parent, _member(parent, path.relative_to(parent).as_posix()))
    address = re.search(ADDRESS, os.fspath(path))
    if address:
        url = f"{address[1]}//{address[2]}"
        how = f", for example with: curl -LO {url}" if address[1].startswith(("http", "ftp")) else ""
        raise DataError(f"{url} is an address; expected the path of a file, so download it first{how}")
    hint = f"; {PIPE}" if path.parts[:3] in (("/", "dev", "fd"), ("/", "proc", "self")) else ""
    raise DataError(f"there is no such file{hint}")


def member_or_all(path: Path, content: bytes) -> Source:
    """Return the only data file of a zip archive that was read, or the content itself."""
    return Source(path, _only_member(path, content) if content.startswith(ZIP) else None, content)


def _opened(path: Path, content: bytes | None, files: Any = None) -> IO[bytes]:
    if files is not None:
        return BufferedReader(files.open_input_file(path.as_posix()))
    return path.open("rb") if content is None else BufferedReader(BytesIO(content))


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in ZIP or path.suffix.lower() == ".zip"


def _members(archive: Path, content: bytes | None = None) -> list[str]:
    with _opened(archive, content) as raw, opened_zip(raw) as opened:
        # A damaged archive may have a member without a name, for which `ZipInfo.is_dir` fails.
        return [entry.filename for entry in opened.infolist() if entry.filename and not entry.filename.endswith("/")]


def _only_member(archive: Path, content: bytes | None = None) -> str:
    names = _members(archive, content)
    refuse_foreign_archive(names)
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
