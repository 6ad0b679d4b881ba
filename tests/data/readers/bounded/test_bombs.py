"""Small files that claim or hold a lot: each costs one line, little time and little memory."""

import bz2
import gzip
import io
import lzma
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from recsys_ae.data.readers.bounded import bounds, zips
from recsys_ae.data.readers.bounded.bounds import BoundedStream, refuse_beyond_memory, refuse_expansion, whole
from recsys_ae.data.readers.read import read_interactions
from recsys_ae.data.reading import Reading
from recsys_ae.errors import DataError

HEAD, ROW = b"user,item,rating,timestamp\n", b"1,1,3,1000000\n"
MANY = ROW * 2**20
"""14 MiB of rows."""
RATIO = r"bytes hold [0-9,]+ or more, but files of data are not compressed more than 100 times; .* give the plain file"

LONG = "row 1 is longer than 16,777,216 characters"


def zipped(content: bytes, name: str = "r.csv", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def claiming(archive: bytes, size: int, packed: int | None = None) -> bytes:
    """Return an archive whose only member claims other sizes, in both of its headers."""
    changed = bytearray(archive)
    for mark, packed_at in ((b"PK\x01\x02", 20), (b"PK\x03\x04", 18)):
        start = changed.index(mark)
        struct.pack_into("<L", changed, start + packed_at + 4, size)
        if packed is not None:
            struct.pack_into("<L", changed, start + packed_at, packed)
    return bytes(changed)


def with_many_members(n: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(n):
            archive.writestr(zipfile.ZipInfo(f"{number}.csv"), b"")
    return stream.getvalue()


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "gzip": ("r.csv.gz", lambda: gzip.compress(HEAD) + gzip.compress(MANY, 1) * 60, RATIO),
    "bzip2": ("r.csv.bz2", lambda: bz2.compress(HEAD) + bz2.compress(MANY, 1) * 60, RATIO),
    "xz": ("r.csv.xz", lambda: lzma.compress(HEAD) + lzma.compress(MANY, preset=0) * 60, RATIO),
    "zip": ("r.zip", lambda: zipped(HEAD + MANY * 3), RATIO),
    "gzip in zip": ("r.zip", lambda: zipped(gzip.compress(HEAD) + gzip.compress(MANY, 1) * 60, "r.csv.gz"), RATIO),
    "zip in zip": ("r.zip", lambda: zipped(zipped(HEAD + MANY), "r.zip"), "this is not a text file"),
    "a zip that claims too little": ("r.zip", lambda: claiming(zipped(HEAD + MANY * 3), 999), "truncated or damaged"),
    "a zip that claims to be less": ("r.zip", lambda: claiming(zipped(HEAD + MANY * 3), 2**25 + 1, 2**31), RATIO),
    "a zip that claims too much": ("r.zip", lambda: claiming(zipped(HEAD + ROW), 2**31), RATIO),
    "a zip by another method": ("r.zip", lambda: zipped(HEAD + MANY, method=zipfile.ZIP_LZMA), "not compressed by"),
    "empty parts": ("r.csv.gz", lambda: gzip.compress(b"") * 150_000 + gzip.compress(HEAD + ROW), "hold less than"),
    "lines of JSON": ("r.jsonl.gz", lambda: gzip.compress(b'{"user":' + b" " * 2**26 + b"1}\n"), LONG),
    "a long line of JSON": ("r.jsonl", lambda: b'{"user": "' + b"a" * 2**25 + b'", "item": 1}', LONG),
    "deep JSON": ("r.jsonl", lambda: b'{"user":' + b"[" * 10**6, "row 1 is not a JSON object"),
    "zeros": ("r.csv.gz", lambda: gzip.compress(bytes(2**26)), "this is not a text file"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_one_line_and_little(tmp_path: Path, name: str) -> None:
    file, content, said = BOMBS[name]
    path = tmp_path / file
    path.write_bytes(content())
    start = time.process_time()
    with pytest.raises(DataError, match=said) as caught:
        read_interactions(path, duplicates="last")
    assert time.process_time() - start < 15
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


def test_lists_of_ids_and_of_items_are_bounded_too(tmp_path: Path) -> None:
    ids, lists = tmp_path / "ids.txt.gz", tmp_path / "lists.txt.gz"
    ids.write_bytes(gzip.compress(b"abc\n" * 2**24))
    lists.write_bytes(gzip.compress(b"1 2 3 4 5 6 7 8\n" * 2**22))
    with pytest.raises(DataError, match=RATIO):
        Reading().read_ids(ids, "user")
    with pytest.raises(DataError, match=RATIO):
        read_interactions(lists, layout="lists")


def test_rows_that_parquet_stores_once_are_bounded(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    ones = pa.array(np.ones(2**20, np.int64))
    table, path = pa.table({"user": ones, "item": ones}), tmp_path / "r.parquet"
    with parquet.ParquetWriter(path, table.schema) as writer:
        for _ in range(20):
            writer.write_table(table)
    with pytest.raises(DataError, match=r"are not compressed more than 1,000 times; if you trust it, write it as CSV"):
        read_interactions(path, duplicates="last")


def test_an_archive_of_many_files_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "DIRECTORY", 20_000)
    for name, content in (
        ("a.zip", with_many_members(400)),
        ("commented.zip", with_many_members(400)[:-2] + b"\x07\0comment"),
        ("64.zip", with_many_members(70_000)),  # its end has the form of large archives
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"the directory of the zip archive has [0-9,]+ bytes, too many files"):
            read_interactions(path)
    path.write_bytes(with_many_members(100))
    with pytest.raises(DataError, match=r"holds 100 files; give one of them"):
        read_interactions(path)


def test_what_real_files_reach_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"user_{u:012},item_{i:012},1,2020-01-01T00:00:00Z" for u in range(2000) for i in rng.permutation(5000)[:99]
    ]
    text = ("user,item,rating,timestamp\n" + "\n".join(rows)).encode() * 1
    quick = partial(lzma.compress, preset=1)
    for name, compress in (("a.csv.gz", gzip.compress), ("a.csv.xz", quick), ("a.csv.bz2", bz2.compress)):
        path = tmp_path / name
        path.write_bytes(compress(text))
        assert len(text) / path.stat().st_size < bounds.TEXT_RATIO / 2
        assert read_interactions(path).nnz == len(rows)


@pytest.mark.parametrize("size", [1, 1000, 2**20, 3 * 2**20 + 7, -1])
def test_a_bounded_stream_yields_the_content(size: int) -> None:
    content = np.random.default_rng(0).bytes(5 * 2**20 + 3)[: 2**16 if size == 1 else None]
    raw = io.BytesIO(gzip.compress(content[:1000]) + gzip.compress(content[1000:]))
    stream = BoundedStream(lambda file: gzip.GzipFile(fileobj=file), raw, raw.tell)
    blocks = list(iter(lambda: stream.read(size), b""))
    assert b"".join(blocks) == content
    assert all(len(block) == size for block in blocks[:-1])
    raw.seek(0)
    text = io.TextIOWrapper(
        BoundedStream(lambda file: gzip.GzipFile(fileobj=file), raw, raw.tell), "latin-1", newline=""
    )
    assert text.read() == content.decode("latin-1")


def test_a_bounded_stream_stops_within_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "SMALL", 2**20)
    raw = io.BytesIO(gzip.compress(bytes(2**27), 1))
    stream = BoundedStream(lambda file: gzip.GzipFile(fileobj=file), raw, raw.tell, ratio=100)
    tracemalloc.start()
    with pytest.raises(DataError, match="more than 100 times"):
        stream.read(2**40)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20


def test_what_exceeds_the_free_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "free_host_memory", lambda: 3 * 2**20)
    monkeypatch.setattr(bounds, "SMALL", 2**20)
    refuse_beyond_memory(3 * 2**20, "a table")
    with pytest.raises(DataError, match=r"a table takes 4 MiB, but 3 MiB of memory are free"):
        refuse_beyond_memory(4 * 2**20, "a table")
    assert whole([b"a", b"b"]) == b"ab"
    with pytest.raises(DataError, match="the content of the file takes 4 MiB"):
        whole(bytes(2**20) for _ in range(10**9))
    monkeypatch.setattr(bounds, "free_host_memory", lambda: None)
    refuse_beyond_memory(2**60, "a table")


def test_a_table_of_dense_text_must_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "free_host_memory", lambda: 2**26)
    monkeypatch.setattr(bounds, "SMALL", 2**20)
    path = tmp_path / "r.csv.gz"
    rng = np.random.default_rng(0)
    rows = "".join(f"{user},{item},1,1000000000000000\n" * 9 for user, item in rng.integers(0, 99, (70_000, 2)))
    path.write_bytes(gzip.compress(HEAD + rows.encode()))
    with pytest.raises(DataError, match=r"r\.csv\.gz: a table of this file takes 65 MiB, but 64 MiB of memory"):
        read_interactions(path, duplicates="last")


def test_a_small_content_may_have_any_ratio() -> None:
    refuse_expansion(bounds.SMALL, 1)
    with pytest.raises(DataError):
        refuse_expansion(bounds.SMALL + 1, 1)
    refuse_expansion(bounds.SMALL * 100, bounds.SMALL)
