"""Memory of a command: its peak, and the thresholds from which the allocator returns memory to the system."""

import ctypes
import gc
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
READING, TRAINING = 1 << 17, 1 << 25
"""Sizes in bytes from which freed arrays are returned to the system; small arrays are needed again for each batch.

In training 512 KiB instead would make the peak of a Mult-VAE fit on MovieLens 1M 20 MiB lower, and each epoch take 3.5
times the page faults: 7 to 9 % more processor time, 14 % for RecVAE.
"""


def thrifty() -> None:
    """Make the allocators return memory while data are read; call before PyTorch and Arrow are imported.

    By default glibc moves large arrays to its heap after a while, which leaves gaps that are too small to reuse, and
    Arrow's own allocator keeps freed memory: about 100 MiB after a million ratings. PyTorch asks for large pages, which
    need fewer calls of the kernel.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    _give_back_from(READING)


def finalize() -> None:
    """Return free memory to the system, and from now on only large arrays; call before the training."""
    gc.collect()
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)
    _give_back_from(TRAINING)


def peak() -> int | None:
    """Return the peak resident size of this process in bytes; None if the system does not report it."""
    try:
        import resource  # noqa: PLC0415
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _give_back_from(size: int) -> None:
    libc = _glibc()
    if libc is not None:
        libc.mallopt(M_MMAP_THRESHOLD, size)
        libc.mallopt(M_TRIM_THRESHOLD, 2 * size)  # glibc's ratio; a lower one returns the heap's end all the time


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
