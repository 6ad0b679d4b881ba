"""Bounds of decompression: how much larger than its file a content may be, and that it fits into the free memory."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from recsys_ae.errors import DataError
from recsys_ae.storage.free_memory import free_host_memory

RATIO = 200
"""Largest ratio of decompressed to compressed bytes. Files of ratings reach 3 to 20; gzip can reach 1,032."""
SMALL = 1 << 26
"""Number of decompressed bytes that every file may have: they take less than a second."""
BLOCK = 1 << 20
WAY_OUT = "; if you trust the file, decompress it first and give the plain file"


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class BoundedStream(io.BufferedIOBase):
    """A stream of decompressed bytes that ends with an error when there are too many for the bytes that were read.

    Parameters
    ----------
    content
        The decompressed bytes.
    packed
        Function that returns the number of compressed bytes that were read so far.
    """

    def __init__(self, content: _Readable, packed: Callable[[], int]) -> None:
        self.content, self.packed = content, packed
        self.size = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next ``size`` bytes, or all if it is negative; raise a `DataError` if they are too many."""
        if size is None or size < 0:
            return whole(iter(lambda: self.read(BLOCK), b""))
        block = self.content.read(size)
        self.size += len(block)
        if self.size > SMALL:
            refuse_expansion(self.size, self.packed())
        return block

    def read1(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes."""
        return self.read(BLOCK if size < 0 else size)


def refuse_expansion(size: int, packed: int, *, ratio: int = RATIO, way_out: str = WAY_OUT) -> None:
    """Raise a `DataError` if a content has more bytes than its compressed bytes may hold, known or claimed."""
    if size > max(SMALL, ratio * packed):
        raise DataError(
            f"{packed:,} bytes hold {size:,} or more, but files of data are not compressed more than {ratio:,} times"
            f"{way_out}"
        )


def refuse_beyond_memory(size: int, what: str) -> None:
    """Raise a `DataError` if a content of this many bytes does not fit into the free memory."""
    free = free_host_memory()
    if free is not None and size > free:
        raise DataError(f"{what} takes {size / 2**20:,.0f} MiB, but {free / 2**20:,.0f} MiB of memory are free")


def whole(blocks: Iterable[bytes]) -> bytes:
    """Return the bytes of all blocks; raise a `DataError` if they do not fit into the free memory."""
    return b"".join(_within_memory(blocks))


def _within_memory(blocks: Iterable[bytes]) -> Iterator[bytes]:
    size, checked = 0, SMALL
    for block in blocks:
        size += len(block)
        if size > checked:  # the blocks and the joined bytes exist at the same time; the blocks so far are not free
            refuse_beyond_memory(size, "the content of the file")
            checked = size + SMALL
        yield block
