"""The files of MovieLens: ratings, published folds and movies, from the publisher's archive or its unpacked folder."""

from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data.interactions import Duplicates, Ids, Interactions, Series
from recsys_ae.data.readers.read import read_interactions, read_table

NO_GENRE = ("(no genres listed)", "unknown", "")
# A year in brackets, the last there is: series have several, "(2006-2007)", and a few titles more behind it.
YEAR = r".*\(\s*(\d{4})(?:[-–]\d{0,4})?\s*\)"
RATINGS = {"ml-100k": "u.data", "ml-1m": "ratings.dat", "ml-10m": "ratings.dat"}


def ratings_file(name: str) -> str:
    """Return the name of the file of ratings in the archive."""
    return RATINGS.get(name, "ratings.csv")


def read_ratings(name: str, place: Path, duplicates: Duplicates = "error", *, cache: bool = False) -> Interactions:
    """Read the ratings from an archive or folder."""
    return _read(place / ratings_file(name), duplicates, cache=cache)


def read_fold(place: Path, fold: str, duplicates: Duplicates = "error") -> tuple[Interactions, Interactions]:
    """Read the training and the test part of one of the published folds of MovieLens 100K."""
    return _read(place / f"{fold}.base", duplicates), _read(place / f"{fold}.test", duplicates)


def read_items(name: str, place: Path) -> pd.DataFrame:
    """Read the movies: title as published, year, genres and, where the set has them, tags."""
    if name == "ml-100k":
        return _items_100k(place)
    if name in ("ml-1m", "ml-10m"):
        encoding = "latin-1" if name == "ml-1m" else "utf-8"
        found = read_table(place / "movies.dat", columns=[0, 1, 2], separator="::", header=False, encoding=encoding)
    else:
        found = read_table(place / "movies.csv", columns=["movieId", "title", "genres"])
    found.columns = pd.Index(["item", "title", "genres"])
    genres = found["genres"].fillna("").str.split("|").map(_named)
    items = _films(found["item"], found["title"], genres)
    if name != "ml-1m":
        items["tags"] = _tags(name, place, items.index)
    return items


def _read(path: Path, duplicates: Duplicates, *, cache: bool = False) -> Interactions:
    if path.suffix == ".csv":
        return read_interactions(
            path,
            user="userId",
            item="movieId",
            rating="rating",
            timestamp="timestamp",
            separator=",",
            duplicates=duplicates,
            cache=cache,
        )
    separator = "::" if path.suffix == ".dat" else "\t"
    return read_interactions(
        path,
        user=0,
        item=1,
        rating=2,
        timestamp=3,
        separator=separator,
        header=False,
        duplicates=duplicates,
        cache=cache,
    )


def _items_100k(place: Path) -> pd.DataFrame:
    known = read_table(place / "u.genre", columns=[0, 1], separator="|", header=False)
    films = read_table(place / "u.item", separator="|", header=False, encoding="latin-1")
    names = known[0].to_numpy(dtype=object)
    # The genres' flags are the last columns, in the order of their numbers.
    flags = films.iloc[:, -len(names) :].to_numpy(dtype=np.int64) == 1
    genres = pd.Series([_named(names[row]) for row in flags], dtype=object)
    return _films(films[0], films[1], genres)


def _films(ids: Series, titles: Series, genres: Series) -> pd.DataFrame:
    titles = titles.fillna("").astype(str).str.strip()
    year = pd.to_numeric(titles.str.extract(YEAR, expand=False)).astype("Int64")
    films = pd.DataFrame({"title": titles, "year": year, "genres": genres})
    return films.set_axis(pd.Index(ids.to_numpy(), name="item"), axis=0)


def _named(genres: "list[str] | np.ndarray") -> tuple[str, ...]:
    return tuple(genre for genre in genres if genre not in NO_GENRE)


def _tags(name: str, place: Path, films: Ids) -> Series:
    """Return each film's distinct tags, those that most users gave first; capitals do not count."""
    if name == "ml-10m":
        found = read_table(place / "tags.dat", columns=[1, 2], separator="::", header=False)
    else:
        found = read_table(place / "tags.csv", columns=["movieId", "tag"])
    found.columns = pd.Index(["item", "tag"])
    found["tag"] = found["tag"].astype("string").str.strip().str.lower()
    found = found[found["tag"].notna() & (found["tag"] != "")]
    counts = found.value_counts(["item", "tag"]).reset_index(name="count")
    counts = counts.sort_values(["item", "count", "tag"], ascending=[True, False, True])
    lists = {film: tuple(tags) for film, tags in counts.groupby("item")["tag"]}
    return pd.Series([lists.get(film, ()) for film in films], index=films, dtype=object)
