"""The format of LightGCN's data sets: each line a user and the items of that user, all numbers."""

from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data.interactions import Duplicates, Interactions
from recsys_ae.data.parsing import shown
from recsys_ae.data.readers.archives import locate
from recsys_ae.data.readers.read import DAMAGED
from recsys_ae.errors import DataError

FILES = ("train.txt", "test.txt")
DIGITS = 18  # what fits into 64 bits whatever the digits


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
        raise DataError(f"{path}: {error}") from error
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
