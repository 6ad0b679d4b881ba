"""Tests of downloads: complete and verified, or absent; a local server replaces the publishers."""

import gc
import gzip
import hashlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from recsys_ae.data import catalog, download
from recsys_ae.data.dataset_info import Info, Remote
from recsys_ae.data.readers.bounded import transfer
from recsys_ae.errors import ConfigError, DataError, MissingPackageError
from tests.storage.killed import run_killed

CONTENT = bytes(range(256)) * 4_000
MD5 = hashlib.md5(CONTENT).hexdigest()


# The HTTP library leaves the socket of a failed answer to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(autouse=True)
def _sockets_are_collected_here() -> Iterator[None]:
    yield
    gc.collect()


class Publisher:
    """Answers of the server: the body and the promised length for each path."""

    def __init__(self) -> None:
        self.bodies: dict[str, tuple[bytes, int]] = {}
        self.asked: list[str] = []
        self.address = ""

    def offer(self, path: str, body: bytes, promised: int | None = None) -> str:
        self.bodies[f"/{path}"] = (body, len(body) if promised is None else promised)
        return f"{self.address}/{path}"


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    offered = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            offered.asked.append(self.path)
            if self.path not in offered.bodies:
                self.send_error(404)
                return
            body, promised = offered.bodies[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        offered.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield offered
        server.shutdown()


def everything_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def offered_info(publisher: Publisher, checksum: str | None = f"md5:{MD5}") -> Info:
    remote = Remote(publisher.offer("ml-1m.zip", CONTENT), "ml-1m.zip", checksum)
    return replace(catalog.info("ml-1m"), files=(remote,))


def test_a_download_arrives_whole_and_tells_its_progress(publisher: Publisher, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    remote = Remote(publisher.offer("a.zip", CONTENT), "folder/a.zip", f"md5:{MD5}")
    download.download(remote, tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert (tmp_path / "folder/a.zip").read_bytes() == CONTENT
    assert everything_in(tmp_path) == ["folder", "folder/a.zip"]
    done = [one for one, _ in calls]
    assert len(calls) > 2
    assert done == sorted(done)
    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert {total for _, total in calls} == {len(CONTENT)}


def test_a_file_with_a_wrong_checksum_is_thrown_away(publisher: Publisher, tmp_path: Path) -> None:
    remote = Remote(publisher.offer("a.zip", CONTENT + b"!"), "a.zip", f"md5:{MD5}")
    with pytest.raises(DataError, match=f"is not what its publisher describes.* instead of {MD5}.*by hand to"):
        download.download(remote, tmp_path)
    assert everything_in(tmp_path) == []


def test_a_file_that_breaks_off_is_thrown_away(publisher: Publisher, tmp_path: Path) -> None:
    remote = Remote(publisher.offer("a.zip", CONTENT[:1000], promised=len(CONTENT)), "a.zip", f"md5:{MD5}")
    with pytest.raises(DataError, match=r"a\.zip (could not be downloaded|is not what)"):
        download.download(remote, tmp_path)
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("checksum", [f"md5:{MD5}", None])
def test_what_a_killed_download_left_is_removed_by_the_next(
    checksum: str | None, publisher: Publisher, tmp_path: Path
) -> None:
    remote = Remote(publisher.offer("a.zip", CONTENT), "a.zip", checksum)
    publisher.offer("a.zip.md5", MD5.encode())
    script = (
        f"from recsys_ae.data import download\nfrom recsys_ae.data.dataset_info import Remote\n"
        f"download._verify = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"download.download({remote!r}, Path(sys.argv[1]))\n"
    )
    run_killed(script, tmp_path)
    assert len(everything_in(tmp_path)) > 1
    download.download(remote, tmp_path)
    assert everything_in(tmp_path) == ["a.zip"]


def test_a_failed_download_leaves_the_old_file(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"old")
    remote = Remote(publisher.offer("a.zip", b"new"), "a.zip", f"md5:{MD5}")
    with pytest.raises(DataError):
        download.download(remote, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == b"old"
    assert everything_in(tmp_path) == ["a.zip"]


def test_a_missing_file_says_what_to_download_where(publisher: Publisher, tmp_path: Path) -> None:
    remote = Remote(f"{publisher.address}/gone.zip", "gone.zip", f"md5:{MD5}")
    with pytest.raises(DataError, match=r"gone\.zip could not be downloaded \(404.*by hand to .*gone\.zip") as caught:
        download.download(remote, tmp_path)
    assert "\n" not in str(caught.value)
    assert everything_in(tmp_path) == []


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # Port 1 refuses connections.
    remote = Remote("http://127.0.0.1:1/a.zip", "a.zip", f"md5:{MD5}")
    with pytest.raises(DataError, match="could not be downloaded") as caught:
        download.download(remote, tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_folder_that_cannot_be_made_is_a_data_error(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    remote = Remote(publisher.offer("a.zip", CONTENT), "a.zip", f"md5:{MD5}")
    with pytest.raises(DataError, match="could not be downloaded"):
        download.download(remote, tmp_path / "file")
    assert publisher.asked == []


@pytest.mark.parametrize("sidecar", [f"MD5 (a.zip) = {MD5}\n", f"{MD5.upper()}  a.zip\n"])
def test_a_set_that_changes_is_checked_against_its_published_md5(
    publisher: Publisher, tmp_path: Path, sidecar: str
) -> None:
    publisher.offer("a.zip.md5", sidecar.encode())
    download.download(Remote(publisher.offer("a.zip", CONTENT), "a.zip", None), tmp_path)
    assert everything_in(tmp_path) == ["a.zip"]
    with pytest.raises(DataError, match="is not what its publisher describes"):
        download.download(Remote(publisher.offer("a.zip", b"other"), "a.zip", None), tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_published_md5_that_is_none_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    publisher.offer("a.zip.md5", b"<html>sorry</html>")
    with pytest.raises(DataError, match="holds no MD5"):
        download.download(Remote(publisher.offer("a.zip", CONTENT), "a.zip", None), tmp_path)
    assert everything_in(tmp_path) == []


def test_fetching_shows_size_and_licence_once(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = offered_info(publisher)
    monkeypatch.setattr(download, "info", lambda name: description)
    announcements: list[str] = []
    assert download.fetch("ml-1m", tmp_path, announce=announcements.append) == tmp_path / "ml-1m.zip"
    assert download.fetch("ml-1m", tmp_path, announce=announcements.append) == tmp_path / "ml-1m.zip"
    assert publisher.asked == ["/ml-1m.zip"]
    assert len(announcements) == 1
    assert "5.9 MB" in announcements[0]
    assert "no redistribution" in announcements[0]
    assert description.files[0].url in announcements[0]


def test_fetching_goes_to_the_default_folder(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = offered_info(publisher)
    monkeypatch.setattr(download, "info", lambda name: description)
    monkeypatch.setenv("RECSYS_AE_DATA", str(tmp_path / "named"))
    assert download.fetch("ml-1m") == tmp_path / "named/ml-1m.zip"


def test_a_set_of_two_files_is_fetched_into_its_folder(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remotes = catalog.info("gowalla").files
    files = tuple(
        replace(remote, url=publisher.offer(remote.path, CONTENT), checksum=f"md5:{MD5}") for remote in remotes
    )
    description = replace(catalog.info("gowalla"), files=files)
    monkeypatch.setattr(download, "info", lambda name: description)
    assert download.fetch("gowalla", tmp_path) == tmp_path / "gowalla"
    assert everything_in(tmp_path) == ["gowalla", "gowalla/test.txt", "gowalla/train.txt"]


def test_the_sample_is_not_downloaded() -> None:
    with pytest.raises(ConfigError, match="generated"):
        download.fetch("sample")


def test_without_pooch_the_message_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingPackageError, match="pooch"):
        download.fetch("ml-1m", tmp_path)
    assert everything_in(tmp_path) == []


def test_pooch_is_imported_only_by_a_download() -> None:
    code = "import sys, recsys_ae.data.named; sys.exit('pooch' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", [name for name in catalog.names() if name != "sample"])
def test_every_download_has_a_checksum_a_size_and_a_licence(name: str) -> None:
    description = catalog.info(name)
    assert (description.size > 0) == bool(description.files)
    assert bool(description.by_hand) != bool(description.files)
    assert description.page.startswith(("https://", "http://millionsongdataset.com/"))
    assert description.licence
    for remote in description.files:
        assert remote.url.startswith("https://")
        if remote.checksum is None:
            assert name.startswith("ml-latest")
        else:
            algorithm, digest = remote.checksum.split(":")
            assert len(digest) == hashlib.new(algorithm).digest_size * 2
            assert int(digest, 16) >= 0


class Hostile:
    """A server that answers each request by a function of its socket."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self.answer = answer

    def __enter__(self) -> str:
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/a.zip"

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.recv(2**16)
            self.answer(connection)


def answered(head: str, body: bytes = b"", again: bytes = b"", pause: float = 0.0) -> Callable[[socket.socket], None]:
    """Return an answer: a head, a body, and bytes that are sent again and again."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 {head}\r\n\r\n".encode("latin-1") + body)
        while again:
            connection.sendall(again)
            time.sleep(pause)

    return answer


def header_for_ever(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"a")
        time.sleep(0.05)


ENDLESS = {
    "more than it promises": (answered("200 OK\r\nContent-Length: 10", CONTENT), "is not what its publisher"),
    "without end": (answered("200 OK", again=bytes(2**16)), "sends 1,[0-9,]+ bytes or more, but at most 1,048,576"),
    "a huge promise": (answered("200 OK\r\nContent-Length: 99999999999"), "sends 99,999,999,999 bytes or more"),
    "less than it promises": (
        answered("200 OK\r\nContent-Length: 99999", CONTENT[:999]), "could not be downloaded|is not what"
    ),
    "a gzip bomb": (
        answered("200 OK\r\nContent-Encoding: gzip", gzip.compress(bytes(2**24))), "sends 1,[0-9,]+ bytes or more"
    ),
    "drips": (answered("200 OK\r\nContent-Length: 99999", again=b"a", pause=0.05), "too little: less than 65,536"),
    "drips in the head": (header_for_ever, "sends too little"),
    "silence": (lambda connection: time.sleep(2), "sends too little"),
    "no HTTP": (lambda connection: connection.sendall(b"\x1b[2Jwhat?\r\n\r\n"), "could not be downloaded"),
    "a wrong size": (answered("200 OK\r\nContent-Length: many", CONTENT[:9]), "could not be downloaded|is not what"),
    "to a file": (answered("302 Found\r\nLocation: file:///etc/passwd"), "leads to file:///etc/passwd, but only http"),
    "to itself": (answered("302 Found\r\nLocation: /a.zip"), "could not be downloaded"),
    "nowhere": (answered("302 Found\r\nLocation: http://127.0.0.1:1/\x9b2J"), "could not be downloaded"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_hostile_server_costs_one_line_and_little_time(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfer, "STALL", 0.5)
    answer, said = ENDLESS[kind]
    start = time.monotonic()
    with Hostile(answer) as url, pytest.raises(DataError, match=said) as caught:
        download.download(Remote(url, "a.zip", f"md5:{MD5}"), tmp_path, most=2**20)
    assert time.monotonic() - start < 8
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
    assert everything_in(tmp_path) == []


def test_https_does_not_lead_to_http() -> None:
    class Answer:
        is_redirect = True
        url = "https://127.0.0.1/a.zip"
        headers: ClassVar[dict[str, str]] = {"location": "http://127.0.0.1/a.zip"}

    with pytest.raises(OSError, match=r"leads to http://127\.0\.0\.1/a\.zip, but only https are followed"):
        transfer._Receiver("https://127.0.0.1/a.zip", 1)._check(Answer())
    Answer.headers["location"] = "//127.0.0.1/b.zip"
    transfer._Receiver("https://127.0.0.1/a.zip", 1)._check(Answer())


def test_a_data_set_is_not_larger_than_its_description_says(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = replace(offered_info(publisher), size=len(CONTENT) - 1)
    monkeypatch.setattr(download, "info", lambda name: description)
    with pytest.raises(DataError, match=f"but at most {len(CONTENT) - 1:,} are expected"):
        download.fetch("ml-1m", tmp_path)
    # A file without a pinned checksum may grow.
    publisher.offer("ml-1m.zip.md5", f"{MD5}\n".encode())
    changing = replace(offered_info(publisher, None), size=len(CONTENT) // 2)
    monkeypatch.setattr(download, "info", lambda name: changing)
    assert download.fetch("ml-1m", tmp_path).read_bytes() == CONTENT
    (tmp_path / "ml-1m.zip").unlink()
    publisher.offer("ml-1m.zip.md5", bytes(2**17))
    with pytest.raises(DataError, match="131,072 bytes or more"):
        download.fetch("ml-1m", tmp_path)
    assert everything_in(tmp_path) == []
