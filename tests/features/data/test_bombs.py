"""Small files of features that claim or hold a lot: each costs one line, little time and little memory."""

import gzip
import io
import json
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recsys_ae.data.readers.bounded import bounds, zips
from recsys_ae.errors import DataError
from recsys_ae.features.data import pictures
from recsys_ae.features.data.movies import read_texts
from recsys_ae.features.data.read import read_features

image = pytest.importorskip("PIL.Image")
RATIO = "files of data are not compressed more than 200 times"


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def header(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue() + bytes(64)


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def idx(*shape: int, values: bytes = b"") -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + values


def objects() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object))
    return stream.getvalue()


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "zeros in npz": ("v.npz", lambda: npz(values=np.zeros((100, 2**18), np.float32)), RATIO),
    "a shape in npz": ("v.npz", lambda: zipped("values.npy", header((2**40, 4))), "claims to be"),
    "a shape in npy": ("v.npy", lambda: header((2**20, 2**20, 2**20)), "claims to be"),
    "a negative shape": ("v.npy", lambda: header((-1, 4)), "claims to be"),
    "objects in npz": ("v.npz", lambda: zipped("values.npy", objects()), "holds Python objects"),
    "a long header": ("v.npy", lambda: header((1,), "<f4" + " " * 20_000), "no array of numbers, or damaged"),
    "images in idx": ("v-idx3-ubyte", lambda: idx(2**31, 28, 28, values=bytes(784)), "is damaged"),
    "images in idx.gz": ("v-idx3-ubyte.gz", lambda: gzip.compress(idx(2**31, 28, 28, values=bytes(784))), "is damaged"),
    "black images": (
        "v-idx3-ubyte.gz", lambda: gzip.compress(idx(50_000, 28, 28, values=bytes(784 * 50_000)), 9), RATIO
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_one_line_and_little(tmp_path: Path, name: str) -> None:
    file, content, said = BOMBS[name]
    path = tmp_path / file
    path.write_bytes(content())
    start = time.process_time()
    with pytest.raises(DataError, match=said) as caught:
        read_features(str(path))
    assert time.process_time() - start < 5
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).count(str(path)) == 1
    assert str(caught.value).isprintable()


def test_an_npz_file_of_many_arrays_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "DIRECTORY", 20_000)
    path = tmp_path / "v.npz"
    np.savez(path, **{f"a{number}": np.zeros(1) for number in range(400)})  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"v\.npz: the directory of the zip archive has [0-9,]+ bytes, too many files"):
        read_features(str(path))


def test_arrays_larger_than_the_free_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "free_host_memory", lambda: 2**20)
    np.save(tmp_path / "v.npy", np.ones((2**19, 4), np.float32))
    (tmp_path / "v-idx3-ubyte").write_bytes(idx(2**11, 2**5, 2**5, values=bytes(2**21)))
    for name, size in (("v.npy", "8 MiB"), ("v-idx3-ubyte", "2 MiB")):
        with pytest.raises(DataError, match=f"{name}.* takes {size}, but 1 MiB of memory are free") as caught:
            read_features(str(tmp_path / name))
        assert str(caught.value).startswith(str(tmp_path / name))


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_pictures_are_bounded_before_they_are_decoded(tmp_path: Path, mode: str) -> None:
    image.new(mode, (9000, 9000)).save(tmp_path / "a.png")
    start = time.process_time()
    with pytest.raises(DataError, match=r"a\.png: [0-9,]+ bytes hold 324,000,000 or more.* scale it down"):
        read_features(str(tmp_path), image_size=4)
    assert time.process_time() - start < 1


def test_more_pixels_than_pillow_allows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "MAX_IMAGE_PIXELS", None)
    image.new("1", (20_000, 20_000)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=rf"has more than {pictures.MOST_PIXELS:,} pixels; scale it down"):
        read_features(str(tmp_path), image_size=4)


def test_an_archive_of_pictures_is_not_unpacked(tmp_path: Path) -> None:
    stream = io.BytesIO()
    image.new("L", (4, 4)).save(stream, "PNG")
    path = tmp_path / "inside" / "v.zip"
    path.parent.mkdir()
    path.write_bytes(zipped("../../evil.png", stream.getvalue()))
    with pytest.raises(DataError):
        read_features(str(path))
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["inside", "v.zip"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"[1]"),
        ("a.json", b'{"x": "text"}'),
        ("a.json", b'{"1": "text"'),
        ("a.json", b"[" * 100_000),
        ("a.json.gz", gzip.compress(b"\xff\xfe", mtime=0)),
        ("a.json.gz", gzip.compress(b'{"1": "' + b"a" * 2**26 + b'"}', 9, mtime=0)),
        ("a.dat", b"1::two\nx::three\n"),
        ("a.dat", b"1\n"),
        ("a.dat", b""),
        ("a.dat.gz", b"\x1f\x8b damaged"),
        ("a.dat.gz", gzip.compress(b"1::two\n" * 2**23, 9, mtime=0)),
        ("a.csv", b"movieId,1\nx,text\n"),
        ("a.csv", b"movieId,1\n\n"),
    ],
)
def test_texts_of_movies_are_read_or_refused_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_texts(path, "1")
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


def test_texts_of_movies_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes("1::Zoë::x\n\n22::b::c::d\n".encode("latin-1"))
    (tmp_path / "a.json").write_text(json.dumps({"1": "a", "22": None}))
    assert read_texts(tmp_path / "a.dat", "1").to_dict() == {1: "Zoë", 22: "b"}
    assert read_texts(tmp_path / "a.json", "1").to_dict() == {1: "a", 22: None}
