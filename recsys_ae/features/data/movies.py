"""Features of movies: genres, year, tags, and the words of texts about them."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.parsing import Series, listing
from recsys_ae.data.readers.archives import locate
from recsys_ae.data.readers.bounded.bounds import BLOCK, whole
from recsys_ae.data.readers.errors import errors_of
from recsys_ae.data.readers.read import read_table
from recsys_ae.errors import DataError
from recsys_ae.features.data.features import Features
from recsys_ae.features.data.texts import count_words

TEXTS: Mapping[str, Mapping[str, tuple[str, str, str | None]]] = {
    "ml-1m": {
        "plots": ("ml-1m-movies_extrainfos.dat", "9", None),
        "actors": ("ml-1m-movies_extrainfos.dat", "8", ","),
        "directors": ("ml-1m-movies_extrainfos.dat", "6", ","),
        "abstracts": ("ml-1m-dbpedia_abstracts.json", "", None),
    },
    "ml-latest-small": {
        "overviews": ("ml-latest-small-overviews.csv", "overview", None),
        "actors": ("ml-latest-small-movies_metadata.csv", "actors", "|"),
        "directors": ("ml-latest-small-movies_metadata.csv", "directors", "|"),
    },
}
"""Texts by data set and name: the file in the folder ``content`` of the data, its column, the separator of names."""
UNKNOWN = "N/A"
PLAIN = ("genres", "year", "tags")


def columns_of(name: str, items: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of the features that the movies of a data set have."""
    return (*(column for column in PLAIN if column in items), *TEXTS.get(name, {}))


def film_features(
    name: str, column: str, items: pd.DataFrame, data_dir: Path, known: Sequence[str] | None = None
) -> Features:
    """Return one kind of features of movies; ``known`` are the columns of a fitted encoder, whose words are counted."""
    readers: Mapping[str, Callable[[], Features]] = {
        "genres": lambda: flags(items["genres"], "genre"),
        "tags": lambda: flags(items["tags"], "tag", least=2, counted=True),
        "year": lambda: Features.from_frame(items[["year"]].reset_index(), id=str(items.index.name)),
    }
    available = columns_of(name, items)
    if column not in available:
        raise DataError(f"{name} has no features {column!r}; it has: {listing(available)}")
    if column in readers:
        return readers[column]()
    file, field, separator = TEXTS[name][column]
    texts = read_texts(_content(data_dir, file), field)
    return count_words(texts[texts.index.isin(items.index)], name=column, known=known, separator=separator)


def first_names(name: str, column: str, items: pd.DataFrame, data_dir: Path) -> Series:
    """Return the first genre, director or actor of each movie that has one, by the ids of the movies."""
    if column == "genres" and column in items:
        firsts = items["genres"].map(lambda names: names[0] if names else "")
    else:
        named = [label for label in columns_of(name, items) if label == "genres" or _separator(name, label)]
        if column not in named:
            raise DataError(f"the movies of {name} have no labels {column!r}; they have: {listing(named)}")
        file, field, separator = TEXTS[name][column]
        firsts = read_texts(_content(data_dir, file), field).fillna("").astype(str)
        firsts = firsts.str.split(separator, n=1, regex=False).str[0].str.strip()
    return firsts[(firsts != "") & (firsts != UNKNOWN)]


def _separator(name: str, column: str) -> str | None:
    return TEXTS.get(name, {}).get(column, ("", "", None))[2]


def flags(lists: Series, name: str, *, least: int = 1, counted: bool = False) -> Features:
    """Return a column of 0 and 1 for each word that the tuples of at least ``least`` rows contain."""
    words = lists.explode().dropna()
    codes, names = pd.factorize(words, sort=True)
    rows = lists.index.get_indexer(words.index)
    table = csr_matrix((np.ones(len(codes), np.float32), (rows, codes)), shape=(len(lists), len(names)))
    often = np.flatnonzero(table.getnnz(axis=0) >= least)
    if not len(often):
        raise DataError(f"no {name} occurs in at least {least:,} of {len(lists):,} rows")
    columns = pd.Index([f"{name}={word}" for word in np.asarray(names)[often]])
    return Features(table[:, often], lists.index, columns, counted=np.full(len(columns), counted))


def read_texts(path: Path, field: str) -> Series:
    """Read texts by the ids of their items: a column of a CSV or ``::`` file, or a JSON object of texts.

    Raises
    ------
    DataError
        If the file is damaged or has another form; the message begins with its path.
    """
    if ".json" in path.suffixes:
        with errors_of(path, "utf-8"), locate(path).open() as stream:
            return _of_json(whole(iter(lambda: stream.read(BLOCK), b"")))
    if ".dat" in path.suffixes:
        return _of_dat(path, int(field))
    table = read_table(path, columns=["movieId", field])
    if table["movieId"].dtype != np.int64:
        raise DataError(f"{path}: the column movieId holds something other than numbers")
    return pd.Series(table[field].to_numpy(), index=pd.Index(table["movieId"].to_numpy(np.int64)))


def _of_json(content: bytes) -> Series:
    try:
        texts = json.loads(content)
    except (ValueError, RecursionError):
        texts = None
    if not isinstance(texts, dict) or not all(item.isdecimal() and len(item) < 19 for item in texts):
        raise DataError("this is not a JSON object of texts by the numbers of their items")
    values = [None if text is None else str(text) for text in texts.values()]
    return pd.Series(values, index=pd.Index([int(item) for item in texts]), dtype=object)


def _of_dat(path: Path, field: int) -> Series:
    """Read lines whose texts may contain ``::`` themselves; the last field is an address."""
    with errors_of(path, "latin-1"), locate(path).open() as stream:
        text = whole(iter(lambda: stream.read(BLOCK), b"")).decode("latin-1")
        lines = pd.Series([line for line in re.split("\r\n|\r|\n", text) if line], dtype=object)
        fields = lines.str.split("::", n=field + 1, expand=True)
        if field not in fields or not fields[0].str.fullmatch("[0-9]{1,18}").all():
            raise DataError(f"expected lines with the number of an item and {field} more fields, separated by '::'")
        return pd.Series(fields[field].to_numpy(), index=pd.Index(fields[0].to_numpy().astype(np.int64)))


def _content(data_dir: Path, file: str) -> Path:
    """Return the path of a file in the folder ``content``, gzipped or plain."""
    folder = data_dir / "content"
    for path in (folder / f"{file}.gz", folder / file):
        if path.is_file():
            return path
    raise DataError(f"there is neither {file} nor {file}.gz in {folder}; put one of them there")
