"""Checks of matrices at the door: sparse of any format, or dense, in one canonical form."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import csr_matrix, issparse

from recsys_ae.errors import DataError

NUMBERS = "biuf"
"""Kinds of NumPy's types that are taken: bool, integers and floats."""

Place: TypeAlias = Callable[[int, int], str]
"""Function that describes a row and a column."""


class Entries(NamedTuple):
    """Entries of a matrix in the order in which they are stored: rows, columns and float32 values, ``(nnz,)`` each."""

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray


def canonical(matrix: Any, name: str = "matrix", *, missing: bool = False) -> csr_matrix:
    """Return a float32 CSR matrix with sorted columns and no duplicates; the argument is not changed.

    Values are converted before duplicates are summed, so that small integers do not overflow. Explicit zeros are kept:
    they are entries like any other. A matrix in this form is returned as it is.

    Parameters
    ----------
    matrix
        Sparse matrix or array of any format, of numbers or bool.
    name
        Name of the matrix in messages.
    missing
        Allow NaN.

    Raises
    ------
    DataError
        If it is not a matrix of real, finite numbers; the message names row and column, counted from 0.
    """
    if not is_sparse(matrix):
        raise DataError(f"{name} must be a sparse matrix, not {type(matrix).__name__}")
    check(matrix, name)
    result: csr_matrix = matrix
    if not is_canonical(matrix):
        result = csr_matrix(_float32(matrix).tocsr(copy=True))
        result.has_canonical_format = False
        result.sum_duplicates()
    refuse_not_finite(result, name, missing=missing)
    return result


def is_canonical(matrix: Any) -> bool:
    """Return True for a float32 CSR matrix with sorted columns and no duplicates; its flags are not trusted."""
    if not isinstance(matrix, csr_matrix) or matrix.dtype != np.float32:
        return False
    check(matrix, "the matrix")
    fresh = csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    return bool(fresh.has_canonical_format)


def entries(matrix: Any, name: str = "matrix") -> Entries:
    """Return the entries of a sparse or dense matrix; duplicates are not summed, and zeros of a dense one are none."""
    check(matrix, name)
    if not is_sparse(matrix):
        table = np.asarray(matrix)
        rows, columns = np.nonzero(table)
        return Entries(rows, columns, _float32(table[rows, columns]))
    triples = matrix.tocoo(copy=False)
    return Entries(triples.row, triples.col, _float32(triples.data))


def is_sparse(matrix: Any) -> bool:
    """Return True for a sparse matrix or array of SciPy."""
    return bool(issparse(matrix))


def check(matrix: Any, name: str) -> None:
    """Raise a `DataError` if it is no matrix of real numbers, or a damaged one."""
    n_dimensions, kind = getattr(matrix, "ndim", 0), getattr(matrix, "dtype", None)
    if n_dimensions != 2 or not isinstance(kind, np.dtype):
        form = f"{n_dimensions} dimensions" if isinstance(kind, np.dtype) else type(matrix).__name__
        raise DataError(f"{name} must be a matrix with 2 dimensions, not {form}")
    if kind.kind not in NUMBERS:
        raise DataError(f"{name} of type {kind} is no matrix of real numbers; convert it to float32")
    if is_sparse(matrix) and matrix.format in ("csr", "csc"):
        try:
            matrix.check_format(full_check=True)
        except ValueError as error:
            raise DataError(f"{name} is damaged: {error}") from error


def refuse_not_finite(matrix: csr_matrix, name: str, place: Place | None = None, *, missing: bool = False) -> None:
    """Raise a `DataError` that names the first value that is NaN or infinite; ``place`` describes row and column."""
    bad = np.isinf(matrix.data) if missing else ~np.isfinite(matrix.data)
    if not bad.any():
        return
    first, n_bad = int(np.argmax(bad)), int(bad.sum())
    row, column = int(np.searchsorted(matrix.indptr, first, side="right")) - 1, int(matrix.indices[first])
    where = f"row {row:,}, column {column:,}" if place is None else place(row, column)
    count = f" ({n_bad:,} such values)" if n_bad > 1 else ""
    value = matrix.data[first]
    way_out = (
        "leave out what is unknown: an item without a rating is no entry, so replace NaN by 0 before you make the "
        "matrix sparse (np.nan_to_num, fillna(0))"
        if np.isnan(value)
        else "values must fit 32-bit numbers"
    )
    raise DataError(f"{name}: the value of {where} is {value:g}{count}; {way_out}")


def _float32(numbers: Any) -> Any:
    """Return an array or a matrix as float32; what is too large becomes infinite, and is refused by name."""
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32, copy=False)
