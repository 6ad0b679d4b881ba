"""Memory of a command: how much it took at most, and how it is given back to the system while the command runs."""

import ctypes
import gc
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
READING, TRAINING = 1 << 17, 1 << 25
"""Arrays from this size on are given back when they are freed; small ones that every batch claims are better kept.

In training 512 KiB instead would make the peak of a Mult-VAE fit on MovieLens 1M 20 MiB lower, and each epoch take 3.5
times the page faults: 7 to 9 % more processor time, 14 % for RecVAE.
"""


def thrifty() -> None:
    """Have memory given back while data are read; call before PyTorch and Arrow are imported.

    By itself glibc moves large arrays to its heap after a while, where gaps remain that nothing else fits into, and
    Arrow's own allocator keeps what is freed: about 100 MiB after a million ratings. PyTorch asks for large pages, for
    which the kernel has to be called seldom.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    _give_back_from(READING)


def finalize() -> None:
    """Give back what is free, and from now on only what is not needed again at once; call before the training."""
    gc.collect()
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)
    _give_back_from(TRAINING)


def peak() -> int | None:
    """Return the largest resident size of this process in bytes; None where the system does not say."""
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
        libc.mallopt(M_TRIM_THRESHOLD, 2 * size)  # as glibc would; else the end of the heap is given back all the time


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
