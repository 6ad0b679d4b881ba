"""What is known of films as features: genres, year, tags, and the words of what is written about them."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.parsing import Series, listing
from recsys_ae.data.readers.archives import locate
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
"""Of each text: the file in the folder ``content`` of the data, plain or gzipped; its column; what parts names."""
UNKNOWN = "N/A"
PLAIN = ("genres", "year", "tags")


def columns_of(name: str, items: pd.DataFrame) -> tuple[str, ...]:
    """Return what can be had of the films of a data set."""
    return (*(one for one in PLAIN if one in items), *TEXTS.get(name, {}))


def film_features(
    name: str, column: str, items: pd.DataFrame, data_dir: Path, known: Sequence[str] | None = None
) -> Features:
    """Return one kind of features of films; ``known`` are the columns of a fitted encoder, whose words are counted."""
    made: Mapping[str, Callable[[], Features]] = {
        "genres": lambda: flags(items["genres"], "genre"),
        "tags": lambda: flags(items["tags"], "tag", least=2, counted=True),
        "year": lambda: Features.from_frame(items[["year"]].reset_index(), id=str(items.index.name)),
    }
    there = columns_of(name, items)
    if column not in there:
        raise DataError(f"{name} has no features {column!r}; it has: {listing(there)}")
    if column in made:
        return made[column]()
    file, field, separator = TEXTS[name][column]
    texts = read_texts(_found(data_dir / "content", file), field)
    return count_words(texts[texts.index.isin(items.index)], name=column, known=known, separator=separator)


def first_names(name: str, column: str, items: pd.DataFrame, data_dir: Path) -> Series:
    """Return the first genre, director or actor of each film that has one, by the films' ids."""
    if column == "genres" and column in items:
        firsts = items["genres"].map(lambda names: names[0] if names else "")
    else:
        there = [one for one in columns_of(name, items) if one == "genres" or _separator(name, one)]
        if column not in there:
            raise DataError(f"the movies of {name} have no labels {column!r}; they have: {listing(there)}")
        file, field, separator = TEXTS[name][column]
        firsts = read_texts(_found(data_dir / "content", file), field).fillna("").astype(str)
        firsts = firsts.str.split(separator, n=1, regex=False).str[0].str.strip()
    return firsts[(firsts != "") & (firsts != UNKNOWN)]


def _separator(name: str, column: str) -> str | None:
    return TEXTS.get(name, {}).get(column, ("", "", None))[2]


def flags(lists: Series, name: str, *, least: int = 1, counted: bool = False) -> Features:
    """Return a column for each word of the tuples of rows that ``least`` rows have: 1 where a row has it."""
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
    """Read the texts of a file by the ids of its items: a column of CSV or of ``::``, or a JSON object of texts."""
    if ".json" in path.suffixes:
        with locate(path).open() as stream:
            texts: Mapping[str, str] = json.load(stream)
        return pd.Series(list(texts.values()), index=pd.Index([int(item) for item in texts]), dtype=object)
    if ".dat" in path.suffixes:
        return _of_dat(path, int(field))
    table = read_table(path, columns=["movieId", field])
    return pd.Series(table[field].to_numpy(), index=pd.Index(table["movieId"].to_numpy(np.int64)))


def _of_dat(path: Path, field: int) -> Series:
    """Read lines whose texts may hold ``::`` themselves; the last part is an address."""
    table = pd.read_csv(path, sep="\0", header=None, names=["line"], quoting=3, encoding="latin-1", engine="c")
    parts = table["line"].str.split("::", n=field + 1, expand=True)
    return pd.Series(parts[field].to_numpy(), index=pd.Index(parts[0].to_numpy().astype(np.int64)))


def _found(folder: Path, file: str) -> Path:
    for path in (folder / f"{file}.gz", folder / file):
        if path.is_file():
            return path
    raise DataError(f"there is neither {file} nor {file}.gz in {folder}; put one of them there")
