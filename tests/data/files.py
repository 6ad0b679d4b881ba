"""Files of interactions for tests, and the error messages of bad files."""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys_ae.data.readers.read import read_interactions
from recsys_ae.errors import DataError

ROWS = [(3, 10, 4.0, 100), (1, 20, 3.5, 90), (3, 20, 5.0, 80)]
HEADER = ("userId", "movieId", "rating", "timestamp")
EXPECTED = [(1, 20, 3.5, 90, 1), (3, 10, 4.0, 100, 0), (3, 20, 5.0, 80, 2)]


def lines(separator: str = ",", *, header: bool = True, end: str = "\n") -> str:
    rows = [HEADER, *ROWS] if header else ROWS
    return "".join(separator.join(map(str, row)) + end for row in rows)


def text_of(rows: list[tuple[Any, ...]], **options: Any) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, **options).writerows(rows)
    return buffer.getvalue()


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(path: Path, **members: str | bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return path


def refusal(path: Path, **options: Any) -> str:
    """Return the error message about a file, without the path at its beginning."""
    with pytest.raises(DataError) as caught:
        read_interactions(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message.removeprefix(f"{path}: ")


TABLE = pd.DataFrame(ROWS, columns=list(HEADER))
