"""Gowalla check-ins in the format of LightGCN: each line holds a user's number and the numbers of their items."""

from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data.dataset_info import USUAL, CatalogEntry, Dataset, Info, ReadOptions, Remote
from recsys_ae.data.interactions import Duplicates, Interactions
from recsys_ae.data.readers.archives import locate
from recsys_ae.data.readers.bounded.bounds import BLOCK, whole
from recsys_ae.data.readers.errors import DAMAGED
from recsys_ae.data.readers.lists.numbers import number_pairs
from recsys_ae.errors import DataError

FILES = ("train.txt", "test.txt")
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
    """Return the folder of the data set; None unless both files are there."""
    path = folder / INFO.name
    return path if all(file_of(path, file).is_file() for file in FILES) else None


def read(path: Path, options: ReadOptions = USUAL) -> Dataset:
    """Read all check-ins, and the published training and test part."""
    interactions, train_and_test = read_parts(path, options.duplicates)
    return Dataset(INFO.name, interactions, given=train_and_test)


def read_parts(
    folder: Path, duplicates: Duplicates = "error"
) -> tuple[Interactions, tuple[Interactions, Interactions]]:
    """Read ``train.txt`` and ``test.txt``, plain or gzipped; return all interactions, and the training and test part.

    All three have the same users and items.

    Raises
    ------
    DataError
        If a file holds anything but numbers; the message names the file and line.
    """
    train, test = (read_pairs(file_of(folder, name)) for name in FILES)
    user, item = np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]])
    users, items = np.unique(user), np.unique(item)
    rows, columns = np.searchsorted(users, user), np.searchsorted(items, item)

    def selected(chosen: slice) -> Interactions:
        ones = np.ones(len(rows[chosen]), np.float32)
        ids = pd.Index(users), pd.Index(items)
        return Interactions.from_arrays(rows[chosen], columns[chosen], ones, *ids, duplicates=duplicates)

    n_train = len(train[0])
    return selected(slice(None)), (selected(slice(n_train)), selected(slice(n_train, None)))


def file_of(folder: Path, name: str) -> Path:
    """Return the path of the file of that name, or with ``.gz`` appended if there is no such file."""
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def read_pairs(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the user and the item of each interaction, in file order; users without items are skipped."""
    try:
        with locate(path).open() as stream:
            return number_pairs(whole(iter(lambda: stream.read(BLOCK), b"")))
    except (OSError, *DAMAGED) as error:
        raise DataError(f"{path}: the file is damaged or cannot be read ({error})") from error
    except DataError as error:
        raise DataError(f"{path}: ", *error.parts) from error


DATASETS = (CatalogEntry(INFO, read, find, "gowalla/train.txt and gowalla/test.txt (plain or gzipped)"),)
