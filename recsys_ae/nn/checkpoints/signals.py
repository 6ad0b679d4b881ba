"""Signals that ask a program to end, handled when the state of a training is complete."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

NAMES = "SIGINT", "SIGTERM", "SIGHUP"


class StopRequestedError(KeyboardInterrupt):
    """A signal was received where the training can be interrupted at once."""


class StopSignals:
    """Context in which a signal waits until the training asks for it (`received`).

    Only the main thread receives signals; elsewhere the context does nothing. Signals that are ignored stay ignored. A
    second signal has its usual effect at once.

    Attributes
    ----------
    received
        Number of the signal that waits; None if there is none.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._handlers: dict[int, Any] = {}
        self._at_once = False

    def __enter__(self) -> "StopSignals":
        """Handle the signals."""
        if threading.current_thread() is threading.main_thread():
            for name in NAMES:
                number = getattr(signal, name, None)  # Windows has no SIGHUP
                if number is not None and signal.getsignal(number) not in (None, signal.SIG_IGN):
                    self._handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the former handlers; a signal that still waits has its usual effect."""
        self._restore()
        self.deliver()

    def deliver(self) -> None:
        """Give a signal that waits its usual effect: the former handler of Python raises `KeyboardInterrupt`."""
        number, self.received = self.received, None
        if number is not None:
            self._restore()
            signal.raise_signal(number)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise `StopRequestedError` when a signal is received inside the context, or waits already."""
        if self.received is not None:
            raise StopRequestedError
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            self._restore()
            signal.raise_signal(number)
            return
        self.received = number
        if self._at_once:
            raise StopRequestedError
