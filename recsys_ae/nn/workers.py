"""Worker processes that end with the process that started them, however it ends."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self, TypeVar

from recsys_ae.errors import Argument, TrainingError

Result = TypeVar("Result")
ORPHANED = 1
"""Exit code of a worker whose parent has ended."""


class Workers:
    """Context manager of a pool of worker processes.

    The parent holds one end of a pipe open. When the parent ends, even by ``kill -9``, the system closes that end, and
    each worker ends itself. An exception in the context ends the workers, too, so that nobody waits for running work.
    Signals of the terminal reach the parent only.

    Parameters
    ----------
    n
        Number of processes.
    prepare, arguments
        Function that each worker calls first, and its arguments.
    """

    def __init__(self, n: int, prepare: Callable[..., None], arguments: Sequence[Any]) -> None:
        # A forked process could inherit a lock of PyTorch's threads that is never released.
        context = get_context("spawn")
        self._watched, self._held = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(n, context, _begin, (self._watched, prepare, *arguments))
        self._processes: set[BaseProcess] = set()

    def submit(self, function: Callable[..., Result], *arguments: Any) -> "Future[Result]":
        """Have a worker call a function; return the future of its result."""
        others = set(active_children()) - self._processes
        with _ended_worker(), _no_signals():  # a new process inherits the blocked signals
            future = self._pool.submit(function, *arguments)
        self._processes = set(active_children()) - others
        return future

    def result(self, future: "Future[Result]") -> Result:
        """Return the result of a future that is done.

        Raises
        ------
        TrainingError
            If a worker was ended from outside, for example by the system when memory ran out.
        """
        with _ended_worker():
            return future.result()

    def __enter__(self) -> Self:
        """Return the workers."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the workers: after their work, or at once if there was an exception."""
        if kind is not None:
            for process in self._processes:
                process.terminate()
        self._pool.shutdown(cancel_futures=kind is not None)
        self._held.close()
        self._watched.close()


def _begin(watched: Connection, prepare: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=_end_with_parent, args=(watched,), daemon=True).start()
    prepare(*arguments)


def _end_with_parent(watched: Connection) -> None:
    watched.poll(None)  # nothing is ever sent: the pipe becomes readable when its other end is closed
    os._exit(ORPHANED)


@contextmanager
def _no_signals() -> Iterator[None]:
    """Block the signals of the terminal in this thread, and in processes that it starts."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


@contextmanager
def _ended_worker() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise TrainingError(
            "a worker process was ended from outside, perhaps because memory ran out; lower ",
            Argument("jobs"),
            "; finished fits are saved, and the same command continues",
        ) from error
