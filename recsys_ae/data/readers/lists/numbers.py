"""Lines of numbers: each holds a user and the user's items, separated by spaces, as in LightGCN's files."""

import numpy as np

from recsys_ae.data.parsing import shown
from recsys_ae.errors import DataError

DIGITS = 18  # numbers of so many digits always fit into 64 bits


def number_pairs(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return the user and the item of each interaction, in file order; users without items are skipped.

    Raises
    ------
    DataError
        If the text holds anything but numbers, or none; the message names the line.
    """
    characters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    digit = (characters >= ord("0")) & (characters <= ord("9"))
    blank = np.isin(characters, np.frombuffer(b" \t\r\n", np.uint8))
    _refuse(~(digit | blank), ends, text, "holds something other than numbers")
    # A number begins at a digit that does not follow another digit.
    begins = np.flatnonzero(digit & ~np.append(False, digit[:-1]))
    if len(begins) == 0:
        raise DataError("the file holds no numbers")
    lengths = np.flatnonzero(digit & ~np.append(digit[1:], False)) - begins + 1
    _refuse(np.isin(np.arange(len(digit)), begins[lengths > DIGITS]), ends, text, "holds too large a number")
    numbers = np.fromstring(text, np.int64, sep=" ")
    line = np.searchsorted(ends, begins)
    # The first number of a line is the user, and the others are the user's items.
    is_user = np.append(True, line[1:] != line[:-1])
    user = numbers[is_user][np.cumsum(is_user) - 1]
    return user[~is_user], numbers[~is_user]


def _refuse(bad: np.ndarray, ends: np.ndarray, text: bytes, why: str) -> None:
    if bad.any():
        line = int(np.searchsorted(ends, np.argmax(bad)))
        raise DataError(f"line {line + 1} {why}: {shown(text.splitlines()[line].decode(errors='replace'))}")
