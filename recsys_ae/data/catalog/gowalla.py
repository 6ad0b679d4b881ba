"""Gowalla in the format of LightGCN's data sets: each line a user and the items of that user, all numbers."""

from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data.dataset_info import USUAL, CatalogEntry, Dataset, Info, ReadOptions, Remote
from recsys_ae.data.interactions import Duplicates, Interactions
from recsys_ae.data.parsing import shown
from recsys_ae.data.readers.archives import locate
from recsys_ae.data.readers.read import DAMAGED
from recsys_ae.errors import DataError

FILES = ("train.txt", "test.txt")
DIGITS = 18  # what fits into 64 bits whatever the digits
SOURCE = "https://raw.githubusercontent.com/gusye1234/LightGCN-PyTorch/master/data/gowalla"
CHECKSUMS = {
    "train.txt": "sha256:7244696fdeb23911319cf7b689f2e15a3c4c92549c873a5677b44e3f13cc3e62",
    "test.txt": "sha256:099a2a73924e4b754dc6efd730d764f492321b53c38eb93298850c83acf57be3",
}
INFO = Info(
    "gowalla",
    "Gowalla check-ins, the split of LightGCN",
    1_027_370,
    29_858,
    40_981,
    4_633_414 + 1_372_559,
    "none stated; cite LightGCN (He et al. 2020) and Gowalla (Cho, Myers and Leskovec 2011)",
    "https://github.com/gusye1234/LightGCN-PyTorch",
    tuple(Remote(f"{SOURCE}/{file}", f"gowalla/{file}", checksum) for file, checksum in CHECKSUMS.items()),
)


def find(folder: Path) -> Path | None:
    """Return the folder of the data set, if both files are there."""
    place = folder / INFO.name
    return place if all(file_of(place, file).is_file() for file in FILES) else None


def read(place: Path, options: ReadOptions = USUAL) -> Dataset:
    """Read all check-ins, and the published training and test part."""
    interactions, given = read_parts(place, options.duplicates)
    return Dataset(INFO.name, interactions, given=given)


def read_parts(
    folder: Path, duplicates: Duplicates = "error"
) -> tuple[Interactions, tuple[Interactions, Interactions]]:
    """Read ``train.txt`` and ``test.txt``, plain or gzipped: all interactions, and the training and the test part.

    The three have the same users and items.

    Raises
    ------
    DataError
        With the file and line of what is not a number.
    """
    train, test = (read_pairs(file_of(folder, name)) for name in FILES)
    user, item = np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]])
    users, items = np.unique(user), np.unique(item)
    rows, columns = np.searchsorted(users, user), np.searchsorted(items, item)

    def part(chosen: slice) -> Interactions:
        ones = np.ones(len(rows[chosen]), np.float32)
        ids = pd.Index(users), pd.Index(items)
        return Interactions.from_arrays(rows[chosen], columns[chosen], ones, *ids, duplicates=duplicates)

    n_train = len(train[0])
    return part(slice(None)), (part(slice(n_train)), part(slice(n_train, None)))


def file_of(folder: Path, name: str) -> Path:
    """Return the file of that name, or the gzipped one beside it."""
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def read_pairs(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the user and the item of each interaction, in the order of the file; users without items have none."""
    try:
        with locate(path).open() as stream:
            text = stream.read()
    except (OSError, *DAMAGED) as error:
        raise DataError(f"{path}: the file is damaged or cannot be read ({error})") from error
    except DataError as error:
        raise DataError(f"{path}: ", *error.parts) from error
    characters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    digit = (characters >= ord("0")) & (characters <= ord("9"))
    blank = np.isin(characters, np.frombuffer(b" \t\r\n", np.uint8))
    _refuse(~(digit | blank), ends, text, path, "holds something other than numbers")
    # A number begins where a digit follows something else.
    begins = np.flatnonzero(digit & ~np.append(False, digit[:-1]))
    if len(begins) == 0:
        raise DataError(f"{path}: the file holds no numbers")
    lengths = np.flatnonzero(digit & ~np.append(digit[1:], False)) - begins + 1
    _refuse(np.isin(np.arange(len(digit)), begins[lengths > DIGITS]), ends, text, path, "holds too large a number")
    numbers = np.fromstring(text, np.int64, sep=" ")
    line = np.searchsorted(ends, begins)
    # The first number of a line is the user of all others.
    first = np.append(True, line[1:] != line[:-1])
    user = numbers[first][np.cumsum(first) - 1]
    return user[~first], numbers[~first]


def _refuse(bad: np.ndarray, ends: np.ndarray, text: bytes, path: Path, why: str) -> None:
    if bad.any():
        line = int(np.searchsorted(ends, np.argmax(bad)))
        raise DataError(f"{path}: line {line + 1} {why}: {shown(text.splitlines()[line].decode(errors='replace'))}")


DATASETS = (CatalogEntry(INFO, read, find, "gowalla/train.txt and gowalla/test.txt (plain or gzipped)"),)
