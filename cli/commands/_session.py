"""State of a running command, and the signals that end it."""

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType, TracebackType

AGAIN_SECONDS = 0.02


class Terminated(KeyboardInterrupt):
    """The request of another program to end: SIGTERM, or SIGHUP when the terminal is closed."""


class Session:
    """Values of the global options, and what is true if the command is interrupted.

    As a context manager it turns the signals that ask a program to end into `KeyboardInterrupt` or `Terminated` in the
    main thread. Signals that the caller ignores, as ``nohup`` does, or handles stay as they are.

    Attributes
    ----------
    debug
        Whether tracebacks are shown.
    interrupted
        End of the sentence "Interrupted: …".
    signal
        Number of the signal that was received; None if there was none.
    """

    def __init__(self) -> None:
        self.debug = False
        self.interrupted = "nothing was saved"
        self.signal: int | None = None
        self._handlers: dict[int, Any] = {}
        self._unraisable = sys.unraisablehook

    @property
    def exit_code(self) -> int:
        """Exit code after an interruption: 128 and the number of the signal."""
        return 128 + (signal.SIGINT if self.signal is None else self.signal)

    def __enter__(self) -> "Session":
        """Handle the signals, in the main thread."""
        if threading.current_thread() is threading.main_thread():
            numbers = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
            for number in filter(None, numbers):
                handler = signal.getsignal(number)
                if handler in (signal.SIG_DFL, signal.default_int_handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._receive)
            sys.unraisablehook = self._not_raised
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        """Restore the handlers of the caller."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._unraisable

    def ignore_signals(self) -> None:
        """Ignore further signals, so that the last line is printed."""
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)

    def die_of_signals(self) -> None:
        """Let a signal end the process at once and silently; for the time after the command."""
        self._handlers = dict.fromkeys(self._handlers, signal.SIG_DFL)

    def _receive(self, number: int, frame: "FrameType | None") -> None:
        self.signal = number
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    def _not_raised(self, unraisable: Any) -> None:
        """Send a signal again if its exception was raised where none can be, such as in a destructor.

        Python prints and drops such an exception. Imports run many such places, so that Ctrl-C would be lost in them.
        """
        if self.signal is None or not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._unraisable(unraisable)
            return
        timer = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), self.signal))
        timer.daemon = True
        timer.start()
