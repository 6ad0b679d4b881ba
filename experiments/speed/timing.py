"""Timing of laps inside a fit and of single calls, and the peak memory of a process."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from recsys_ae.nn.runtime import Progress

REPEATS = 3
"""Number of timings of each job, interleaved with the jobs it is compared with; the median is reported."""


class EnoughError(Exception):
    """Raised by a progress callback to stop a fit that has been timed long enough."""


def synchronise(device: torch.device) -> None:
    """Wait until a device has finished its work; the CPU needs no wait."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of a call, including its work on the device."""
    synchronise(device)
    started = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - started


class Laps:
    """Times of the laps of a fit, each a number of epochs; pass the object to a `Run` as ``progress``.

    Attributes
    ----------
    seconds
        Seconds of each lap after the first, which warms up: from the report of a lap's last batch to that of the next
        lap's, without the time of ``between``.
    first
        Seconds from the start to the end of the first lap.
    """

    def __init__(
        self,
        device: torch.device,
        epochs: int = 1,
        *,
        between: Callable[[], object] | None = None,
        limit: float = float("inf"),
    ) -> None:
        self.device, self.epochs, self.between, self.limit = device, epochs, between, limit
        self.seconds: list[float] = []
        self.first = 0.0
        self._begun = self._from = time.perf_counter()

    def __call__(self, progress: Progress) -> None:
        """Note the end of a lap; stop the fit past the limit in seconds, once a lap has been timed."""
        if progress.rows < progress.n_rows or progress.epoch % self.epochs:
            return
        synchronise(self.device)
        now = time.perf_counter()
        if self.first:
            self.seconds.append(now - self._from)
        else:
            self.first = now - self._begun
        if self.between is not None:
            self.between()
            synchronise(self.device)
        self._from = time.perf_counter()
        if self.seconds and self._from - self._begun > self.limit:
            raise EnoughError


def after_updates(n: int) -> Callable[[Progress], None]:
    """Return a ``progress`` that stops a fit after ``n`` reports."""
    seen = 0

    def report(_: Progress) -> None:
        nonlocal seen
        seen += 1
        if seen >= n:
            raise EnoughError

    return report


def in_turn(*works: Callable[[], object], device: torch.device, repeats: int = REPEATS) -> list[list[float]]:
    """Time calls in turn; return the seconds of each call's repetitions."""
    rounds = [[seconds_of(work, device) for work in works] for _ in range(repeats)]
    return [list(column) for column in zip(*rounds, strict=True)]


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the paired quotients."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def peak_mib() -> float:
    """Return the peak memory of this process in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # of this process; getrusage starts from the peak of the process that it was forked from
        (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource  # noqa: PLC0415  not everywhere
    import sys  # noqa: PLC0415

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
