"""Bounds of decompression: how much larger than its file a content may be, and that it fits into the free memory."""

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import Any, Protocol

from recsys_ae.errors import DataError
from recsys_ae.storage.free_memory import free_host_memory

RATIO = 200
"""Largest ratio of decompressed to compressed bytes, for arrays and pictures, which cost no more than their bytes."""
TEXT_RATIO = 100
"""Largest ratio for text. Files of ratings reach 3 to 40; gzip can reach 1,032, bzip2 and xz more."""
DENSE, COST = 20, 5
"""Ratio from which a text must fit into memory as a table of short rows, and the bytes that its bytes take then."""
SMALL = 1 << 25
"""Number of decompressed bytes that every file may have."""
BLOCK = 1 << 20
IDLE = 2 * BLOCK
"""Largest number of compressed bytes that may hold less than a block."""
WAY_OUT = "; if you trust the file, decompress it first and give the plain file"


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Packed:
    """Compressed bytes, of which a decompressor reads no long run that holds nothing, such as empty parts."""

    def __init__(self, file: _Readable) -> None:
        self.file = file
        self.idle = 0

    def read(self, size: int = -1, /) -> bytes:
        block = self.file.read(size)
        self.idle += len(block)
        if self.idle > IDLE:
            raise DataError(f"{self.idle:,} compressed bytes hold less than {BLOCK:,}{WAY_OUT}")
        return block


class BoundedStream(io.BufferedIOBase):
    """A stream of decompressed bytes that ends with an error when there are too many for the bytes that were read.

    Parameters
    ----------
    decompressor
        Function that returns the decompressed bytes of a file.
    file
        The compressed bytes.
    packed
        Function that returns how many bytes of the file on disk were read so far.
    ratio
        Largest ratio of decompressed to compressed bytes.
    """

    def __init__(
        self,
        decompressor: Callable[[Any], Any],
        file: _Readable,
        packed: Callable[[], int],
        *,
        ratio: int = TEXT_RATIO,
    ) -> None:
        self.file, self.packed, self.ratio = _Packed(file), packed, ratio
        self.content: _Readable = decompressor(self.file)
        self.size = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next ``size`` bytes, or all if it is negative; raise a `DataError` if they are too many."""
        if size is None or size < 0:
            return whole(iter(lambda: self.read(BLOCK), b""))
        if size > BLOCK:
            sizes = (min(BLOCK, size - start) for start in range(0, size, BLOCK))
            return b"".join(takewhile(bool, map(self.read, sizes)))
        block = self.content.read(size)
        self.size += len(block)
        self.file.idle = 0
        if self.size > SMALL:
            packed = self.packed()
            refuse_expansion(self.size, packed, ratio=self.ratio)
            if self.size > DENSE * packed:
                refuse_beyond_memory(COST * self.size, "a table of this file")
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
