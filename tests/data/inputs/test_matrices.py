"""Matrices of any format become one canonical form, or are refused in one line."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys_ae.data.inputs.matrices import canonical, entries
from recsys_ae.errors import DataError

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")
TYPES = ("bool", "int8", "uint8", "int16", "int64", "uint64", "float32", "float64", "longdouble")
NAN = np.nan
Triple = tuple[int, int, int]
TRIPLES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 100)), max_size=30)


def summed(triples: list[Triple], kind: str) -> dict[tuple[int, int], float]:
    """Sum entries one by one as Python numbers, after their values take the type."""
    cells: dict[tuple[int, int], float] = defaultdict(float)
    for row, column, value in triples:
        cells[row, column] += float(np.array(value).astype(kind))
    return dict(cells)


def cells_of(matrix: sparse.csr_matrix) -> dict[tuple[int, int], float]:
    """Return the entries of a CSR matrix, and check its form."""
    assert type(matrix) is sparse.csr_matrix
    assert matrix.dtype == np.float32
    cells: dict[tuple[int, int], float] = {}
    for row in range(matrix.shape[0]):
        columns = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
        assert (np.diff(columns) > 0).all()
        values = matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]]
        cells |= {(row, int(column)): float(value) for column, value in zip(columns, values, strict=True)}
    return cells


def unsorted_csr(triples: list[Triple], kind: str) -> sparse.csr_matrix:
    """Return a CSR matrix with the entries of each row in the order given, repeated ones too."""
    by_row = sorted(triples, key=lambda triple: triple[0])
    rows, columns, values = np.array(by_row, np.int64).reshape(-1, 3).T
    indptr = np.append(0, np.cumsum(np.bincount(rows, minlength=5)))
    return sparse.csr_matrix((values.astype(kind), columns, indptr), shape=(5, 4))


@settings(max_examples=200, deadline=None)
@given(TRIPLES, st.sampled_from(TYPES), st.booleans())
def test_repeated_and_unsorted_entries_are_summed_as_floats(triples: list[Triple], kind: str, as_csr: bool) -> None:
    rows, columns, values = np.array(triples, np.int64).reshape(-1, 3).T
    matrix: Any = sparse.coo_matrix((values.astype(kind), (rows, columns)), shape=(5, 4))
    if as_csr:
        matrix = unsorted_csr(triples, kind)
    before = matrix.copy()
    assert cells_of(canonical(matrix)) == summed(triples, kind)
    for part in ("data", "row", "col", "indices", "indptr"):
        if hasattr(before, part):
            np.testing.assert_array_equal(getattr(matrix, part), getattr(before, part))


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["bool", "uint8", "float32", "float64"])
def test_every_format_has_one_canonical_form(form: str, kind: str, array: bool) -> None:
    dense = np.array([[0, 3, 0, 1], [0, 0, 0, 0], [2, 0, 0, 5]]).astype(kind)
    matrix = getattr(sparse, f"{form}_{'array' if array else 'matrix'}")(dense)
    expected = {(row, column): float(dense[row, column]) for row, column in np.argwhere(dense).tolist()}
    nonzero = {place: value for place, value in cells_of(canonical(matrix)).items() if value}
    assert nonzero == expected
    for table in (matrix, dense):
        read = entries(table)
        triples = zip(read.rows.tolist(), read.columns.tolist(), read.values.tolist(), strict=True)
        assert {(row, column): value for row, column, value in triples if value} == expected


def test_a_canonical_matrix_is_returned_as_it_is() -> None:
    matrix = sparse.csr_matrix(np.eye(3, dtype=np.float32))
    assert canonical(matrix) is matrix


def test_flags_that_are_out_of_date_are_not_trusted() -> None:
    matrix = sparse.csr_matrix(np.array([[1, 2, 3]], np.float32))
    assert matrix.has_canonical_format
    matrix.indices[:] = [2, 0, 0]
    assert cells_of(canonical(matrix)) == {(0, 0): 5.0, (0, 2): 1.0}


def test_explicit_zeros_and_wide_indices_are_kept() -> None:
    matrix = sparse.csr_array((np.array([0.0, 2.0]), (np.array([0, 1]), np.array([1, 0]))), shape=(2, 2))
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
    assert cells_of(canonical(matrix)) == {(0, 1): 0.0, (1, 0): 2.0}


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(2), "histories must be a sparse matrix, not ndarray"),
        ([[1]], "histories must be a sparse matrix, not list"),
        (sparse.coo_array(np.ones(3)), "histories must be a matrix with 2 dimensions, not 1 dimensions"),
        (sparse.csr_matrix(np.array([[1j]])), "histories of type complex128 is no matrix of real numbers"),
        (sparse.csr_matrix(np.array([[0, 1.0], [NAN, NAN]])), "the value of row 1, column 0 is nan (2 such values)"),
        (sparse.csc_matrix(np.array([[0, np.inf]])), "the value of row 0, column 1 is inf; values must fit 32-bit"),
        (sparse.csr_matrix(np.array([[0, 1e300]])), "the value of row 0, column 1 is inf; values must fit 32-bit"),
        (sparse.coo_matrix((np.full(2, 2e38), (np.zeros(2, int), np.ones(2, int)))), "the value of row 0, column 1 is"),
    ],
)  # fmt: skip
def test_what_is_no_matrix_of_finite_numbers_is_refused(matrix: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        canonical(matrix, "histories")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_indices_beyond_the_shape_are_refused() -> None:
    matrix = sparse.csr_matrix(np.eye(3, dtype=np.float32))
    matrix.indices[1] = 7
    with pytest.raises(DataError, match="histories is damaged: indices must be < 3"):
        canonical(matrix, "histories")


def test_missing_values_are_kept_where_they_are_allowed() -> None:
    assert np.isnan(canonical(sparse.csr_matrix(np.array([[np.nan]])), missing=True).data).all()
    with pytest.raises(DataError, match="is inf"):
        canonical(sparse.csr_matrix(np.array([[np.inf]])), missing=True)
