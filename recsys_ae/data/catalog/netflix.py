"""Netflix Prize ratings: the published file for each movie, or four combined files.

In both forms a line ``17:`` precedes the ratings of movie 17, which are lines ``user,rating,date``.
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
LARGEST = 9_999_999  # users and movies have numbers of up to seven digits
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
    """Return the folder with the ratings, possibly a subfolder of the unpacked archive; None if there is none."""
    for path in (folder / INFO.name / name for name in FOLDERS):
        if any(next(path.glob(pattern), None) is not None for pattern in ("mv_*.txt", "combined_data_*.txt")):
            return path
    return None


def read(path: Path, options: ReadOptions = USUAL) -> Dataset:
    """Read all ratings, with dates as timestamps, and titles and years of the movies if their file is there.

    Raises
    ------
    DataError
        If a file is missing, or a line is neither a movie nor a rating; the message names the file and line.
    """
    files = _files(path)

    def ratings() -> Interactions:
        return _ratings(path, files, options.duplicates)

    interactions = (
        cached(files, {"form": "netflix", "duplicates": options.duplicates}, ratings) if options.cache else ratings()
    )
    return Dataset(INFO.name, interactions, _titles(path))


def _ratings(folder: Path, files: list[Path], duplicates: Duplicates) -> Interactions:
    blocks: tuple[list[np.ndarray], ...] = ([], [], [], [])
    for path in files:
        for block in _blocks(path):
            for column_blocks, column in zip(blocks, block, strict=True):
                column_blocks.append(column)
    user, movie, rating, day = map(_joined, blocks)
    if len(user) == 0:
        raise DataError(f"{folder}: there are no ratings in the files")
    rows, users = _numbered(user)
    columns, movies = _numbered(movie)
    times = day.astype(np.int64) * DAY
    del user, movie, day
    return Interactions.from_arrays(rows, columns, rating, users, movies, times, duplicates=duplicates)


def _files(folder: Path) -> list[Path]:
    """Return the files in the order of their numbers, or raise an error if one of them is missing."""
    names = COMBINED
    if not any((folder / name).exists() for name in names):
        numbers = [int(digits) for path in folder.glob("mv_*.txt") if (digits := path.stem[3:]).isdecimal()]
        names = tuple(f"mv_{number:07}.txt" for number in range(1, max(numbers, default=0) + 1))
    missing = next((name for name in names if not (folder / name).is_file()), None)
    if missing is not None or not names:
        raise DataError(
            f"{folder / (missing or 'mv_0000001.txt')}: there is no such file, but others of the data set are "
            "there; unpack the archive again"
        )
    return [folder / name for name in names]


def _blocks(path: Path) -> Iterator[Columns]:
    """Yield user, movie, rating and day of the ratings in a file, block by block."""
    movie, line = 0, 1
    try:
        with path.open("rb") as stream:
            while text := stream.read(BLOCK) + stream.readline():
                columns, movie = _parse(text, movie, path, line)
                yield columns
                line += text.count(b"\n")
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror or error}") from error
    if not movie:
        raise DataError(f"{path}: the file is empty")


def _parse(text: bytes, movie: int, path: Path, line: int) -> tuple[Columns, int]:
    """Return the columns of a block that begins within the ratings of ``movie``, and the movie at its end."""
    try:
        # A movie becomes a row of the table too, without rating and date.
        table = _table(text.replace(b":", b",,"))
    except arrow().ArrowInvalid as error:
        _refuse(text, path, line, str(error))
    number, rating, day = (column.fill_null(0).to_numpy() for column in table.columns)
    heads, undated = (table.column(name).is_null().to_numpy() for name in ("rating", "day"))
    fits = (number > 0) & (number <= LARGEST) & (heads == undated) & (heads | ((rating >= 1) & (rating <= STARS)))
    if not fits.all() or int(heads.sum()) != text.count(b":"):
        _refuse(text, path, line, "unexpected content")
    if not movie and len(heads) and not heads[0]:
        first_row = next(n for n, row in enumerate(text.splitlines()) if row.strip())
        raise DataError(
            f"{path}: line {line + first_row} is a rating, but there is no line with a movie, such as '17:', before it"
        )
    movies = np.append(movie, number[heads]).astype(np.int32)
    ratings = ~heads
    return (number[ratings], movies[np.cumsum(heads)[ratings]], rating[ratings], day[ratings]), int(movies[-1])


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
    """Raise an error for the first line that is neither a movie nor a rating; this checks the lines one by one."""
    for number, row in enumerate(text.split(b"\n"), start=line):
        if not LINE.fullmatch(row):
            raise DataError(
                f"{path}: line {number} is neither a movie, such as '17:', nor a rating, such as "
                f"'1488844,3,2005-09-06': {shown(row.decode('utf-8', 'replace'))}"
            )
    raise DataError(f"{path}: the ratings from line {line} on cannot be read: {' '.join(reason.split())}")


def _joined(blocks: list[np.ndarray]) -> np.ndarray:
    joined = np.concatenate(blocks)
    blocks.clear()  # frees the blocks, so that the memory holds the column only once
    return joined


def _numbered(ids: np.ndarray) -> tuple[np.ndarray, "pd.Index[Any]"]:
    """Return the position of each id among the sorted distinct ids, and these; uses a table up to the largest id."""
    distinct = np.flatnonzero(np.bincount(ids))
    positions = np.zeros(int(ids.max(initial=0)) + 1, np.int32)
    positions[distinct] = np.arange(len(distinct))
    return positions[ids], pd.Index(distinct.astype(np.int64))


def _titles(folder: Path) -> pd.DataFrame | None:
    """Return title and year of each movie, from lines ``number,year,title``; titles may hold commas."""
    path = next(
        (parent / name for parent in (folder, folder.parent) for name in TITLES if (parent / name).is_file()), None
    )
    if path is None:
        return None
    lines = pd.Series([line for line in path.read_bytes().decode("latin-1").split("\n") if line.strip()], dtype=object)
    fields = lines.str.rstrip("\r").str.extract(r"^(\d+),(\d{4}|NULL),(.*)$")
    if fields.isna().any(axis=None):
        line = lines[fields.isna().any(axis=1)].iloc[0]
        raise DataError(f"{path}: expected lines such as '17,1988,Title'; found {shown(line)}")
    year = pd.to_numeric(fields[1].where(fields[1] != "NULL")).astype("Int64")
    movies = pd.DataFrame({"title": fields[2].astype(str), "year": year})
    return movies.set_axis(pd.Index(fields[0].astype("int64").to_numpy(), name="item"), axis=0)


DATASETS = (CatalogEntry(INFO, read, find, INFO.by_hand),)
