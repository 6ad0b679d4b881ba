"""Server of an archive on this machine, which sends it slowly."""

import hashlib
import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from recsys_ae.data import download
from recsys_ae.data.catalog import info
from recsys_ae.data.dataset_info import Remote

CHUNK, PAUSE = 1 << 16, 0.01


def archive() -> bytes:
    """Return the bytes that stand for the archive of a data set."""
    return np.random.default_rng(0).bytes(20 * CHUNK + 1234)


@dataclass(frozen=True)
class Offered:
    """Preparation of a process, after which it downloads from a server of this machine."""

    address: str

    def __call__(self) -> None:
        """Replace the address and the checksum of the data set."""
        remote = Remote(f"{self.address}/ml-100k.zip", "ml-100k.zip", f"md5:{hashlib.md5(archive()).hexdigest()}")  # noqa: S324
        download.info = lambda name: replace(info(name), files=(remote,))


class _Sender(BaseHTTPRequestHandler):
    """Handler that sends the archive slowly enough to be interrupted."""

    def do_GET(self) -> None:
        """Send the archive."""
        content = archive()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(OSError):
            for begin in range(0, len(content), CHUNK):
                self.wfile.write(content[begin : begin + CHUNK])
                time.sleep(PAUSE)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


class Publisher(ThreadingHTTPServer):
    """Server of the archive on this machine, in a process that ends with this one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Sender)
        self.parent = os.getpid()
        self.address = f"http://127.0.0.1:{self.server_port}"
        if os.fork() == 0:
            try:
                self.serve_forever()
            finally:
                os._exit(0)

    def service_actions(self) -> None:
        """End with the parent."""
        if os.getppid() != self.parent:
            os._exit(0)
