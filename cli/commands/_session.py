"""State of a running command, and the signals that end it."""

import os
import signal
import sys
import threading
import time
from _thread import start_new_thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType, TracebackType

LOST_SECONDS = 0.6
CHECKS = 6
IMPORT_SECONDS = 1.0
"""Longest time that a signal waits for an import; then the process ends without unwinding."""


class Terminated(KeyboardInterrupt):
    """The request of another program to end: SIGTERM, or SIGHUP when the terminal is closed."""


class Session:
    """Values of the global options, and what is true if the command is interrupted.

    As a context manager it turns the signals that ask a program to end into `KeyboardInterrupt` or `Terminated` in the
    main thread. Signals that the caller ignores, as ``nohup`` does, or handles stay as they are.

    A signal waits for the end of an import, because compiled packages may crash if their import is interrupted. Code of
    other packages may drop the exception: a bare ``except:`` does, and Python itself in destructors. So the signal is
    repeated while the main thread goes on without the exception. Code that handles it on purpose must do so inside its
    ``except`` or ``finally`` block.

    Attributes
    ----------
    debug
        Whether tracebacks are shown.
    interrupted
        End of the sentence "Interrupted: …".
    signal
        Number of the signal that was received; None if there was none.
    """

    NOTHING = "nothing was saved"

    def __init__(self) -> None:
        self.debug = False
        self.interrupted = self.NOTHING
        self.signal: int | None = None
        self._ended = False
        self._since = 0.0
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
        self._ended = True
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._unraisable

    def ignore_signals(self) -> None:
        """Ignore further signals, so that the last line is printed."""
        self._ended = True
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)

    def die_of_signals(self) -> None:
        """Let a signal end the process at once and silently; for the time after the command."""
        self._handlers = dict.fromkeys(self._handlers, signal.SIG_DFL)

    def _receive(self, number: int, frame: "FrameType | None") -> None:
        now = time.monotonic()
        self._since = now if self.signal is None else self._since
        self.signal = number
        if _is_importing(frame):
            if now - self._since > IMPORT_SECONDS:
                os.write(2, f"Interrupted: {self.interrupted}\n".encode())
                os._exit(self.exit_code)
            start_new_thread(self._send_again, (LOST_SECONDS / CHECKS,))
            return
        error = KeyboardInterrupt() if number == signal.SIGINT else Terminated()
        start_new_thread(self._repeat, (error,))  # unlike `threading.Thread`, it takes no lock of the main thread
        raise error

    def _repeat(self, error: BaseException) -> None:
        """Send the signal again if its exception is lost."""
        lost = 0
        while lost < CHECKS and not self._ended:
            time.sleep(LOST_SECONDS / CHECKS)
            # While objects are deleted, an exception on its way is handled nowhere, for a moment.
            lost = 0 if _is_handled(error) else lost + 1
        self._send_again(0.0)

    def _send_again(self, pause: float) -> None:
        time.sleep(pause)
        if not self._ended:
            os.kill(os.getpid(), self.signal or signal.SIGTERM)

    def _not_raised(self, unraisable: Any) -> None:
        """Report no exception of a signal that Python drops, because the signal is repeated."""
        if self.signal is None or not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._unraisable(unraisable)


def _is_handled(error: BaseException) -> bool:
    """Return True if the main thread is in an ``except`` or ``finally`` block for an exception, or inside of one."""
    handled: Any = sys._current_exceptions().get(threading.main_thread().ident or 0)
    handled = handled[1] if isinstance(handled, tuple) else handled  # Python 3.11 has a tuple
    while handled is not None and handled is not error:
        handled = handled.__context__
    return handled is error


def _is_importing(frame: "FrameType | None") -> bool:
    """Return True if a module is imported at a place of the code."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None
