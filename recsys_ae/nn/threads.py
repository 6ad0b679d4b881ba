"""Number of CPU threads, within a context and in forked processes.

Importing this module has one effect: a process that is forked later computes with one thread. PyTorch's OpenMP pool
does not survive a fork, so with more threads the child would wait for ever for threads that it does not have.
(OpenBLAS, which NumPy brings, handles a fork by itself.)
"""

import contextlib
import os
from collections.abc import Iterator

import torch

_IMPORTED_IN = os.getpid()


def usable_threads(threads: int | None) -> int:
    """Return how many threads a computation gets that asks for ``threads``; None: as many as PyTorch is set to.

    A process forked from the one that imported this gets one, whatever it asks for.
    """
    if threads is None:
        return torch.get_num_threads()
    return threads if os.getpid() == _IMPORTED_IN else 1


@contextlib.contextmanager
def cpu_threads(threads: int | None) -> Iterator[None]:
    """Use this many CPU threads inside the context, as far as they are usable."""
    process, before = os.getpid(), torch.get_num_threads()
    torch.set_num_threads(usable_threads(threads))
    try:
        yield
    finally:
        if os.getpid() == process:  # a child forked inside the context keeps its one thread
            torch.set_num_threads(before)


def _use_one_thread() -> None:
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_use_one_thread)
