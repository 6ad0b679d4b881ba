"""Sparse rows compared with dense matrices."""

import numpy as np
import pytest
import torch
from scipy.sparse import coo_matrix, csc_matrix, csr_array, csr_matrix

from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.nn.rows import Rows
from tests.nn.small import CPU, dense_of, matrix, rows_of

GIVEN = matrix()
DENSE = GIVEN.toarray()
NOTHING = csr_matrix((0, 7), dtype=np.float32)


@pytest.fixture
def rows() -> Rows:
    return rows_of(GIVEN)


def test_rows_hold_what_the_matrix_held(rows: Rows) -> None:
    np.testing.assert_array_equal(dense_of(rows), DENSE)
    assert len(rows) == 9
    assert rows.width == 7
    assert rows.device == CPU
    assert rows.positions.tolist() == list(range(9))
    assert rows.lengths.tolist() == (DENSE != 0).sum(axis=1).tolist()
    assert rows.row_of_entry.tolist() == np.nonzero(DENSE)[0].tolist()
    assert (rows.indptr.dtype, rows.indices.dtype, rows.values.dtype) == (torch.int32, torch.int32, torch.float32)


def test_taken_rows_come_in_the_order_asked_for_and_know_where_they_stood(rows: Rows) -> None:
    positions = [5, 0, 8, 2, 2, 7]
    taken = rows.take(torch.tensor(positions))
    np.testing.assert_array_equal(dense_of(taken), DENSE[positions])
    assert taken.positions.tolist() == positions
    assert taken.lengths.tolist() == (DENSE[positions] != 0).sum(axis=1).tolist()


def test_rows_taken_twice_still_know_where_they_first_stood(rows: Rows) -> None:
    again = rows.take(torch.tensor([6, 3, 1])).take(torch.tensor([2, 0]))
    assert again.positions.tolist() == [1, 6]
    np.testing.assert_array_equal(dense_of(again), DENSE[[1, 6]])


def test_rows_may_stand_elsewhere_in_the_training_matrix_or_nowhere() -> None:
    positions = np.array([4, -1, 0, 7, -1, 2, 2, 11, 5])
    rows = Rows.from_matrix(GIVEN, CPU, positions)
    assert rows.positions.dtype == torch.int64
    assert rows.positions.tolist() == positions.tolist()
    taken = rows.take(torch.tensor([3, 1, 8]))
    assert taken.positions.tolist() == [7, -1, 5]
    np.testing.assert_array_equal(dense_of(taken), DENSE[[3, 1, 8]])
    assert taken.take(torch.tensor([2, 0])).positions.tolist() == [5, 7]
    for changed in (rows.normalised(), rows.with_values(rows.values * 2)):
        assert changed.positions.tolist() == positions.tolist()


def test_places_that_are_only_lent_are_copied() -> None:
    positions = np.arange(9)[::-1]
    positions.flags.writeable = False
    rows = Rows.from_matrix(GIVEN, CPU, positions)
    rows.positions.zero_()
    assert positions.tolist() == list(range(8, -1, -1))


def test_columns_stand_where_they_stood(rows: Rows) -> None:
    assert rows.take(torch.tensor([5, 2])).transposed().positions.tolist() == list(range(7))


def test_no_rows_can_be_taken(rows: Rows) -> None:
    nothing = rows.take(torch.empty(0, dtype=torch.int64))
    assert len(nothing) == 0
    assert nothing.width == 7
    assert nothing.product(torch.ones(7, 2)).shape == (0, 2)


def test_taking_leaves_the_source_alone(rows: Rows) -> None:
    taken = rows.take(torch.arange(9))
    taken.values.zero_()
    np.testing.assert_array_equal(dense_of(rows), DENSE)


def test_normalised_rows_have_length_one_and_empty_rows_stay_empty(rows: Rows) -> None:
    lengths = np.linalg.norm(DENSE.astype(np.float64), axis=1, keepdims=True)
    expected = np.divide(DENSE, lengths, out=np.zeros_like(DENSE), where=lengths > 0)
    np.testing.assert_allclose(dense_of(rows.normalised()), expected, rtol=1e-6)


