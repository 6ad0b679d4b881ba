"""Images as features: idx files such as those of MNIST, and folders of pictures; pixels from 0 to 1."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import Ids, listing, shown
from recsys_ae.errors import Argument, ConfigError, DataError
from recsys_ae.features.data.features import Features
from recsys_ae.features.data.idx import read_idx_array
from recsys_ae.features.data.pictures import PICTURES, read_picture

EMNIST = tuple(f"emnist-{name}" for name in ("letters", "balanced", "digits", "mnist", "byclass", "bymerge"))
"""Parts of EMNIST (Cohen et al. 2017), whose one archive holds the files of all."""
NAMED = ("mnist", "fashion-mnist", *EMNIST)
FILES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
SIZE = 64
"""Default side of a picture of a folder, in pixels."""


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
    pixels = read_idx_array(path, "images", 3)
    if transposed:
        pixels = pixels.transpose(0, 2, 1)
    rows = pixels.reshape(len(pixels), -1).astype(np.float32) / 255
    return Features(rows, pd.RangeIndex(len(rows)), pd.RangeIndex(rows.shape[1]), (1, *pixels.shape[1:]))


def read_image_folder(folder: Path, *, size: int = SIZE, grey: bool = False) -> Features:
    """Read the pictures of a folder, or else of its sub-folders, each scaled to ``size`` × ``size`` pixels.

    An id is the name of the picture without its ending, after the name of the sub-folder and a slash if it lies in one.
    Remarks count the pictures that were changed (`read_picture`) and the files that are not used: those of other types,
    hidden files, and those in deeper folders.
    """
    if size < 1:
        raise ConfigError(Argument("size", size), " must be at least 1")
    paths, remarks = _found(folder)
    ids, changes = _ids(folder, paths), Counter[str]()
    pixels = np.empty((len(paths), 1 if grey else 3, size, size), np.float32)
    for position, path in enumerate(paths):
        pixels[position], noted = read_picture(path, size, grey=grey)
        changes.update(noted)
    remarks += [f"{count:,} of {len(paths):,} pictures {change}" for change, count in sorted(changes.items())]
    rows = pixels.reshape(len(paths), -1)
    return Features(rows, ids, pd.RangeIndex(rows.shape[1]), pixels.shape[1:], remarks=tuple(remarks))


def _found(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the pictures of a folder, or else of its sub-folders, and a remark about the files that are not used."""
    try:
        paths = sorted({*folder.glob("*/*"), *folder.rglob("*")})  # only the first follows links to folders
        files = {path.relative_to(folder): path for path in paths if not path.is_dir()}
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read: {error.strerror or error}") from error
    pictures = [short for short, path in files.items() if is_picture(short) and path.is_file()]
    depth = min((len(short.parts) for short in pictures), default=1)
    used = [short for short in pictures if len(short.parts) == depth <= 2]
    unused = [short.as_posix() for short in files if short not in {*used}]
    if not used:
        holds = f"; it holds {len(unused):,} other files: {listing(unused, 5)}" if unused else ""
        raise DataError(f"there is no picture in {folder}; expected files that end in {', '.join(PICTURES)}{holds}")
    place = "the folder itself" if depth == 1 else "its sub-folders"
    remark = f"{len(unused):,} files in {folder} are not used; only pictures in {place} are read: {listing(unused, 5)}"
    return [files[short] for short in used], [remark] if unused else []


def is_picture(path: Path) -> bool:
    """Return True for the ending of a picture, unless the file or its folder is hidden or made by macOS."""
    return path.suffix.lower() in PICTURES and not any(part.startswith((".", "__MACOSX")) for part in path.parts)


def _ids(folder: Path, paths: Sequence[Path]) -> Ids:
    """Return the names of pictures without their endings: numbers if all are whole, as most ids of items are."""
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
    positions: dict[str, int] = {}
    for position, name in enumerate(names):
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise DataError(f"{folder}: the file name {paths[position].name!a} is not valid Unicode; rename it")
        if positions.setdefault(name, position) != position:
            twin = paths[positions[name]].name
            raise DataError(f"{paths[position]} and {twin} have the same id, {shown(name)}; rename or remove one")
    whole = all(name.isdecimal() and len(name) < 19 and str(int(name)) == name for name in names)
    return pd.Index([int(name) for name in names] if whole else names)
