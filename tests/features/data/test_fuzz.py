"""Damaged and random files of features: each is read, or refused with one line that begins with its path."""

import gzip
import io
import math
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_ae.errors import ConfigError, DataError, printable
from recsys_ae.features.data.features import Features
from recsys_ae.features.data.read import read_features

image = pytest.importorskip("PIL.Image")
Rng = np.random.Generator


def npy(rng: Rng) -> bytes:
    stream = io.BytesIO()
    np.save(stream, rng.normal(size=(3, 4)).astype(rng.choice(["f4", "f8", "i2", ">f4", "f2"])))
    return stream.getvalue()


def npz(rng: Rng) -> bytes:
    stream = io.BytesIO()
    save = np.savez if rng.random() < 0.5 else np.savez_compressed
    save(stream, values=rng.normal(size=(3, 2, 2)), ids=np.array(["a", "b", "c"]), lengths=np.array([1, 2, 1]))
    return stream.getvalue()


def idx(rng: Rng) -> bytes:
    content = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4]) + rng.bytes(32)
    return gzip.compress(content) if rng.random() < 0.5 else content


def idx_header(*shape: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + b"".join(side.to_bytes(4, "big") for side in shape)


def zeros(rng: Rng) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, values=np.zeros((3, 4000)))
    return stream.getvalue()


def picture(rng: Rng, kind: str) -> bytes:
    modes = {"JPEG": ["L", "RGB", "CMYK"], "BMP": ["1", "L", "RGB"], "WEBP": ["RGB", "RGBA"], "GIF": ["P", "L"]}
    mode = str(rng.choice(modes.get(kind, ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])))
    pixels = rng.integers(0, 256, (9, 7, 3)).astype(np.uint8)
    plain = image.fromarray(pixels)
    if mode == "I;16":
        plain = image.fromarray(pixels[..., 0].astype(np.uint16) * 200)
    stream, exif = io.BytesIO(), image.Exif()
    exif[0x0112] = int(rng.integers(0, 10))
    (plain if plain.mode == mode else plain.convert(mode)).save(
        stream, kind, **({"exif": exif} if kind in EXIF else {})
    )
    return stream.getvalue()


EXIF = ("PNG", "JPEG", "TIFF", "WEBP")
EXTREMES = (
    b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b",,,\n", b"\x1b[2J", b"\xe2\x80\xae", b"\xc2\x9b2J",
    b"\0\0\0\x80", b"PK\x05\x06", b"\x1f\x8b\x08\0",
)  # fmt: skip
TABLE = "item,year,price,seen,plot\n1,1999,1.5,True,a war\n2,NA,2.25,False,love\n3,,3e2,true,\n"


def table(rng: Rng) -> bytes:
    frame = pd.read_csv(io.StringIO(TABLE))
    text = frame.to_csv(index=bool(rng.random() < 0.3), sep=str(rng.choice([",", ";", "\t"]))).encode()
    return gzip.compress(text) if rng.random() < 0.2 else text


def parquet(rng: Rng) -> bytes:
    stream = io.BytesIO()
    compression = str(rng.choice(["snappy", "zstd", "gzip"])) if rng.random() < 0.5 else None
    pd.read_csv(io.StringIO(TABLE)).to_parquet(stream, compression=compression)
    return stream.getvalue()


WRITERS: dict[str, tuple[str, Callable[[Rng], bytes]]] = {
    "npy": ("v.npy", npy),
    "npz": ("v.npz", npz),
    "idx": ("v-idx3-ubyte", idx),
    "black idx": ("v-idx3-ubyte.gz", lambda rng: gzip.compress(idx_header(3, 40, 40) + bytes(4_800))),
    "zeros": ("zeros.npz", zeros),
    "table": ("v.csv", table),
    "parquet": ("v.parquet", parquet),
    **{
        kind: (f"pictures/v.{kind.lower()}", lambda rng, kind=kind: picture(rng, kind))  # type: ignore[misc]
        for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
    },
}


def damaged(content: bytes, rng: Rng) -> bytes:
    """Return a file with changed, removed, repeated or exchanged bytes, or random bytes."""
    if rng.random() < 0.05:
        return rng.bytes(int(rng.integers(0, 200)))
    changed = bytearray(content)
    for _ in range(int(rng.geometric(0.4))):
        if not changed:
            break
        start = int(rng.integers(len(changed)))
        end = min(len(changed), start + int(rng.geometric(0.2)))
        match int(rng.integers(5)):
            case 0:
                changed[start] = int(rng.integers(256))
            case 1:
                changed[start] ^= 1 << int(rng.integers(8))
            case 2:
                del changed[start:end]
            case 3:
                changed[start:start] = changed[start:end] * int(rng.integers(1, 4))
            case _:
                changed = changed[:start] if rng.random() < 0.3 else changed
                changed[start : start + 4] = EXTREMES[int(rng.integers(len(EXTREMES)))]
    return bytes(changed)


def tried(name: str, folder: Path, n: int, seed: int) -> Counter[str]:
    """Read n damaged files; return how many were read and refused. Any other error is raised."""
    file, write = WRITERS[name]
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    source = str(path.parent if path.parent != folder else path)
    outcomes = Counter[str]()
    for trial in range(n):
        rng = np.random.default_rng((seed, trial))
        path.write_bytes(damaged(write(rng), rng))
        is_table = name in ("table", "parquet")
        columns = ":year,price,seen" if is_table and rng.random() < 0.7 else ""
        texts = ["plot"] if is_table and rng.random() < 0.3 else []
        try:
            features = read_features(source + columns, texts=texts, image_size=None if source == str(path) else 4)
        except (DataError, ConfigError) as error:
            assert str(path) in str(error) or str(path.parent) in str(error), str(error)  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
            assert printable(str(error)) == str(error)  # noqa: PT017
            outcomes["refused"] += 1
            continue
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}, trial {trial}: {type(error).__name__}: {error}") from error
        assert isinstance(features, Features)
        outcomes["read"] += 1
    return outcomes


@pytest.mark.parametrize("name", WRITERS)
def test_files_as_they_are_written_are_read(tmp_path: Path, name: str) -> None:
    file, write = WRITERS[name]
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(write(np.random.default_rng(0)))
    source = f"{path}:year,price" if name in ("table", "parquet") else str(path if "/" not in file else path.parent)
    assert len(read_features(source)) in (1, 2, 3)


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_files_are_read_or_named(tmp_path: Path, name: str) -> None:
    outcomes = tried(name, tmp_path, 40, 0)
    assert outcomes["refused"] >= 4


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", WRITERS)
def test_many_damaged_files_are_read_or_named(tmp_path: Path, name: str) -> None:
    n = math.ceil(20_000 / len(WRITERS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = tried(name, tmp_path, n, 1)
    assert outcomes.total() == n
