"""The Netflix Prize: a file for each film as published, or the four files in which all films stand one after another.

Both have a line ``17:`` before the ratings of film 17, each of which is a line ``user,rating,date``.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
import pandas as pd

from recsys_ae.data.dataset_info import USUAL, CatalogEntry, Dataset, Info, ReadOptions
from recsys_ae.data.interactions import Duplicates, Interactions
from recsys_ae.data.parsing import shown
from recsys_ae.data.readers.cache import cached
from recsys_ae.data.readers.table import arrow
from recsys_ae.errors import DataError

FOLDERS = ("", "training_set", "download", "download/training_set")
COMBINED = tuple(f"combined_data_{number}.txt" for number in range(1, 5))
TITLES = ("movie_titles.txt", "movie_titles.csv")
LINE = re.compile(rb"(\d{1,7}:|\d{1,7},[1-5],\d{4}-\d\d-\d\d)?\r?")
LARGEST = 9_999_999  # users and films are numbered with up to seven digits
STARS = 5
BLOCK = 1 << 24  # bytes parsed at a time
DAY = 86_400
Columns: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
INFO = Info(
    "netflix",
    "Netflix Prize",
    100_480_507,
    480_189,
    17_770,
    0,
    "for research, with acknowledgement of the data set; no redistribution and no commercial use without Netflix' "
    "permission (see the README in the archive); its publisher no longer offers it",
    "https://www.netflixprize.com",
    (),
    "netflix/ with training_set/mv_*.txt or combined_data_1.txt to combined_data_4.txt",
)


def find(folder: Path) -> Path | None:
    """Return the folder with the ratings: its own, or where the publisher's archives unpack to; None without any."""
    for place in (folder / INFO.name / name for name in FOLDERS):
        if any(next(place.glob(pattern), None) is not None for pattern in ("mv_*.txt", "combined_data_*.txt")):
            return place
    return None


def read(place: Path, options: ReadOptions = USUAL) -> Dataset:
    """Read all ratings, with days as timestamps; and titles and years of the films, where these are there.

    Raises
    ------
    DataError
        With the file that is missing, or the file and line that is neither a film nor a rating.
    """
    files = _files(place)

    def ratings() -> Interactions:
        return _ratings(place, files, options.duplicates)

    found = (
        cached(files, {"form": "netflix", "duplicates": options.duplicates}, ratings) if options.cache else ratings()
    )
    return Dataset(INFO.name, found, _titles(place))


def _ratings(place: Path, files: list[Path], duplicates: Duplicates) -> Interactions:
    parts: tuple[list[np.ndarray], ...] = ([], [], [], [])
    for path in files:
        for block in _blocks(path):
            for part, column in zip(parts, block, strict=True):
                part.append(column)
    user, film, rating, day = map(_joined, parts)
    if len(user) == 0:
        raise DataError(f"{place}: there are no ratings in the files")
    rows, users = _numbered(user)
    columns, films = _numbered(film)
    times = day.astype(np.int64) * DAY
    del user, film, day
    return Interactions.from_arrays(rows, columns, rating, users, films, times, duplicates=duplicates)


def _files(place: Path) -> list[Path]:
    """Return the files in the order of their numbers; one that is missing among others is an error."""
    names = COMBINED
    if not any((place / name).exists() for name in names):
        numbers = [int(digits) for path in place.glob("mv_*.txt") if (digits := path.stem[3:]).isdecimal()]
        names = tuple(f"mv_{number:07}.txt" for number in range(1, max(numbers, default=0) + 1))
    missing = next((name for name in names if not (place / name).is_file()), None)
    if missing is not None or not names:
        raise DataError(
            f"{place / (missing or 'mv_0000001.txt')}: there is no such file, but others of the data set are "
            "there; unpack the archive again"
        )
    return [place / name for name in names]


def _blocks(path: Path) -> Iterator[Columns]:
    """Yield user, film, rating and day of the ratings in a file, block by block."""
    film, line = 0, 1
    try:
        with path.open("rb") as stream:
            while text := stream.read(BLOCK) + stream.readline():
                columns, film = _parse(text, film, path, line)
                yield columns
                line += text.count(b"\n")
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror or error}") from error
    if not film:
        raise DataError(f"{path}: the file is empty")


