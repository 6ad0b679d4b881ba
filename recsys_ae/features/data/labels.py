"""Labels of feature rows, by which a study colours, classifies and retrieves."""

from pathlib import Path

import numpy as np
import pandas as pd

from recsys_ae.data import named
from recsys_ae.data.dataset_info import default_data_dir
from recsys_ae.data.id_matching import match
from recsys_ae.data.parsing import Ids, Series, listing, refuse, shown
from recsys_ae.data.readers.read import read_table
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.data import images, movies
from recsys_ae.features.data.idx import idx_length, read_idx_array
from recsys_ae.features.data.number_columns import is_marker
from recsys_ae.features.data.read import divided
from recsys_ae.features.data.tables import read_named_table

IMAGES, LABELS = "images-idx3", "labels-idx1"


def read_labels(
    source: str, ids: Ids, *, data_dir: Path | None = None, column: str | None = None, id: str | None = None
) -> np.ndarray:
    """Read the label of each row that `read_features` read from the same source, ``(n,)`` int64 or text.

    Parameters
    ----------
    source
        The source of the features. The labels of an idx file of images are read from the file of labels next to it,
        as published (those of EMNIST's letters count from 1). The label of a picture is the name of its sub-folder.
    ids
        Ids of the rows, ``(n,)``.
    data_dir
        Folder of the named data sets.
    column
        Column of a table. For movies ``genres`` (the default), ``directors`` or ``actors``: the label is the first name
        in the column, or the empty text if there is none.
    id
        Column of the ids in a table, as in `read_features`.

    Raises
    ------
    DataError
        If there are no labels, or not one for each row.
    """
    name, columns = divided(source)
    folder = default_data_dir() if data_dir is None else data_dir
    rows = pd.Index(ids)
    if name not in images.NAMED and name in named.names():
        return _of_movies(name, rows, folder, column or "genres")
    path = images.find_named_images(name, folder, *columns) if name in images.NAMED else Path(name)
    if not path.exists():
        raise DataError(f"{path}: there is no such file or data set to read labels from")
    if path.is_dir():
        return _of_folders(path, rows)
    if "idx3" in path.name:
        return _of_idx(path, rows)
    if path.suffix.lower() in (".npy", ".npz"):
        raise DataError(f"{path}: an array has no labels; give the vectors and a label in one CSV or Parquet table")
    return _of_table(path, rows, column, id)


def read_idx_labels(path: Path) -> np.ndarray:
    """Read an idx file of labels, plain or gzipped, ``(n,)`` int64."""
    return read_idx_array(path, "labels", 1).astype(np.int64)


def _of_idx(path: Path, ids: Ids) -> np.ndarray:
    if IMAGES not in path.name:
        raise DataError(f"{path}: its file of labels is unknown; name the files …{IMAGES}… and …{LABELS}…")
    name = path.name.replace(IMAGES, LABELS).removesuffix(".gz")
    candidates = (path.with_name(f"{name}.gz"), path.with_name(name))
    labels_path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if labels_path is None:
        raise DataError(f"{path} has no file of labels next to it; expected {name}, plain or gzipped")
    labels = read_idx_labels(labels_path)
    n_images = idx_length(path, "images", 3)
    if len(labels) != n_images:
        raise DataError(f"{labels_path} holds {len(labels):,} labels, but {path.name} {n_images:,} images")
    row_labels: np.ndarray = labels[_positions(pd.RangeIndex(n_images), ids, str(path))]
    return row_labels


def _of_folders(folder: Path, ids: Ids) -> np.ndarray:
    names = pd.Series(ids.astype(str))
    refuse(~names.str.contains("/").to_numpy(dtype=bool), names, f"{folder}: the picture", "lies in no sub-folder")
    return names.str.partition("/")[0].to_numpy(dtype=str)


def _of_table(path: Path, ids: Ids, column: str | None, id: str | None) -> np.ndarray:
    if column is None:
        names = read_table(path, header=True).columns
        raise ConfigError(f"{path}: name the column of the labels; the columns are: {listing(names)}")
    table = read_named_table(path, id=id)
    if column not in table.names:
        raise DataError(f"{path}: there is no column {column!r} of labels; the columns are: {listing(table.names)}")
    values = table.frame[column].rename(None)
    marked = values.isna() | values.map(is_marker, na_action="ignore").fillna(False).astype(bool)
    missing = "is missing; leave such rows out, or name the label in full"
    refuse(marked.to_numpy(dtype=bool), values, f"{path}: the label {column!r}", missing)
    return _plain(values.take(_positions(table.ids, ids, str(path))))


def _of_movies(name: str, ids: Ids, folder: Path, column: str) -> np.ndarray:
    items = named.load(name, data_dir=folder).items
    if items is None:
        raise DataError(f"{name} has no item features, so its items have no labels")
    firsts = movies.first_names(name, column, items, folder)
    _positions(items.index, ids, name)
    return firsts.reindex(ids).fillna("").to_numpy(dtype=str)


def _positions(rows: Ids, ids: Ids, source: str) -> np.ndarray:
    """Return the positions of ids among the rows of the source; raise if a row is missing or not unique."""
    if not rows.is_unique:
        raise DataError(f"{source}: the id {shown(rows[rows.duplicated()][0])} has more than one row")
    positions = match(rows, ids)
    absent = positions < 0
    if absent.any():
        raise DataError(
            f"{source} has no row {shown(ids[int(np.argmax(absent))])}: {int(absent.sum()):,} of {len(ids):,} ids are "
            f"not among its {len(rows):,} rows; read features and labels from the same source"
        )
    return positions


def _plain(values: Series) -> np.ndarray:
    """Return whole numbers as int64, other values as text."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if pd.api.types.is_integer_dtype(values.dtype) and (not len(values) or values.max() < 2**63):
        return values.to_numpy(dtype=np.int64)
    return values.astype(str).to_numpy(dtype=str)