def test_a_row_whose_entries_are_all_zero_stays_zero() -> None:
    zeros = csr_matrix((np.zeros(2, np.float32), [1, 3], [0, 2, 2]), shape=(2, 4))
    assert dense_of(rows_of(zeros).normalised()).tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]


def test_products_and_sums_are_those_of_the_dense_matrix(rows: Rows) -> None:
    weight = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(rows.product(weight).numpy(), DENSE @ weight.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(rows.sums().numpy(), DENSE.sum(axis=1))
    np.testing.assert_array_equal(rows.column_sums().numpy(), DENSE.sum(axis=0))


def test_the_product_is_computed_in_the_precision_of_the_weights(rows: Rows) -> None:
    weight = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    product = rows.product(weight)
    assert product.dtype == torch.float64
    np.testing.assert_allclose(product.numpy(), DENSE.astype(np.float64) @ weight.numpy(), rtol=1e-14, atol=1e-14)


def test_transposed_rows_are_the_columns(rows: Rows) -> None:
    columns = rows.transposed()
    np.testing.assert_array_equal(dense_of(columns), DENSE.T)
    assert columns.width == len(rows)
    assert len(columns) == rows.width
    np.testing.assert_array_equal(dense_of(columns.transposed()), DENSE)
    sorted_inside = [columns.indices[a:b].tolist() for a, b in zip(columns.indptr, columns.indptr[1:], strict=False)]
    assert sorted_inside == [sorted(column) for column in sorted_inside]


@pytest.mark.parametrize("shape", [(0, 7), (3, 7), (200, 90)])
def test_counting_and_sorting_transpose_alike_to_the_bit(shape: tuple[int, int]) -> None:
    rows = rows_of(matrix(*shape, seed=5)) if shape[0] else rows_of(NOTHING)
    rows = rows.take(torch.arange(len(rows)).flip(0))
    counted, sorted_rows = rows.transposed(), rows._transposed_by_sorting()
    assert counted.width == sorted_rows.width
    for attribute in ("indptr", "indices", "values", "positions"):
        value, expected = getattr(counted, attribute), getattr(sorted_rows, attribute)
        assert value.dtype == expected.dtype
        assert torch.equal(value, expected)


def test_places_that_repeat_within_a_row_stay_apart_when_transposed() -> None:
    bounds, columns = torch.tensor([0, 3, 4], dtype=torch.int32), torch.tensor([2, 0, 2, 2], dtype=torch.int32)
    rows = Rows(bounds, columns, torch.tensor([1.0, 2, 3, 4]), 3, torch.arange(2))
    assert rows.transposed().values.tolist() == [2, 1, 3, 4]
    assert rows.transposed().indptr.tolist() == [0, 1, 1, 4]


def test_an_empty_batch_goes_through_everything() -> None:
    empty = rows_of(NOTHING)
    assert dense_of(empty.normalised()).shape == (0, 7)
    assert empty.product(torch.ones(7, 2)).shape == (0, 2)
    assert empty.sums().shape == (0,)
    assert empty.column_sums().tolist() == [0] * 7
    assert dense_of(empty.transposed()).shape == (7, 0)


def test_rows_without_a_single_entry_go_through_everything() -> None:
    bare = rows_of(csr_matrix((3, 7), dtype=np.float32))
    assert bare.product(torch.ones(7, 2)).tolist() == [[0, 0]] * 3
    assert bare.normalised().sums().tolist() == [0, 0, 0]
    assert bare.take(torch.tensor([2, 0])).lengths.tolist() == [0, 0]
    assert dense_of(bare.transposed()).shape == (7, 3)


def test_other_values_leave_the_places_as_they_are(rows: Rows) -> None:
    doubled = rows.with_values(rows.values * 2)
    np.testing.assert_array_equal(dense_of(doubled), 2 * DENSE)
    np.testing.assert_array_equal(dense_of(rows), DENSE)


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix, coo_matrix, csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
def test_any_sparse_matrix_becomes_canonical(form: type, dtype: type) -> None:
    original = form(GIVEN.toarray().astype(dtype))
    result = canonical(original)
    assert isinstance(result, csr_matrix)
    assert result.dtype == np.float32
    assert result.has_canonical_format
    np.testing.assert_array_equal(result.toarray(), GIVEN.toarray().astype(dtype).astype(np.float32))


def test_a_matrix_becomes_canonical_in_a_copy() -> None:
    data, indices, indptr = (
        np.array([1, 2, 4], np.float32),
        np.array([2, 0, 2], np.int32),
        np.array([0, 3, 3], np.int32),
    )
    original = csr_matrix((data.copy(), indices.copy(), indptr.copy()), shape=(2, 3))
    result = canonical(original)
    assert result.toarray().tolist() == [[2, 0, 5], [0, 0, 0]]
    assert result.indices.tolist() == [0, 2]
    assert original.data.tolist() == data.tolist()
    assert original.indices.tolist() == indices.tolist()


def test_entries_that_are_zero_stay_entries() -> None:
    original = csr_matrix((np.array([0, 3], np.float32), [1, 2], [0, 2]), shape=(1, 3))
    assert canonical(original).nnz == 2
    assert rows_of(canonical(original)).lengths.tolist() == [2]


def test_zeros_that_are_stored_can_be_left_out() -> None:
    rows = rows_of(GIVEN)
    with_zeros = rows.with_values(rows.values * (torch.arange(len(rows.values)) % 3 > 0))
    without_zeros = with_zeros.without_zeros()
    np.testing.assert_array_equal(dense_of(without_zeros), dense_of(with_zeros))
    assert (without_zeros.values != 0).all()
    assert len(without_zeros.values) < len(rows.values)
    assert without_zeros.positions is with_zeros.positions
    assert rows.without_zeros() is rows


def test_narrowed_rows_have_the_columns_that_hold_something() -> None:
    dense = DENSE.copy()
    dense[:, [0, 4]] = 0
    columns, local = rows_of(csr_matrix(dense)).narrowed()
    assert columns.tolist() == dense.any(axis=0).nonzero()[0].tolist()
    assert local.width == len(columns) < 6
    np.testing.assert_array_equal(dense_of(local), dense[:, columns.numpy()])


@pytest.mark.parametrize("size", [1, 4, 9, 50])
def test_batches_hold_every_row_once_in_random_order(size: int, rows: Rows) -> None:
    batches = list(rows.batches(size, torch.Generator().manual_seed(1)))
    order = torch.cat([batch.positions for batch in batches]).tolist()
    assert sorted(order) == list(range(9))
    assert order != list(range(9))
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    np.testing.assert_array_equal(np.concatenate([dense_of(batch) for batch in batches]), DENSE[order])


@pytest.mark.parametrize("size", [1, 4, 9, 50])
def test_parts_hold_every_row_once_in_order(size: int, rows: Rows) -> None:
    chunks = list(rows.parts(size))
    np.testing.assert_array_equal(np.concatenate([dense_of(chunk) for _, chunk in chunks]), DENSE)
    assert all(len(chunk) == position.stop - position.start <= size for position, chunk in chunks)


@pytest.mark.parametrize("size", [1, 2, 4, 9, 20])
def test_parts_and_batches_know_the_bounds_of_their_rows(rows: Rows, size: int) -> None:
    bare = Rows(rows.indptr, rows.indices, rows.values, rows.width, rows.positions)
    for one in (rows, bare):
        for chunk, part in one.parts(size):
            np.testing.assert_array_equal(dense_of(part), DENSE[chunk])
            assert part is one or np.array_equal(part.bounds, part.indptr)  # type: ignore[arg-type]
        for batch in one.batches(size, torch.Generator().manual_seed(1)):
            assert np.array_equal(batch.bounds, batch.indptr)  # type: ignore[arg-type]
            np.testing.assert_array_equal(dense_of(batch), DENSE[batch.positions.numpy()])


def test_rows_without_zeros_have_no_bounds_of_before(rows: Rows) -> None:
    values = rows.values.clone()
    values[::2] = 0
    fewer = rows.with_values(values).without_zeros()
    assert fewer.bounds is None
    np.testing.assert_array_equal(dense_of(fewer), dense_of(rows.with_values(values)))