def _parse(text: bytes, film: int, path: Path, line: int) -> tuple[Columns, int]:
    """Return the columns of a block that begins in the ratings of ``film``, and the film that it ends in."""
    try:
        # A film becomes a row of the table too: one without rating and date.
        table = _table(text.replace(b":", b",,"))
    except arrow().ArrowInvalid as error:
        _refuse(text, path, line, str(error))
    number, rating, day = (column.fill_null(0).to_numpy() for column in table.columns)
    heads, undated = (table.column(name).is_null().to_numpy() for name in ("rating", "day"))
    fits = (number > 0) & (number <= LARGEST) & (heads == undated) & (heads | ((rating >= 1) & (rating <= STARS)))
    if not fits.all() or int(heads.sum()) != text.count(b":"):
        _refuse(text, path, line, "unexpected content")
    if not film and len(heads) and not heads[0]:
        first = next(n for n, row in enumerate(text.splitlines()) if row.strip())
        raise DataError(
            f"{path}: line {line + first} is a rating, but there is no line with a movie, such as '17:', before it"
        )
    films = np.append(film, number[heads]).astype(np.int32)
    ratings = ~heads
    return (number[ratings], films[np.cumsum(heads)[ratings]], rating[ratings], day[ratings]), int(films[-1])


def _table(text: bytes) -> Any:
    pa, csv = arrow(), arrow("pyarrow.csv")
    types = {"number": pa.int32(), "rating": pa.int8(), "day": pa.date32()}
    table = csv.read_csv(
        BytesIO(text),
        csv.ReadOptions(column_names=list(types)),
        csv.ParseOptions(quote_char=False),
        csv.ConvertOptions(column_types=types, null_values=[""]),
    )
    return table.set_column(2, "day", table.column("day").cast(pa.int32()))


def _refuse(text: bytes, path: Path, line: int, reason: str) -> NoReturn:
    """Raise an error about the first line that has neither form; there the lines are looked at one by one."""
    for number, row in enumerate(text.split(b"\n"), start=line):
        if not LINE.fullmatch(row):
            raise DataError(
                f"{path}: line {number} is neither a movie, such as '17:', nor a rating, such as "
                f"'1488844,3,2005-09-06': {shown(row.decode('utf-8', 'replace'))}"
            )
    raise DataError(f"{path}: the ratings from line {line} on cannot be read: {' '.join(reason.split())}")


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    joined = np.concatenate(parts)
    parts.clear()  # or everything would be there twice
    return joined


def _numbered(ids: np.ndarray) -> tuple[np.ndarray, "pd.Index[Any]"]:
    """Return the position of each id among the ascending ids, and those; a table of all numbers up to the largest."""
    known = np.flatnonzero(np.bincount(ids))
    positions = np.zeros(int(ids.max(initial=0)) + 1, np.int32)
    positions[known] = np.arange(len(known))
    return positions[ids], pd.Index(known.astype(np.int64))


def _titles(place: Path) -> pd.DataFrame | None:
    """Return title and year of each film, from lines ``number,year,title`` whose titles may hold commas."""
    path = next((at / name for at in (place, place.parent) for name in TITLES if (at / name).is_file()), None)
    if path is None:
        return None
    lines = pd.Series([line for line in path.read_bytes().decode("latin-1").split("\n") if line.strip()], dtype=object)
    found = lines.str.rstrip("\r").str.extract(r"^(\d+),(\d{4}|NULL),(.*)$")
    if found.isna().any(axis=None):
        line = lines[found.isna().any(axis=1)].iloc[0]
        raise DataError(f"{path}: expected lines such as '17,1988,Title'; found {shown(line)}")
    year = pd.to_numeric(found[1].where(found[1] != "NULL")).astype("Int64")
    films = pd.DataFrame({"title": found[2].astype(str), "year": year})
    return films.set_axis(pd.Index(found[0].astype("int64").to_numpy(), name="item"), axis=0)


DATASETS = (CatalogEntry(INFO, read, find, INFO.by_hand),)
