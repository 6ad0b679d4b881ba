"""Standard streams that are closed, full, or no longer read."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

CLOSED = "standard output is closed; redirect it to a file or to /dev/null"


def open_closed_streams() -> None:
    """Give each closed standard stream an open file, so that no file of the command gets its number.

    Writing to a closed standard output stays an error. Standard error has warnings only, which nobody reads then.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="replace", closefd=False))


class _StandardOutput(io.RawIOBase):
    """The bytes of standard output; an error is noted there, as the error of a text is."""

    def write(self, data: Any) -> int:
        """Write bytes; return their number."""
        with self._noting_failure():
            return int(sys.stdout.buffer.write(data))

    def flush(self) -> None:
        """Write what is buffered."""
        with self._noting_failure():
            sys.stdout.buffer.flush()

    @contextlib.contextmanager
    def _noting_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            stream: Any = sys.stdout
            stream.failure = error
            raise


@contextlib.contextmanager
def bytes_of_standard_output() -> Iterator[Any]:
    """Yield a file for bytes on standard output."""
    file = _StandardOutput()
    yield file
    file.flush()


def flushed(stream: Any) -> OSError | None:
    """Flush a stream; return the error if it cannot be written, and let the rest of its text go nowhere.

    Python flushes it once more when it exits, and would report the error in its own way.
    """
    failure: OSError | None = getattr(stream, "failure", None)
    with contextlib.suppress(ValueError):  # it was closed by the program that called
        try:
            stream.flush()
        except OSError as error:
            failure = failure or error
        if failure is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return failure
