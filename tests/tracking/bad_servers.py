"""Servers on this machine that misbehave, each in its own way."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def drips_an_answer(connection: socket.socket) -> None:
    """Send one byte of the body at a time, for ever."""
    connection.sendall(OK + b"Content-Length: 100000\r\n\r\n")
    _repeat(connection, b" ", 0.2)


def drips_a_header(connection: socket.socket) -> None:
    """Send one byte of a header at a time, for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    _repeat(connection, b"X", 0.2)


def is_silent(connection: socket.socket) -> None:
    """Accept and never answer."""
    time.sleep(120)


def answers_500(connection: socket.socket) -> None:
    """Have an internal error."""
    connection.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def redirects(connection: socket.socket) -> None:
    """Redirect for ever."""
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def answers_garbage(connection: socket.socket) -> None:
    """Send bytes that are no answer."""
    connection.sendall(bytes(range(256)) * 20)


def answers_text(connection: socket.socket) -> None:
    """Send an answer that is no JSON."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")


def floods(connection: socket.socket) -> None:
    """Send an answer without an end, as fast as it is read."""
    connection.sendall(OK + b"\r\n")
    _repeat(connection, b"x" * 1_000_000, 0.0)


KINDS: dict[str, Callable[[socket.socket], None]] = {
    kind.__name__: kind
    for kind in (
        drips_an_answer, drips_a_header, is_silent, answers_500, redirects, answers_garbage, answers_text, floods,
    )
}  # fmt: skip


@contextlib.contextmanager
def bad_server(kind: str) -> Iterator[str]:
    """Listen on a port, treat each connection in one way after its first request, and yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):  # closed: the test is over
                while True:
                    connection = listener.accept()[0]
                    threading.Thread(target=_treat, args=(KINDS[kind], connection), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _treat(kind: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        connection.recv(65_536)
        kind(connection)


def _repeat(connection: socket.socket, piece: bytes, pause: float) -> None:
    while True:
        connection.sendall(piece)
        time.sleep(pause)
