"""Checks of the files of a saved model, which anybody may have made: kind and size of a file, JSON, ids."""

import hashlib
import io
import json
import math
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from recsys_ae.errors import ArtefactError

RESTORE = "restore it from a copy, or fit and save the model again"
MOST_OF_CONFIG, MOST_OF_JSON, MOST_OF_HEADER = 2**26, 2**30, 2**24
"""Largest number of bytes of a configuration, of another JSON file, and of the names and shapes in a tensor file."""
DEPTH = 64
"""Largest depth of nested lists and objects in JSON."""
DTYPES = re.compile(
    r"(u?int|float|U?Int|Float)\d+|bool|boolean|object|str|string(\[\w+\])?"
    r"|(u?int\d+|float|double|bool|(large_)?string)\[pyarrow\]"
)
"""Types of ids: text, numbers, and both."""
SHOWN = 300
"""Characters of an error about a file that are shown."""


def brief(error: BaseException | str) -> str:
    """Return the text of an error on one line, shortened: it may repeat what a file says."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyError):
        text = f"{text} is missing"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."


def opened(path: Path, most: int | None = None) -> io.BufferedReader:
    """Open a file; an `ArtefactError` refuses pipes, devices and folders, and files of more bytes than ``most``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe does not hold the program up
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ArtefactError(f"{path} is damaged: it is no file; {RESTORE}")
        if most is not None and status.st_size > most:
            size = f"{status.st_size:,} bytes, but a saved model has at most {most:,} there"
            raise ArtefactError(f"{path} is damaged: it has {size}; {RESTORE}")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def content(path: Path, most: int = MOST_OF_JSON) -> bytes:
    """Return the bytes of a file that is not too large."""
    with opened(path, most) as file:
        return file.read()


def digest(content: bytes) -> str:
    """Return the checksum of bytes."""
    return hashlib.sha256(content).hexdigest()


def refuse_large(path: Path, room: int | None) -> None:
    """Raise an `ArtefactError` if a tensor file does not fit into ``room`` bytes of memory, or has a long header."""
    with opened(path) as file:
        size, header = os.fstat(file.fileno()).st_size, int.from_bytes(file.read(8), "little")
    if room is not None and size > room:
        raise ArtefactError(
            f"{path} needs {size / 2**30:,.1f} GiB of memory, and {room / 2**30:,.1f} GiB are free; end other "
            "programs, or load the model on a machine with more memory"
        )
    if header > MOST_OF_HEADER:
        raise ArtefactError(f"{path} is damaged: its header has {header:,} bytes; {RESTORE}")


def parsed(path: Path, content: bytes) -> Any:
    """Return the JSON in a file; numbers are finite, and lists and objects are not nested more than `DEPTH` times."""
    try:
        value = json.loads(content.decode("utf-8", errors="surrogatepass"), parse_constant=_no_number)
        refuse_deep(value)
    except (ValueError, RecursionError, MemoryError) as error:
        raise ArtefactError(f"{path} is damaged: {brief(error)}; {RESTORE}") from error
    return value


def refuse_deep(value: Any) -> None:
    """Raise a `ValueError` for numbers that are not finite, and for lists and objects in more than `DEPTH` others."""
    layer: list[Any] = [[value]]
    for _ in range(DEPTH + 1):
        layer = [part for parent in layer for part in _parts(parent) if isinstance(part, (dict, list, tuple, float))]
        for part in layer:
            if isinstance(part, float) and not math.isfinite(part):
                raise ValueError("a number is not finite")
        if not layer:
            return
    raise ValueError(f"lists and objects are nested more than {DEPTH} times")


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()


def ids(stored: Any, file: Path | str) -> "pd.Index[Any]":
    """Return ids that are stored with their type; each must be text or a finite number, and no two may be equal.

    Raises
    ------
    ArtefactError
        If they are not; the message names the file.
    """
    try:
        return _ids(stored)
    except ValueError as error:
        raise ArtefactError(f"{file} is damaged: {error}; {RESTORE}") from error


def _ids(stored: Any) -> "pd.Index[Any]":
    dtype, values = (stored.get(key) for key in ("dtype", "values")) if isinstance(stored, dict) else (None, None)
    if not isinstance(dtype, str) or not isinstance(values, list) or not DTYPES.fullmatch(dtype):
        raise ValueError("it has no list of ids with their type")
    kinds = set(map(type, values))
    if not kinds <= {str, int, float, bool}:
        raise ValueError("it has ids that are neither text nor numbers")
    if float in kinds and not all(math.isfinite(value) for value in values if type(value) is float):
        raise ValueError("it has an id that is not finite")
    is_text = dtype in ("str", "string")  # pandas chooses the type of text, which differs by version
    try:
        index: pd.Index[Any] = pd.Index(values, dtype=None if is_text and values else "object" if is_text else dtype)
        is_equal = index.tolist() == values and list(map(type, index.tolist())) == list(map(type, values))
    except (TypeError, ValueError, OverflowError, NotImplementedError, ImportError) as error:
        raise ValueError(f"it has ids that are not of the type {dtype}: {brief(error)}") from error
    if not is_equal:
        raise ValueError(f"it has ids that are not of the type {dtype}")
    if not index.is_unique:
        raise ValueError(f"it has the id {brief(repr(index[index.duplicated()][0]))} twice")
    return index


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not a number")
