"""Standard streams that are closed, full, or no longer read."""

import contextlib
import os
import sys
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
