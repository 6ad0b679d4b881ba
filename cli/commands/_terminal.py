"""Standard output and error as a terminal may safely receive them: without escape codes of ids, titles and names."""

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any

from recsys_ae.errors import printable


class PrintableStream(io.TextIOWrapper):
    """A text stream that writes `printable` text to the buffer of another one.

    It is the last guard for all that a command prints: its help, tracebacks, and messages of other packages. ``plain``
    is the other stream, for programs that control a terminal on purpose. ``failure`` is the error of the first text
    that could not be written: Python drops such a text, so that later ones may seem to be written.
    """

    failure: OSError | None = None

    def __init__(self, plain: io.TextIOWrapper) -> None:
        super().__init__(
            plain.buffer,
            plain.encoding,
            plain.errors,
            line_buffering=plain.line_buffering,
            write_through=plain.write_through,
        )
        self.plain = plain

    def write(self, text: str) -> int:
        """Write text; return its length."""
        with self._noting_failure():
            super().write(printable(text))
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        with self._noting_failure():
            super().flush()

    def close(self) -> None:
        """Do nothing: the buffer belongs to the other stream."""

    @contextlib.contextmanager
    def _noting_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = self.failure or error
            raise


@contextlib.contextmanager
def printable_streams() -> Iterator[None]:
    """Guard standard output and standard error; streams that are closed, or are no files of text, stay as they are."""
    with contextlib.ExitStack() as stack:
        for name in ("stdout", "stderr"):
            stack.enter_context(_guarded(name))
        yield


@contextlib.contextmanager
def _guarded(name: str) -> Iterator[None]:
    plain: Any = getattr(sys, name)
    if not isinstance(plain, io.TextIOWrapper) or plain.closed:
        yield
        return
    plain.flush()
    stream = PrintableStream(plain)
    setattr(sys, name, stream)
    try:
        yield
    finally:
        setattr(sys, name, plain)
        with contextlib.suppress(OSError):  # a failure was reported when the command flushed its output
            stream.flush()
