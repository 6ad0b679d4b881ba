"""Number of CPU threads in a context and in forked processes.

Importing this module has one side effect: processes forked later compute with one thread. PyTorch's OpenMP pool does
not survive a fork, so with more threads the child would wait for ever for threads that do not exist.
(OpenBLAS, which NumPy brings, handles a fork by itself.)
"""

import contextlib
import os
from collections.abc import Iterator

import torch

_IMPORTED_IN = os.getpid()


def usable_threads(threads: int | None) -> int:
    """Return the number of threads that a computation with the setting ``threads`` gets.

    None stands for PyTorch's current number. A process forked from the one that imported this module gets one thread.
    """
    if threads is None:
        return torch.get_num_threads()
    return threads if os.getpid() == _IMPORTED_IN else 1


@contextlib.contextmanager
def cpu_threads(threads: int | None) -> Iterator[None]:
    """Set the number of CPU threads inside the context, as `usable_threads` allows."""
    process, previous_threads = os.getpid(), torch.get_num_threads()
    torch.set_num_threads(usable_threads(threads))
    try:
        yield
    finally:
        if os.getpid() == process:  # a child forked inside the context keeps its one thread
            torch.set_num_threads(previous_threads)


def _use_one_thread() -> None:
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_use_one_thread)
