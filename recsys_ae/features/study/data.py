"""Rows of a study: training, validation and test rows, their labels, and rows of other data sets."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from recsys_ae.data import named
from recsys_ae.data.dataset_info import default_data_dir
from recsys_ae.data.parsing import listing
from recsys_ae.data.readers.read import read_table
from recsys_ae.errors import Argument, ConfigError, DataError, MissingPackageError
from recsys_ae.features.data import images
from recsys_ae.features.data.features import FORMS, IMAGE, SEQUENCE, Features
from recsys_ae.features.data.labels import read_labels
from recsys_ae.features.data.read import read_features
from recsys_ae.features.data.tables import id_column
from recsys_ae.features.study.plan import Sizes
from recsys_ae.features.study.rows import SEED, Part

SAMPLE = "sample:genres"
LEAST = 30
CLASS = 10
"""Rows that a label needs to be classified; with thousands of rare labels, classifiers learn little in hours."""


@dataclass(frozen=True, eq=False)
class StudyData:
    """The data of a study.

    Attributes
    ----------
    train, valid, test
        Training, validation and test rows.
    pool
        The training rows, and those that were not drawn for the training: candidates for neighbours, and rows whose
        labels classifiers learn from.
    unlike
        Rows of other data sets with the same columns, by name.
    remarks
        Sentences on what was omitted while reading, and why.
    titles
        Titles of rows by their ids, where the data have titles.
    """

    train: Part
    valid: Part
    test: Part
    pool: Part
    unlike: Mapping[str, Part]
    remarks: tuple[str, ...] = ()
    titles: Mapping[Any, str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the training rows, the most frequent first; empty if the rows have no labels."""
        if self.train.labels is None:
            return ()
        names, counts = np.unique(self.train.labelled().told, return_counts=True)
        return tuple(names[np.lexsort((names, -counts))].tolist())

    @cached_property
    def classes(self) -> np.ndarray:
        """The labels that classifiers learn: those of at least `CLASS` rows of the pool, as text."""
        if self.pool.labels is None:
            return np.empty(0, str)
        names, counts = np.unique(self.pool.labelled().told, return_counts=True)
        return names[counts >= CLASS]

    def called(self, ids: Iterable[Any]) -> list[str]:
        """Return the titles of rows, or their ids where they have no title."""
        return [str(self.titles.get(id, id)) for id in ids]

    @cached_property
    def prints(self) -> tuple[str, str, str, str]:
        """The fingerprints of the training, validation and test rows and of the pool, with their labels."""
        return tuple(_print(rows) for rows in (self.train, self.valid, self.test, self.pool))  # type: ignore[return-value]

    @property
    def pictures(self) -> bool:
        """True if a row can be shown as a picture."""
        return len(self.test.features.form) == IMAGE and self.test.features.form[0] in (1, 3)

    def seen_by(self, reads: Sequence[int]) -> "StudyData":
        """Return the data in a form that a model reads: grey images become sequences for a model of sequences.

        Raises
        ------
        DataError
            The model reads no rows of this form.
        """
        form = self.train.features.form
        if len(form) in reads:
            return self
        if len(form) == IMAGE and form[0] == 1 and SEQUENCE in reads:
            train, valid, test, pool = map(_as_sequences, (self.train, self.valid, self.test, self.pool))
            unlike = {name: _as_sequences(rows) for name, rows in self.unlike.items()}
            return StudyData(train, valid, test, pool, unlike, self.remarks, self.titles)
        readable = " or ".join(FORMS[n_axes] for n_axes in reads)
        raise DataError(f"the model reads {readable}, but these rows are {FORMS[len(form)]}")

    @classmethod
    def read(
        cls,
        source: str,
        *,
        labels: str | None = None,
        unlike: Sequence[str] = (),
        sizes: Sizes,
        data_dir: Path | None = None,
        id: str | None = None,
        texts: Sequence[str] = (),
    ) -> Self:
        """Read features and their labels, and split the rows.

        Data with published test rows keep them. Otherwise a fifth of the rows, drawn once, are the test rows.
        """
        source = SAMPLE if source == "sample" else source
        remarks: list[str] = []
        if source in images.NAMED:
            training = _labelled(f"{source}:train", labels, data_dir, remarks)
            test = _labelled(f"{source}:test", labels, data_dir, remarks)
        else:
            every = _labelled(_without(source, labels, id), labels, data_dir, remarks, id=id, texts=texts)
            order = np.random.default_rng(SEED).permutation(len(every))
            if len(every) < LEAST:
                raise DataError(f"{source} has {len(every):,} rows; a study needs at least {LEAST}")
            n = max(len(every) // 5, 1)
            test, training = every.take(np.sort(order[:n])), every.take(np.sort(order[n:]))
        order = np.random.default_rng(SEED).permutation(len(training))
        n_valid = min(sizes.valid, max(len(training) // 10, 1))
        valid, train = training.take(np.sort(order[:n_valid])), training.take(np.sort(order[n_valid:]))
        unlike_rows = _unlike(unlike, data_dir or default_data_dir(), training.features, sizes.test, remarks)
        titles = _titles(source.partition(":")[0], data_dir)
        return cls(train.drawn(sizes.train), valid, test.drawn(sizes.test), train, unlike_rows, tuple(remarks), titles)


def _labelled(
    source: str,
    column: str | None,
    data_dir: Path | None,
    remarks: list[str],
    *,
    id: str | None = None,
    texts: Sequence[str] = (),
) -> Part:
    features = read_features(source, id=id, texts=texts, data_dir=data_dir)
    remarks += [remark for remark in features.remarks if remark not in remarks]
    try:
        return Part(features, read_labels(source, features.ids, data_dir=data_dir, column=column, id=id))
    except (DataError, ConfigError) as error:
        if column is not None:
            raise
        remark = f"no labels: {error}"
        remarks += [] if remark in remarks else [remark]
        return Part(features)


def _without(source: str, labels: str | None, id: str | None) -> str:
    """Return a table's source with all columns named but the ids and the labels; other sources are unchanged."""
    path = Path(source)
    name = source.partition(":")[0]
    is_table = path.suffix.lower() in (".csv", ".tsv", ".parquet") and path.is_file()
    if labels is None or not is_table or name in named.names():
        return source
    names = [str(name) for name in read_table(path, header=True).columns]
    if labels not in names:
        raise DataError(f"{source}: there is no column {labels!r} with labels; the columns are: {listing(names)}")
    ids = id_column(names) if id is None else id
    return f"{source}:{','.join(name for name in names if name not in (labels, ids))}"


def _titles(name: str, data_dir: Path | None) -> dict[Any, str]:
    """Return the titles of the items of a named data set, if it has titles."""
    items = named.load(name, data_dir=data_dir).items if name in named.names() else None
    return {} if items is None or "title" not in items else items["title"].dropna().astype(str).to_dict()


def _unlike(sources: Sequence[str], folder: Path, like: Features, most: int, remarks: list[str]) -> dict[str, Part]:
    rows_by_name: dict[str, Part] = {}
    for source in sources:
        name = source.partition(":")[0]
        if name in images.NAMED and not (folder / name).is_dir():
            remarks.append(f"{name} is not in {folder}, so its rows were not evaluated")
            continue
        try:
            features = read_features(source, data_dir=folder)
        except MissingPackageError as error:
            remarks.append(f"{source}: {error}")
            continue
        if features.form != like.form or features.width != like.width:
            raise DataError(
                Argument("unlike", source),
                f" has rows of {_described(features)}; expected the study's {_described(like)}",
            )
        rows_by_name[name] = Part(dataclasses.replace(features, columns=like.columns)).drawn(most)
    return rows_by_name


def _described(features: Features) -> str:
    shape = f" of shape {features.form}" if features.form else ""
    return f"{features.width:,} columns ({FORMS[len(features.form)]}{shape})"


def _print(rows: Part) -> str:
    labels = "" if rows.labels is None else "/".join(rows.labels.astype(str).tolist())
    return hashlib.sha256(f"{rows.features.fingerprint} {labels}".encode()).hexdigest()[:16]


def _as_sequences(rows: Part) -> Part:
    """Return grey images as sequences of their pixel rows, from top to bottom."""
    features = rows.features
    _, height, width = features.form
    lengths = np.full(len(features), height)
    return Part(dataclasses.replace(features, form=(height, width), lengths=lengths), rows.labels)
