"""The rows that a study learns from and looks at, with their labels and rows unlike them."""

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
from recsys_ae.features.data.read import id_column, read_features
from recsys_ae.features.study.plan import Sizes
from recsys_ae.features.study.rows import SEED, Part

SAMPLE = "sample:genres"
LEAST = 30
CLASS = 10
"""Rows of a label that a classifier is taught; of thousands of rare labels it would learn little, in hours."""


@dataclass(frozen=True, eq=False)
class StudyData:
    """What a study reads.

    Attributes
    ----------
    train, valid, test
        Rows to learn from, to follow the training on, and to measure on.
    pool
        The training rows, and those that were not drawn to be learnt from: what neighbours are looked for among, and
        what labels are given to.
    unlike
        Rows of other data with the same columns, by name.
    remarks
        What was left out while reading, and why: sentences.
    titles
        What the rows of some ids are called, beside their ids.
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
        """The labels of the training rows, the most frequent first; none where there are none."""
        if self.train.labels is None:
            return ()
        names, counts = np.unique(self.train.labelled().told, return_counts=True)
        return tuple(names[np.lexsort((names, -counts))].tolist())

    @cached_property
    def classes(self) -> np.ndarray:
        """The labels that a classifier is taught: those that enough rows of the pool have, as text."""
        if self.pool.labels is None:
            return np.empty(0, str)
        names, counts = np.unique(self.pool.labelled().told, return_counts=True)
        return names[counts >= CLASS]

    def called(self, ids: Iterable[Any]) -> list[str]:
        """Return what rows are called: their titles, or their ids where there are none."""
        return [str(self.titles.get(one, one)) for one in ids]

    @cached_property
    def prints(self) -> tuple[str, str, str, str]:
        """The fingerprints of the training, validation and test rows and of the pool, with their labels."""
        return tuple(_print(part) for part in (self.train, self.valid, self.test, self.pool))  # type: ignore[return-value]

    @property
    def pictures(self) -> bool:
        """Whether a row can be shown as a picture."""
        return len(self.test.features.form) == IMAGE and self.test.features.form[0] in (1, 3)

    def seen_by(self, reads: Sequence[int]) -> "StudyData":
        """Return the data as a model reads them: grey images as sequences of rows for one of sequences only.

        Raises
        ------
        DataError
            Where a model reads no such rows.
        """
        form = self.train.features.form
        if len(form) in reads:
            return self
        if len(form) == IMAGE and form[0] == 1 and SEQUENCE in reads:
            train, valid, test, pool = map(_as_sequences, (self.train, self.valid, self.test, self.pool))
            unlike = {name: _as_sequences(part) for name, part in self.unlike.items()}
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
        """Read features, divide them and read their labels.

        Data with a published test part keep it; of others a fifth of the rows, drawn once, is the test part.
        """
        source = SAMPLE if source == "sample" else source
        remarks: list[str] = []
        if source in images.NAMED:
            whole = _labelled(f"{source}:train", labels, data_dir, remarks)
            test = _labelled(f"{source}:test", labels, data_dir, remarks)
        else:
            every = _labelled(_without(source, labels, id), labels, data_dir, remarks, id=id, texts=texts)
            order = np.random.default_rng(SEED).permutation(len(every))
            if len(every) < LEAST:
                raise DataError(f"{source} has {len(every):,} rows; a study needs at least {LEAST}")
            n = max(len(every) // 5, 1)
            test, whole = every.take(np.sort(order[:n])), every.take(np.sort(order[n:]))
        order = np.random.default_rng(SEED).permutation(len(whole))
        n_valid = min(sizes.valid, max(len(whole) // 10, 1))
        valid, train = whole.take(np.sort(order[:n_valid])), whole.take(np.sort(order[n_valid:]))
        others = _unlike(unlike, data_dir or default_data_dir(), whole.features, sizes.test, remarks)
        titles = _titles(source.partition(":")[0], data_dir)
        return cls(train.drawn(sizes.train), valid, test.drawn(sizes.test), train, others, tuple(remarks), titles)


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
        return Part(features, read_labels(source, features.ids, data_dir=data_dir, column=column))
    except (DataError, ConfigError) as error:
        if column is not None:
            raise
        remark = f"no labels: {error}"
        remarks += [] if remark in remarks else [remark]
        return Part(features)


def _without(source: str, labels: str | None, id: str | None) -> str:
    """Name the columns of a table, if none are named: all but the one with the labels."""
    path = Path(source)
    place = source.partition(":")[0]
    table = path.suffix.lower() in (".csv", ".tsv", ".parquet") and path.is_file()
    if labels is None or not table or place in named.names():
        return source
    names = [str(name) for name in read_table(path, header=True).columns]
    if labels not in names:
        raise DataError(f"{source}: there is no column {labels!r} with labels; the columns are: {listing(names)}")
    ids = id_column(names) if id is None else id
    return f"{source}:{','.join(name for name in names if name not in (labels, ids))}"


def _titles(name: str, data_dir: Path | None) -> dict[Any, str]:
    """Return the titles of the items of a named data set that has any."""
    items = named.load(name, data_dir=data_dir).items if name in named.names() else None
    return {} if items is None or "title" not in items else items["title"].dropna().astype(str).to_dict()


def _unlike(sources: Sequence[str], folder: Path, like: Features, most: int, remarks: list[str]) -> dict[str, Part]:
    found: dict[str, Part] = {}
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
                f" has rows of {features.width:,} columns ({FORMS[len(features.form)]}, shape {features.form}); "
                f"expected the study's {like.width:,} columns ({FORMS[len(like.form)]}, shape {like.form})",
            )
        found[name] = Part(dataclasses.replace(features, columns=like.columns)).drawn(most)
    return found


def _print(part: Part) -> str:
    labels = "" if part.labels is None else "/".join(part.labels.astype(str).tolist())
    return hashlib.sha256(f"{part.features.fingerprint} {labels}".encode()).hexdigest()[:16]


def _as_sequences(part: Part) -> Part:
    """Read grey images from their first row to the last."""
    features = part.features
    _, height, width = features.form
    lengths = np.full(len(features), height)
    return Part(dataclasses.replace(features, form=(height, width), lengths=lengths), part.labels)
