"""Features by one word: a file, a folder of pictures or a data set, and which columns of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from recsys_ae.data import named
from recsys_ae.data.dataset_info import default_data_dir
from recsys_ae.data.parsing import listing
from recsys_ae.data.readers.read import read_table
from recsys_ae.errors import Argument, ConfigError, DataError, arguments_named, renamed
from recsys_ae.features.data import images, movies, sequences
from recsys_ae.features.data.arrays import read_array
from recsys_ae.features.data.features import Features, joined
from recsys_ae.features.data.texts import count_words
from recsys_ae.spec.hyper import nearest

HISTORIES = "histories"
IDS = ("item", "itemId", "item_id", "movieId", "movie_id", "id")


def read_features(
    source: str,
    *,
    id: str | None = None,
    texts: Sequence[str] = (),
    data_dir: Path | None = None,
    known: Sequence[str] | None = None,
    image_size: int | None = None,
    history_steps: int | None = None,
) -> Features:
    """Read features from what one word says.

    Parameters
    ----------
    source
        ``FILE`` or ``NAME``, and behind a colon which columns of it, with commas between: a CSV or Parquet table
        (``items.csv:year,budget``), ``npy`` or ``npz`` (``vectors.npz:plots``), an ``idx`` file, a folder of pictures;
        ``ml-1m:genres,year,plots``, with ``histories`` for sequences of ratings; ``mnist:test``.
    id
        The column of a table with the ids; the default is a usual name, else the first.
    texts
        Which of the columns of a table are texts, whose words are counted.
    data_dir
        Where named data sets lie.
    known
        The columns of a fitted encoder: of texts, only its words are counted.
    image_size
        The sides that pictures of a folder are scaled to, in pixels; the default is 64.
    history_steps
        The last steps of a history that count; the default is 50.
    """
    place, columns = divided(source)
    pictured = Path(place).is_dir() and place not in (*images.NAMED, *named.names())
    told = columns == [HISTORIES] and place in named.names()
    _refuse_useless(source, "image_size", image_size, "a folder of pictures", useful=pictured)
    _refuse_useless(source, "history_steps", history_steps, f"NAME:{HISTORIES}", useful=told)
    folder = default_data_dir() if data_dir is None else data_dir
    if place in images.NAMED:
        return images.read_named_images(place, folder, *columns)
    if place in named.names():
        return _of_named(place, columns, folder, known, sequences.STEPS if history_steps is None else history_steps)
    path = Path(place)
    if pictured:
        with arguments_named(renamed({"size": "image_size"})):
            return images.read_image_folder(path, size=images.SIZE if image_size is None else image_size)
    if not path.exists():
        if {"/", "\\", "."} & set(place):
            raise DataError(f"{path}: there is no such file")
        raise ConfigError(f"there is no data set or file {place!r}{nearest(place, (*named.names(), *images.NAMED))}")
    if path.suffix.lower() in (".npy", ".npz"):
        return read_array(path, columns[0] if columns else None)
    if "idx3" in path.name:
        return images.read_idx(path, transposed="emnist" in path.name.lower())
    return _of_table(path, columns, id, texts, known)


def _refuse_useless(source: str, what: str, value: int | None, where: str, *, useful: bool) -> None:
    if value is not None and not useful:
        raise ConfigError(Argument(what, value), f" is for {where}, which {source} is not; leave it out")


def divided(source: str) -> tuple[str, list[str]]:
    """Return the place and the columns; a colon within a path that exists divides nothing."""
    place, colon, columns = source.rpartition(":")
    if not colon or Path(source).exists():
        return source, []
    return place, [column.strip() for column in columns.split(",") if column.strip()]


def _of_named(name: str, columns: Sequence[str], folder: Path, known: Sequence[str] | None, steps: int) -> Features:
    dataset = named.load(name, data_dir=folder)
    if list(columns) == [HISTORIES]:
        with arguments_named(renamed({"steps": "history_steps"})):
            return sequences.histories(dataset.interactions, steps=steps)
    if dataset.items is None:
        raise DataError(f"{name} has no item features; use {name}:{HISTORIES}")
    there = movies.columns_of(name, dataset.items)
    if not columns:
        raise ConfigError(f"name the features of {name} after a colon: {name}:{','.join(there)}")
    return joined([movies.film_features(name, one, dataset.items, folder, known) for one in columns])


def _of_table(
    path: Path, columns: Sequence[str], id: str | None, texts: Sequence[str], known: Sequence[str] | None
) -> Features:
    table = read_table(path, header=True)
    names = [str(name) for name in table.columns]
    table.columns = pd.Index(names)
    id = id or id_column(names)
    wanted = list(columns) or [name for name in names if name != id]
    for name in (*wanted, *texts, id):
        if name not in names:
            raise DataError(f"{path}: there is no column {name!r}; the columns are: {listing(names)}")
    parts: list[Features] = []
    numbers = [name for name in wanted if name not in texts]
    if numbers:
        parts.append(Features.from_frame(table[[id, *numbers]], id=id))
    for name in texts:
        parts.append(count_words(_by_id(table, id, name), name=name, known=known))
    return joined(parts)


def id_column(names: Sequence[str]) -> str:
    """Return the column of a table that usually has the ids."""
    return next((name for name in IDS if name in names), names[0])


def _by_id(table: pd.DataFrame, id: str, name: str) -> "pd.Series[Any]":
    return pd.Series(table[name].to_numpy(), index=pd.Index(table[id].to_numpy()))
