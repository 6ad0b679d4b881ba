"""What a program asks of the pretended GPU: waits, copies and draws, with the phase and the line of the package."""

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

PACKAGE = "/recsys_ae/"


class DeviceFaultError(RuntimeError):
    """What a GPU would refuse."""


class Event(NamedTuple):
    """One kind of event at one line."""

    kind: str
    """``wait``: the CPU waits until the GPU is done; ``copy``: to the GPU; ``draw``: from its unseeded generator;
    ``order``: a sum of floats in an order that changes."""
    what: str
    phase: str
    line: str


class Record:
    """Events, launches of kernels and graphs so far, and the phase that the program is in."""

    def __init__(self) -> None:
        self.events: Counter[Event] = Counter()
        self.phases = ["other"]
        self.passes: Counter[str] = Counter()
        self.seeded = 0
        self.backward = 0
        self.largest: int | None = None
        self.launches: Counter[str] = Counter()
        self.graphs = 0
        self._in_graph = 0

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count a pass through a phase, and the events in it as those of the phase."""
        self.passes[name] += 1
        self.phases.append(name)
        try:
            yield
        finally:
            self.phases.pop()

    @contextlib.contextmanager
    def one_launch(self) -> Iterator[None]:
        """Count all launches in the context as one, as in a replay of a graph."""
        self.launched()
        self._in_graph += 1
        try:
            yield
        finally:
            self._in_graph -= 1

    def launched(self) -> None:
        """Count a launch of a kernel in the present phase."""
        if not self._in_graph:
            self.launches[self.phases[-1]] += 1

    def note(self, kind: str, what: str) -> None:
        """Record an event at the innermost line of the package that runs."""
        self.events[Event(kind, what, self.phases[-1], line_of_package())] += 1

    def count(self, kind: str, phase: str | None = None) -> int:
        """Return the number of events of a kind, in a phase or in all."""
        return sum(n for event, n in self.events.items() if event.kind == kind and phase in (None, event.phase))

    def listed(self, kind: str, phase: str | None = None) -> str:
        """Return the events of a kind, one in a line."""
        chosen = {event: n for event, n in self.events.items() if event.kind == kind and phase in (None, event.phase)}
        return "\n".join(f"{n} × {event.what} at {event.line}" for event, n in sorted(chosen.items()))


def line_of_package() -> str:
    """Return file and line of the innermost frame in the package."""
    frame = sys._getframe(1)
    while frame is not None:
        if PACKAGE in frame.f_code.co_filename:
            return f"{frame.f_code.co_filename.rpartition(PACKAGE)[2]}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return "?"
