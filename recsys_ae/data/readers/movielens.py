"""Readers of MovieLens files: ratings, published folds and movies, from the archive or its unpacked folder."""

from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data.interactions import Duplicates, Ids, Interactions, Series
from recsys_ae.data.readers.read import read_interactions, read_table

NO_GENRE = ("(no genres listed)", "unknown", "")
# The last year in brackets: series have two, "(2006-2007)", and a few titles have text after it.
YEAR = r".*\(\s*(\d{4})(?:[-–]\d{0,4})?\s*\)"
RATINGS = {"ml-100k": "u.data", "ml-1m": "ratings.dat", "ml-10m": "ratings.dat"}


def ratings_file(name: str) -> str:
    """Return the name of the ratings file in the archive."""
    return RATINGS.get(name, "ratings.csv")


def read_ratings(name: str, folder: Path, duplicates: Duplicates = "error", *, cache: bool = False) -> Interactions:
    """Read the ratings from an archive or folder."""
    return _read(folder / ratings_file(name), duplicates, cache=cache)


def read_fold(folder: Path, fold: str, duplicates: Duplicates = "error") -> tuple[Interactions, Interactions]:
    """Read the training and the test part of one of the published folds of MovieLens 100K."""
    return _read(folder / f"{fold}.base", duplicates), _read(folder / f"{fold}.test", duplicates)


def read_items(name: str, folder: Path) -> pd.DataFrame:
    """Read the movies: published title, year, genres and, if the data set has them, tags."""
    if name == "ml-100k":
        return _items_100k(folder)
    if name in ("ml-1m", "ml-10m"):
        encoding = "latin-1" if name == "ml-1m" else "utf-8"
        movies = read_table(folder / "movies.dat", columns=[0, 1, 2], separator="::", header=False, encoding=encoding)
    else:
        movies = read_table(folder / "movies.csv", columns=["movieId", "title", "genres"])
    movies.columns = pd.Index(["item", "title", "genres"])
    genres = movies["genres"].fillna("").str.split("|").map(_named)
    items = _movies(movies["item"], movies["title"], genres)
    if name != "ml-1m":
        items["tags"] = _tags(name, folder, items.index)
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


def _items_100k(folder: Path) -> pd.DataFrame:
    genre_table = read_table(folder / "u.genre", columns=[0, 1], separator="|", header=False)
    movies = read_table(folder / "u.item", separator="|", header=False, encoding="latin-1")
    names = genre_table[0].to_numpy(dtype=object)
    # The flags of the genres are the last columns, in the order of the genres' numbers.
    flags = movies.iloc[:, -len(names) :].to_numpy(dtype=np.int64) == 1
    genres = pd.Series([_named(names[row]) for row in flags], dtype=object)
    return _movies(movies[0], movies[1], genres)


def _movies(ids: Series, titles: Series, genres: Series) -> pd.DataFrame:
    titles = titles.fillna("").astype(str).str.strip()
    year = pd.to_numeric(titles.str.extract(YEAR, expand=False)).astype("Int64")
    movies = pd.DataFrame({"title": titles, "year": year, "genres": genres})
    return movies.set_axis(pd.Index(ids.to_numpy(), name="item"), axis=0)


def _named(genres: "list[str] | np.ndarray") -> tuple[str, ...]:
    return tuple(genre for genre in genres if genre not in NO_GENRE)


def _tags(name: str, folder: Path, movies: Ids) -> Series:
    """Return the distinct tags of each movie in lower case, the most frequent tags first."""
    if name == "ml-10m":
        tags_of_users = read_table(folder / "tags.dat", columns=[1, 2], separator="::", header=False)
    else:
        tags_of_users = read_table(folder / "tags.csv", columns=["movieId", "tag"])
    tags_of_users.columns = pd.Index(["item", "tag"])
    tags_of_users["tag"] = tags_of_users["tag"].astype("string").str.strip().str.lower()
    tags_of_users = tags_of_users[tags_of_users["tag"].notna() & (tags_of_users["tag"] != "")]
    counts = tags_of_users.value_counts(["item", "tag"]).reset_index(name="count")
    counts = counts.sort_values(["item", "count", "tag"], ascending=[True, False, True])
    lists = {movie: tuple(tags) for movie, tags in counts.groupby("item")["tag"]}
    return pd.Series([lists.get(movie, ()) for movie in movies], index=movies, dtype=object)
