"""Zip archives whose directory and members are bounded before they are read."""

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from recsys_ae.data.readers.bounded.bounds import TEXT_RATIO, refuse_expansion
from recsys_ae.errors import DataError

DIRECTORY = 1 << 23
"""Largest size of the directory of an archive in bytes: about 100,000 files, which take 0.7 s and 100 MiB to list."""
END, END_64, LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
END_SIZE, END_64_SIZE, LOCATOR_SIZE, COMMENT = 22, 56, 20, 1 << 16


@contextmanager
def opened_zip(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Open an archive.

    Raises
    ------
    DataError
        If it holds too many files, needs a password, or is of a kind that is not supported.
    """
    size = _directory_size(file)
    if size > DIRECTORY:
        raise DataError(f"the directory of the zip archive has {size:,} bytes, too many files; unpack it first")
    with _unsupported():
        archive = zipfile.ZipFile(file)
    with archive:
        yield archive


@contextmanager
def opened_member(archive: zipfile.ZipFile, name: str, *, ratio: int = TEXT_RATIO) -> Iterator[IO[bytes]]:
    """Open a member; it yields no more bytes than it claims to have, which its compressed bytes and the archive bound.

    Raises
    ------
    DataError
        If it claims to have too many bytes, or cannot be unpacked.
    """
    member = archive.getinfo(name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Python decompresses the other methods in steps without a bound.
        raise DataError("the zip archive cannot be unpacked: it is not compressed by deflate; unpack it first")
    packed = min(member.compress_size, cast(IO[bytes], archive.fp).seek(0, 2))
    refuse_expansion(member.file_size, packed, ratio=ratio)
    with _unsupported():
        content = archive.open(member)
    with content:
        yield content


@contextmanager
def _unsupported() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, OverflowError) as error:
        # A password, a version or compression that Python does not support, or sizes that make no sense.
        raise DataError(f"the zip archive cannot be unpacked: {error}") from error


def _directory_size(file: IO[bytes]) -> int:
    """Return the size of the directory that the end of an archive states; 0 if it has no end, or is damaged."""
    size = file.seek(0, 2)
    file.seek(max(0, size - COMMENT - END_SIZE - LOCATOR_SIZE - END_64_SIZE))
    tail = file.read()
    file.seek(0)
    end = len(tail) - END_SIZE
    if tail[max(0, end) :][:4] != END or not tail.endswith(b"\0\0"):  # there is a comment behind it
        end = tail.rfind(END)
    if end < 0 or len(tail) < end + END_SIZE:
        return 0
    sizes = [struct.unpack_from("<L", tail, end + 12)[0]]
    record = end - LOCATOR_SIZE - END_64_SIZE
    if record >= 0 and tail[end - LOCATOR_SIZE :][:4] == LOCATOR_64 and tail[record:][:4] == END_64:
        sizes.append(struct.unpack_from("<Q", tail, record + 40)[0])
    return int(sizes[-1]) if sizes[-1] <= size else 0
