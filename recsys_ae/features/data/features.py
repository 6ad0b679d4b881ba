"""Features of items: rows that an autoencoder of features reads, and the vectors that it gives."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack, issparse

from recsys_ae.data import decimals
from recsys_ae.data.fingerprint import fingerprint
from recsys_ae.data.parsing import Ids, Series, listing, refuse, shown
from recsys_ae.errors import DataError

Form: TypeAlias = tuple[int, ...]
SEQUENCE, IMAGE = 2, 3
FORMS = {0: "a table", SEQUENCE: "sequences", IMAGE: "images"}
"""The number of dimensions that a row of such features has."""


@dataclass(frozen=True, eq=False)
class Features:
    """Rows of numbers with ids.

    Attributes
    ----------
    matrix
        ``(n, width)`` float32, dense or CSR. NaN is a missing value, which only a table may have.
    ids, columns
        What the rows and the columns are called; none occurs twice.
    form
        What a row is: ``()`` a table's, ``(channels, height, width)`` an image, ``(steps, width)`` a sequence.
    lengths
        ``(n,)`` int64: the steps of each sequence; what comes behind them is padding.
    counted
        ``(width,)`` bool: the columns that count words, which are weighed by how rare they are.
    remarks
        What was noticed while they were read: sentences.
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
        """The number of columns."""
        return len(self.columns)

    @property
    def sparse(self) -> bool:
        """Whether only what is not 0 is kept."""
        return isinstance(self.matrix, csr_matrix)

    @property
    def fingerprint(self) -> str:
        """A short hash of ids, columns and values."""
        return fingerprint(self.ids, self.columns, self.matrix, self.lengths)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, id: str | int = "item", columns: Sequence[Any] | None = None) -> Self:
        """Take the numbers of a table: a row for each id; empty cells are missing values.

        Parameters
        ----------
        columns
            Which columns; the default is all but the ids.
        """
        if id not in frame.columns:
            raise DataError(f"there is no column {shown(id)} to read the ids from; it has: {listing(frame.columns)}")
        wanted = [name for name in frame.columns if name != id] if columns is None else list(columns)
        for name in wanted:
            if name not in frame.columns:
                raise DataError(f"there is no column {shown(name)}; the columns are: {listing(frame.columns)}")
        refuse(frame[id].isna().to_numpy(dtype=bool), frame[id], "id", "is missing")
        table = np.empty((len(frame), len(wanted)), np.float32)
        for place, name in enumerate(wanted):
            table[:, place] = _numbers(frame[name], str(name))
        return cls(table, pd.Index(decimals.ids_of(frame[id]).to_numpy()), pd.Index(wanted))

    def take(self, positions: np.ndarray) -> Self:
        """Return the rows at these positions, in that order."""
        lengths = None if self.lengths is None else self.lengths[positions]
        return dataclasses.replace(self, matrix=self.matrix[positions], ids=self.ids[positions], lengths=lengths)

    def of(self, ids: Ids) -> Self:
        """Return the rows of those of these ids that have one, in their order; a remark counts the others.

        Raises
        ------
        DataError
            Where no id has a row.
        """
        places = self.ids.get_indexer(ids)
        known = places >= 0
        if not known.any():
            raise DataError(
                f"none of the {len(ids):,} items has features: the {len(self):,} rows have the ids "
                f"{listing(self.ids, 3)}, but the items {listing(ids, 3)}; use the ids of the items"
            )
        found = self.take(places[known])
        if known.all():
            return found
        return found.noting(f"{int((~known).sum()):,} of {len(ids):,} items have no features")

    def without(self, ids: Ids) -> Self:
        """Return the rows of all other ids."""
        return self.take(np.flatnonzero(~self.ids.isin(ids)))

    def onto(self, columns: Ids) -> Self:
        """Return these columns in this order.

        A word that nobody uses counts 0; any other column must be there. Columns too many are left out.
        """
        if columns.equals(self.columns):
            return self
        places = self.columns.get_indexer(columns)
        absent = columns[places < 0]
        if len(absent) and (self.form or not self.sparse):
            raise DataError(
                f"{len(absent):,} of {len(columns):,} columns are missing, the first is {shown(absent[0])}; the "
                f"columns are: {listing(self.columns, 10)}"
            )
        if isinstance(self.matrix, np.ndarray):
            return dataclasses.replace(self, matrix=self.matrix[:, places], columns=columns, counted=None)
        padded = hstack([self.matrix, csr_matrix(np.zeros((len(self), 1), np.float32))], format="csr")
        return dataclasses.replace(self, matrix=padded[:, places], columns=columns, counted=None)

    def fitting(self, columns: Ids, form: Form) -> Self:
        """Return the columns of a training in their order, or say why that cannot be: the rows must be of its form."""
        if self.form != form:
            told = [
                f"{FORMS[len(one)]} of {' × '.join(map(str, one))}" if one else FORMS[0] for one in (self.form, form)
            ]
            raise DataError(f"these features are {told[0]}, but the model was fitted on {told[1]}")
        return self.onto(columns)

    def noting(self, *remarks: str) -> Self:
        """Return the same with further remarks."""
        return dataclasses.replace(self, remarks=(*self.remarks, *remarks))

    def to_frame(self, id: str = "item") -> pd.DataFrame:
        """Return a table with a column of ids and one for each column; for dense features."""
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
            row, column = (int(place) for place in np.unravel_index(np.argmax(bad(self.matrix)), self.matrix.shape))
        return f"row {shown(self.ids[row])}, column {shown(self.columns[column])}"

    def _refuse_misfits(self) -> None:
        n, width = self.matrix.shape
        for what, names, expected in (("rows", self.ids, n), ("columns", self.columns, width)):
            if len(names) != expected:
                raise DataError(f"there are {expected:,} {what}, but {len(names):,} names for them")
            if not names.is_unique:
                twice = names[names.duplicated()]
                raise DataError(f"{what} must have different names, but {shown(twice[0])} occurs more than once")
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
    """Put the columns of several tables side by side: a row for each id that any of them has.

    Where a table has no row, its numbers are missing; of a sparse one they are 0.
    """
    if len(parts) == 1:
        return parts[0]
    if any(part.form for part in parts):
        raise DataError("images and sequences cannot be joined with other features; encode each, and join the vectors")
    ids = parts[0].ids
    for part in parts[1:]:
        ids = ids.append(part.ids.difference(ids, sort=False))
    sparse = any(part.sparse for part in parts)
    blocks = [_spread(part, part.ids.get_indexer(ids), sparse=sparse) for part in parts]
    counted = [np.zeros(p.width, bool) if p.counted is None else p.counted for p in parts]
    remarks = tuple(remark for part in parts for remark in part.remarks)
    for part in parts:
        if len(part) < len(ids):
            remarks += (
                f"{len(ids) - len(part):,} of {len(ids):,} items have no {str(part.columns[0]).partition('=')[0]}",
            )
    columns = parts[0].columns.append([part.columns for part in parts[1:]])
    values = hstack(blocks, format="csr") if sparse else np.concatenate(blocks, axis=1)
    return Features(values, ids, columns, counted=np.concatenate(counted), remarks=remarks)


def _spread(part: Features, places: np.ndarray, *, sparse: bool) -> Any:
    """Return a part's rows at these places, with nothing where a place is −1."""
    absent = places < 0
    values = part.matrix
    if isinstance(values, csr_matrix):
        return csr_matrix(values[np.where(absent, 0, places)].multiply(~absent[:, None]))
    block = np.asarray(values)[places]
    block[absent] = np.nan
    return csr_matrix(block) if sparse else block


def _numbers(column: Series, name: str) -> np.ndarray:
    """Return a column's numbers, float32 with NaN where a cell is empty."""
    if column.dtype == bool:
        return column.to_numpy(dtype=np.float32)
    text = column.astype(column.cat.categories.dtype) if isinstance(column.dtype, pd.CategoricalDtype) else column
    found = pd.to_numeric(decimals.numbers_of(text), errors="coerce")
    refuse((found.isna() & column.notna()).to_numpy(dtype=bool), column, f"column {name!r}", "is not a number")
    return found.to_numpy(dtype=np.float32, na_value=np.nan)
