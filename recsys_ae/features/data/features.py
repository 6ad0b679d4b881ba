"""Item features: rows of numbers with ids, which autoencoders encode into vectors."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack, issparse

from recsys_ae.data.fingerprint import fingerprint
from recsys_ae.data.id_matching import match, rows_of
from recsys_ae.data.parsing import Ids, listing, shown
from recsys_ae.errors import DataError
from recsys_ae.features.data.checks import row_ids
from recsys_ae.features.data.number_columns import numbers, shortened

Form: TypeAlias = tuple[int, ...]
SEQUENCE, IMAGE = 2, 3
FORMS = {0: "a table", SEQUENCE: "sequences", IMAGE: "images"}
"""Kinds of features, by the number of dimensions of a row."""


@dataclass(frozen=True, eq=False)
class Features:
    """Rows of numbers with ids.

    Attributes
    ----------
    matrix
        ``(n, width)`` float32, dense or CSR. NaN is a missing value, which only a table may have.
    ids, columns
        Names of the rows and of the columns; each is unique.
    form
        Shape of a row: ``()`` in a table, ``(channels, height, width)`` of an image, ``(steps, width)`` of a sequence.
    lengths
        ``(n,)`` int64: the number of steps of each sequence; later steps are padding.
    counted
        ``(width,)`` bool: the columns that count words, which are weighted by their rarity.
    remarks
        Sentences about what a reader noticed in the data.
    """

    matrix: "np.ndarray | csr_matrix"
    ids: Ids
    columns: Ids
    form: Form = ()
    lengths: np.ndarray | None = None
    counted: np.ndarray | None = None
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        sparse = issparse(self.matrix)
        plain: Any = csr_matrix(self.matrix, dtype=np.float32) if sparse else np.asarray(self.matrix, np.float32)
        object.__setattr__(self, "matrix", plain)
        if plain.ndim != 2:
            raise DataError(f"features have 2 dimensions, not {plain.ndim}; flatten the rows and give their form")
        self._refuse_misfits()
        numbers = plain.data if sparse else plain
        if np.isinf(numbers).any():
            raise DataError(f"a value is infinite: {self._where(np.isinf)}; leave it empty if it is unknown")
        if self.form and np.isnan(numbers).any():
            raise DataError(f"a value is missing: {self._where(np.isnan)}; only a table may have missing values")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.columns)

    @property
    def sparse(self) -> bool:
        """True if only the values other than 0 are stored."""
        return isinstance(self.matrix, csr_matrix)

    @property
    def fingerprint(self) -> str:
        """Short hash of ids, columns and values."""
        return fingerprint(self.ids, self.columns, self.matrix, self.lengths)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, id: str | int = "item", columns: Sequence[Any] | None = None) -> Self:
        """Read the numbers of a table, a row for each id; empty cells, and texts such as ``NA``, are missing values.

        Parameters
        ----------
        columns
            Names of the columns; the default is all but the ids.
        """
        if id not in frame.columns:
            raise DataError(f"there is no column {shown(id)} to read the ids from; it has: {listing(frame.columns)}")
        names = [name for name in frame.columns if name != id] if columns is None else list(columns)
        for name in names:
            if name not in frame.columns:
                raise DataError(f"there is no column {shown(name)}; the columns are: {listing(frame.columns)}")
        ids = row_ids(frame[id])
        table, remarks = np.empty((len(frame), len(names)), np.float32), list[str]()
        for position, name in enumerate(names):
            table[:, position], remark = numbers(frame[name], str(name))
            remarks += remark
        return cls(table, ids, pd.Index(names), remarks=tuple(shortened(remarks)))

    def take(self, positions: np.ndarray) -> Self:
        """Return the rows at these positions, in that order."""
        lengths = None if self.lengths is None else self.lengths[positions]
        return dataclasses.replace(self, matrix=self.matrix[positions], ids=self.ids[positions], lengths=lengths)

    def of(self, ids: Ids) -> Self:
        """Return the rows of these ids, in their order and form; a remark counts the ids without a row.

        Ids are compared by `match`; of several rows for the same id, the last is taken.

        Raises
        ------
        DataError
            If no id has a row.
        """
        rows = rows_of(ids, self.ids)
        has_row = rows >= 0
        if not has_row.any():
            raise DataError(
                f"none of the {len(ids):,} items has features: the {len(self):,} rows have the ids "
                f"{listing(self.ids, 3)}, but the items {listing(ids, 3)}; use the ids of the items"
            )
        rows = rows[has_row]
        lengths = None if self.lengths is None else self.lengths[rows]
        features = dataclasses.replace(self, matrix=self.matrix[rows], ids=ids[has_row], lengths=lengths)
        if has_row.all():
            return features
        missing, unused = ids[~has_row], self.without(ids).ids
        remark = f"{len(missing):,} of {len(ids):,} items have no features"
        if 2 * len(missing) > len(ids) and len(unused):
            remark += f", such as {shown(missing[0])}; there are features of {shown(unused[0])}, which is no item"
        return features.noting(remark)

    def without(self, ids: Ids) -> Self:
        """Return the rows of all other ids, compared by `match`."""
        return self.take(np.flatnonzero(match(ids, self.ids) < 0))

    def onto(self, columns: Ids) -> Self:
        """Return these columns, in this order; other columns are dropped.

        A missing column of sparse features, such as an unused word, is 0. Dense features must have all columns.
        """
        if columns.equals(self.columns):
            return self
        positions = self.columns.get_indexer(columns)
        absent = columns[positions < 0]
        if len(absent) and (self.form or not self.sparse):
            raise DataError(
                f"{len(absent):,} of {len(columns):,} columns are missing, the first is {shown(absent[0])}; the "
                f"columns are: {listing(self.columns, 10)}"
            )
        if isinstance(self.matrix, np.ndarray):
            return dataclasses.replace(self, matrix=self.matrix[:, positions], columns=columns, counted=None)
        padded = hstack([self.matrix, csr_matrix(np.zeros((len(self), 1), np.float32))], format="csr")
        return dataclasses.replace(self, matrix=padded[:, positions], columns=columns, counted=None)

    def fitting(self, columns: Ids, form: Form) -> Self:
        """Return the columns of a fit, in their order; raise if the form differs or a column is missing."""
        if self.form != form:
            these, fitted = (
                f"{FORMS[len(shape)]} of {' × '.join(map(str, shape))}" if shape else FORMS[0]
                for shape in (self.form, form)
            )
            raise DataError(f"these features are {these}, but the model was fitted on {fitted}")
        return self.onto(columns)

    def noting(self, *remarks: str) -> Self:
        """Return these features with further remarks."""
        return dataclasses.replace(self, remarks=(*self.remarks, *remarks))

    def to_frame(self, id: str = "item") -> pd.DataFrame:
        """Return dense features as a table: a column of ids, and one for each column."""
        if not isinstance(self.matrix, np.ndarray):
            raise DataError(f"{len(self):,} × {self.width:,} sparse features are not written out as a dense table")
        table = pd.DataFrame(self.matrix, columns=self.columns.astype(str))
        table.insert(0, id, self.ids)
        return table

    def _where(self, bad: Any) -> str:
        if isinstance(self.matrix, csr_matrix):
            entry = int(np.argmax(bad(self.matrix.data)))
            row = int(np.searchsorted(self.matrix.indptr, entry, side="right")) - 1
            column = int(self.matrix.indices[entry])
        else:
            row, column = (int(index) for index in np.unravel_index(np.argmax(bad(self.matrix)), self.matrix.shape))
        return f"row {shown(self.ids[row])}, column {shown(self.columns[column])}"

    def _refuse_misfits(self) -> None:
        n, width = self.matrix.shape
        for axis, names, expected in (("rows", self.ids, n), ("columns", self.columns, width)):
            if len(names) != expected:
                raise DataError(f"there are {expected:,} {axis}, but {len(names):,} names for them")
            if not names.is_unique:
                twice = names[names.duplicated()]
                raise DataError(f"{axis} must have different names, but {shown(twice[0])} occurs more than once")
        if len(self.form) not in (0, SEQUENCE, IMAGE) or (self.form and int(np.prod(self.form)) != width):
            raise DataError(
                f"a row has {width:,} values, which do not make {' × '.join(map(str, self.form))}; a form is "
                "(channels, height, width) of an image or (steps, width) of a sequence"
            )
        if (self.lengths is not None) != (len(self.form) == SEQUENCE):
            raise DataError("sequences, and nothing else, must say how many steps each of them has (lengths)")
        if self.lengths is not None:
            bad = (self.lengths < 1) | (self.lengths > self.form[0])
            if len(self.lengths) != n:
                raise DataError(f"there are {n:,} sequences, but {len(self.lengths):,} lengths")
            if bad.any():
                first = int(np.argmax(bad))
                raise DataError(
                    f"{int(bad.sum()):,} of {n:,} sequences have a length that is not 1 to {self.form[0]}, the first "
                    f"{int(self.lengths[first])} of {shown(self.ids[first])}; leave out items without any step"
                )


def joined(parts: Sequence[Features]) -> Features:
    """Join features by their ids: a row for each id that any of them has, with the columns of all.

    An id without a row in one of them has missing values there, or 0 if those features are sparse.
    """
    if len(parts) == 1:
        return parts[0]
    if any(features.form for features in parts):
        raise DataError("images and sequences cannot be joined with other features; encode each, and join the vectors")
    ids = parts[0].ids
    for features in parts[1:]:
        ids = ids.append(features.ids[match(ids, features.ids) < 0])
    sparse = any(features.sparse for features in parts)
    blocks = [_spread(features, rows_of(ids, features.ids), sparse=sparse) for features in parts]
    counted = [np.zeros(p.width, bool) if p.counted is None else p.counted for p in parts]
    remarks = tuple(remark for features in parts for remark in features.remarks)
    for features in parts:
        if len(features) < len(ids):
            name = str(features.columns[0]).partition("=")[0]
            remarks += (f"{len(ids) - len(features):,} of {len(ids):,} items have no {name}",)
    columns = parts[0].columns.append([features.columns for features in parts[1:]])
    values = hstack(blocks, format="csr") if sparse else np.concatenate(blocks, axis=1)
    return Features(values, ids, columns, counted=np.concatenate(counted), remarks=remarks)


def _spread(features: Features, positions: np.ndarray, *, sparse: bool) -> Any:
    """Return the rows at these positions; a position of −1 gives a row of 0 if sparse, else of missing values."""
    absent = positions < 0
    values = features.matrix
    if isinstance(values, csr_matrix):
        rows = csr_matrix(values[np.where(absent, 0, positions)].multiply(~absent[:, None]))
        rows.eliminate_zeros()
        return rows
    block = np.asarray(values)[positions]
    block[absent] = np.nan
    return csr_matrix(block) if sparse else block
