"""Memory of a command: how much it took at most, and how it is given back to the system while the command runs."""

import ctypes
import gc
import os
import sys

M_MMAP_THRESHOLD = -3
LARGE = 1 << 17


def thrifty() -> None:
    """Have large arrays given back when they are freed; call before the data are read.

    By itself glibc moves them to its heap after a while, where gaps remain that nothing else fits into: about 100 MiB
    after a million ratings. Arrow's own allocator keeps freed memory, too.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    libc = _glibc()
    if libc is not None:
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)


def release() -> None:
    """Give back what is free."""
    gc.collect()
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def peak() -> int | None:
    """Return the largest resident size of this process in bytes; None where the system does not say."""
    try:
        import resource  # noqa: PLC0415
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
