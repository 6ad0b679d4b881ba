"""Transfer of a file by HTTP, bounded in size and time whatever the server does."""

import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from queue import Empty, Queue
from types import ModuleType
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from recsys_ae.errors import MissingPackageError

Progress = Callable[[int, int], None]
TIMEOUT = 30
"""Seconds without a byte."""
STALL = 60
"""Seconds in which a chunk must be complete, also the first one, so 1 KiB per second or more."""
CHUNK = 1 << 16
WAITING = 256
"""Largest number of chunks that wait to be written."""


def transfer(url: str, file: IO[bytes], most: int, *, progress: Progress | None = None) -> None:
    """Write the content at an address to a file.

    Parameters
    ----------
    most
        Largest number of bytes to accept.
    progress
        Called with the received bytes and the size of the content; the size is 0 if the server does not send it.

    Raises
    ------
    OSError
        If the transfer fails, has too many bytes, stalls, or leads to an address that is not by HTTPS as the first.
    """
    receiver = _Receiver(url, most)
    threading.Thread(target=receiver.run, args=(_pooch(),), name="recsys-ae-download", daemon=True).start()
    received = 0
    try:
        while (chunk := receiver.next()) is not None:
            file.write(chunk)
            received += len(chunk)
            if progress is not None:
                progress(received, receiver.total)
    finally:
        receiver.give_up()


class _Receiver:
    """A transfer in a thread of its own, which is given up when it stalls, whatever it waits for.

    It is the file to which pooch writes. The HTTP library bounds the time between two bytes only, so that a server can
    send a byte each 29 seconds for years.
    """

    def __init__(self, url: str, most: int) -> None:
        self.url, self.most = url, most
        self.total = self.received = 0
        self.given_up = False
        self.chunks: Queue[bytes | Exception | None] = Queue(WAITING)

    def run(self, pooch: ModuleType) -> None:
        """Receive the content; the last thing in the queue is None or an error."""
        headers = {"Accept-Encoding": "identity"}  # the size is that of the file
        settings: dict[str, Any] = {"hooks": {"response": self._check}, "headers": headers, "timeout": TIMEOUT}
        try:
            pooch.HTTPDownloader(chunk_size=CHUNK, **settings)(self.url, self, None)
            self.chunks.put(None)
        except Exception as error:  # raised again by `next`
            self.chunks.put(error)

    def next(self) -> bytes | None:
        """Return the next chunk; None at the end."""
        try:
            chunk = self.chunks.get(timeout=STALL)
        except Empty:
            raise TimeoutError(f"the server sends too little: less than {CHUNK:,} bytes in {STALL:g} seconds") from None
        if isinstance(chunk, Exception):
            raise chunk if isinstance(chunk, OSError) else OSError(f"the answer is damaged: {chunk}")
        return chunk

    def give_up(self) -> None:
        """Make the thread end when it next has something to say."""
        self.given_up = True
        with suppress(Empty):
            while True:
                self.chunks.get_nowait()

    def write(self, chunk: bytes) -> None:
        """Take a chunk, in the thread."""
        self.received += len(chunk)
        self._refuse(self.received)
        self.chunks.put(chunk)

    def flush(self) -> None:
        """Do nothing: the chunk is on its way."""

    def _check(self, response: Any, **_: Any) -> None:
        """Refuse an answer that promises too many bytes, or leads away from HTTPS."""
        if response.is_redirect:
            address = urljoin(response.url, response.headers["location"])
            allowed = {"https", urlsplit(self.url).scheme}
            if urlsplit(address).scheme not in allowed:
                raise OSError(f"the server leads to {address}, but only {' and '.join(sorted(allowed))} are followed")
            return
        size = response.headers.get("content-length", "")
        self.total = int(size) if size.isascii() and size.isdigit() else 0
        self._refuse(self.total)

    def _refuse(self, size: int) -> None:
        if self.given_up:
            raise OSError("the transfer was given up")
        if size > self.most:
            raise OSError(f"the server sends {size:,} bytes or more, but at most {self.most:,} are expected")


def _pooch() -> ModuleType:
    try:
        return import_module("pooch")
    except ImportError as error:
        raise MissingPackageError(
            "downloads need the package pooch: pip install pooch, or put the publisher's files into the data folder"
        ) from error
