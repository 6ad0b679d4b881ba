"""Item features from one source: a file, a folder of pictures or a data set, and its columns."""

from collections.abc import Sequence
from pathlib import Path

from recsys_ae.data import named
from recsys_ae.data.dataset_info import default_data_dir
from recsys_ae.data.readers.parts.addresses import REMOTE
from recsys_ae.errors import Argument, ConfigError, DataError, arguments_named, renamed
from recsys_ae.features.data import images, movies, sequences
from recsys_ae.features.data.arrays import read_array
from recsys_ae.features.data.features import Features, joined
from recsys_ae.features.data.table_places import has_tables
from recsys_ae.features.data.tables import read_feature_table
from recsys_ae.spec.hyper import nearest

HISTORIES = "histories"


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
    """Read features from a source.

    Parameters
    ----------
    source
        ``FILE`` or ``NAME``, and after a colon the columns, separated by commas: a CSV or Parquet table
        (``items.csv:year,budget``), also in parts, at an address or on standard input (``items/``, ``-``); ``npy`` or
        ``npz`` (``vectors.npz:plots``), an ``idx`` file, a folder of pictures; ``ml-1m:genres,year,plots``, with
        ``histories`` for sequences of ratings; ``mnist:test``.
    id
        Column of the ids in a table; the default is a usual name, else the first column.
    texts
        Columns of a table that are texts, whose words are counted.
    data_dir
        Folder of the named data sets.
    known
        Columns of a fitted encoder: only their words are counted in texts.
    image_size
        Side that pictures of a folder are scaled to, in pixels; the default is 64.
    history_steps
        Number of last steps of a history that are used; the default is 50.
    """
    name, columns = divided(source)
    is_named = name in (*images.NAMED, *named.names())
    is_table = not is_named and has_tables(name)
    has_pictures = Path(name).is_dir() and not is_named and not is_table
    has_histories = columns == [HISTORIES] and name in named.names()
    _refuse_useless(source, "image_size", image_size, "a folder of pictures", useful=has_pictures)
    _refuse_useless(source, "history_steps", history_steps, f"NAME:{HISTORIES}", useful=has_histories)
    folder = default_data_dir() if data_dir is None else data_dir
    _refuse_columns(source, name, columns, is_table=is_table)
    if name in images.NAMED:
        return images.read_named_images(name, folder, *columns)
    if name in named.names():
        return _of_named(name, columns, folder, known, sequences.STEPS if history_steps is None else history_steps)
    path = Path(name)
    if has_pictures:
        with arguments_named(renamed({"size": "image_size"})):
            return images.read_image_folder(path, size=images.SIZE if image_size is None else image_size)
    if not is_table and not path.exists():
        if {"/", "\\", "."} & set(name):
            raise DataError(f"{path}: there is no such file")
        raise ConfigError(f"there is no data set or file {name!r}{nearest(name, (*named.names(), *images.NAMED))}")
    if not is_table and path.suffix.lower() in (".npy", ".npz"):
        return read_array(path, columns[0] if columns else None)
    if not is_table and "idx3" in path.name:
        return images.read_idx(path, transposed="emnist" in path.name.lower())
    return read_feature_table(name, columns, id=id, texts=texts, known=known)


def _refuse_useless(source: str, name: str, value: int | None, kind: str, *, useful: bool) -> None:
    """Raise if an argument is given that only sources of another kind use."""
    if value is not None and not useful:
        raise ConfigError(Argument(name, value), f" is for {kind}, which {source} is not; leave it out")


def _refuse_columns(source: str, name: str, columns: Sequence[str], *, is_table: bool) -> None:
    """Raise if more columns are named after the colon than the source has a use for."""
    path = Path(name)
    if name in images.NAMED:
        most, kind = 1, "has one part, train or test"
    elif name not in named.names() and path.suffix.lower() in (".npy", ".npz"):
        most, kind = 1, "is read as one array"
    elif name not in named.names() and ((path.is_dir() and not is_table) or (path.is_file() and "idx3" in path.name)):
        most, kind = 0, "has no columns to choose from"
    else:
        return
    if len(columns) > most:
        raise ConfigError(f"{source}: {name} {kind}; leave out {','.join(columns[most:])}")


def divided(source: str) -> tuple[str, list[str]]:
    """Return the name and the columns of a source; a colon inside an existing path separates nothing."""
    name, colon, columns = source.rpartition(":")
    if not colon or Path(source).exists() or (REMOTE.match(source) and "/" in columns):
        return source, []
    return name, [column.strip() for column in columns.split(",") if column.strip()]


def _of_named(
    name: str, columns: Sequence[str], folder: Path, fitted_columns: Sequence[str] | None, steps: int
) -> Features:
    dataset = named.load(name, data_dir=folder)
    if list(columns) == [HISTORIES]:
        with arguments_named(renamed({"steps": "history_steps"})):
            return sequences.histories(dataset.interactions, steps=steps)
    if dataset.items is None:
        raise DataError(f"{name} has no item features; use {name}:{HISTORIES}")
    available = movies.columns_of(name, dataset.items)
    if not columns:
        raise ConfigError(f"name the features of {name} after a colon: {name}:{','.join(available)}")
    return joined([movies.film_features(name, column, dataset.items, folder, fitted_columns) for column in columns])
