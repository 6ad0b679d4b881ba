"""Images as features: idx files such as those of MNIST, and folders of pictures; pixels from 0 to 1."""

import gzip
import zlib
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import Ids
from recsys_ae.errors import Argument, ConfigError, DataError, MissingPackageError
from recsys_ae.features.data.features import Features

EMNIST = tuple(f"emnist-{name}" for name in ("letters", "balanced", "digits", "mnist", "byclass", "bymerge"))
"""Parts of EMNIST (Cohen et al. 2017), whose one archive holds the files of all."""
NAMED = ("mnist", "fashion-mnist", *EMNIST)
FILES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
SIZE = 64
"""Default side of a picture of a folder, in pixels."""
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
HEADER, UNSIGNED = 16, 0x08


def read_named_images(name: str, folder: Path, part: str = "train") -> Features:
    """Read the ``train`` or ``test`` images of MNIST, Fashion-MNIST or a part of EMNIST from the folder of that name.

    The files of EMNIST may also lie together in a folder ``emnist``.
    """
    return read_idx(find_named_images(name, folder, part), transposed=name in EMNIST)


def find_named_images(name: str, folder: Path, part: str = "train") -> Path:
    """Return the path of the ``train`` or ``test`` images of a named data set."""
    if part not in FILES:
        raise DataError(f"{name} has the parts train and test, not {part!r}")
    file = f"{name}-{part}-images-idx3-ubyte" if name in EMNIST else FILES[part]
    for subfolder in (folder / name, folder / "emnist") if name in EMNIST else (folder / name,):
        for path in (subfolder / f"{file}.gz", subfolder / file):
            if path.is_file():
                return path
    raise DataError(f"{name} is not in {folder}; expected {name}/{file}, plain or gzipped")


def read_idx(path: Path, *, transposed: bool = False) -> Features:
    """Read an idx file of grey images, plain or gzipped; ids count from 0.

    Parameters
    ----------
    transposed
        True if rows and columns of the images are exchanged, as in the files of EMNIST.
    """
    content = unpacked(path)
    if len(content) < HEADER or content[:2] != b"\0\0" or content[2] != UNSIGNED or content[3] != 3:
        raise DataError(f"{path} is no idx file of images: expected three dimensions of unsigned bytes")
    n, height, width = (int.from_bytes(content[start : start + 4], "big") for start in (4, 8, 12))
    if len(content) != HEADER + n * height * width:
        raise DataError(
            f"{path} is damaged: {n:,} images of {height} × {width} are not {len(content) - HEADER:,} bytes"
        )
    pixels = np.frombuffer(content, np.uint8, offset=HEADER).reshape(n, height, width)
    if transposed:
        pixels = pixels.transpose(0, 2, 1)
    return _features(pixels[:, None], pd.RangeIndex(n))


def unpacked(path: Path) -> bytes:
    """Return the content of a file, plain or gzipped."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    try:
        return gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: the file is truncated or damaged ({error})") from error


def read_image_folder(folder: Path, *, size: int = SIZE, grey: bool = False) -> Features:
    """Read the pictures of a folder, or else of its sub-folders, each scaled to ``size`` × ``size`` pixels.

    An id is the name of the picture without its ending, after the name of the sub-folder and a slash if it lies in one.
    """
    if size < 1:
        raise ConfigError(Argument("size", size), " must be at least 1")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    paths = paths or sorted(path for path in folder.glob("*/*") if path.suffix.lower() in PICTURES)
    if not paths:
        raise DataError(f"there is no picture in {folder}; expected files that end in {', '.join(PICTURES)}")
    try:
        image = import_module("PIL.Image")
    except ImportError as error:
        raise MissingPackageError("reading pictures needs the package pillow: pip install pillow") from error
    pixels = np.empty((len(paths), size, size, 1 if grey else 3), np.uint8)
    for position, path in enumerate(paths):
        try:
            with image.open(path) as picture:
                scaled = picture.convert("L" if grey else "RGB").resize((size, size))
        except OSError as error:
            raise DataError(f"{path} is no picture, or damaged: {error}") from error
        pixels[position] = np.asarray(scaled).reshape(size, size, -1)
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
    return _features(pixels.transpose(0, 3, 1, 2), pd.Index(_as_numbers(names)))


def _features(pixels: np.ndarray, ids: Ids) -> Features:
    form = pixels.shape[1:]
    rows = pixels.reshape(len(pixels), -1).astype(np.float32) / 255
    return Features(rows, ids, pd.RangeIndex(rows.shape[1]), form)


def _as_numbers(names: list[str]) -> list[int] | list[str]:
    """Return names as numbers if all of them are whole numbers, as most ids of items are."""
    return (
        [int(name) for name in names] if all(name.isdecimal() and str(int(name)) == name for name in names) else names
    )
