"""Helpers of the models that the package implicit fits."""

import importlib

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_info

from recsys_ae.errors import MissingPackageError
from recsys_ae.models import _implicit
from recsys_ae.nn.runtime import Progress, Run
from tests.nn.small import matrix, rows_of


def test_a_package_that_is_absent_is_named() -> None:
    with (
        pytest.raises(MissingPackageError, match="als needs the package nowhere; install it"),
        _implicit.needed("nowhere", "als"),
    ):
        importlib.import_module("nowhere_to_be_found")
    with pytest.raises(ValueError, match="another"), _implicit.needed("nowhere", "als"):
        raise ValueError("another error passes")


def test_blas_has_one_thread_inside_and_as_many_as_before_outside() -> None:
    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with _implicit.one_blas_thread():
        assert threads() == [1] * len(before)
    assert threads() == before


def test_rows_become_a_matrix_of_their_own_without_zeros() -> None:
    source = csr_matrix((np.array([1, 0, 2.5], np.float32), [0, 2, 1], [0, 2, 3, 3]), shape=(3, 4))
    rows = rows_of(source)
    copied = _implicit.matrix(rows)
    assert (copied.nnz, copied.dtype, copied.indices.dtype) == (2, np.float32, np.int32)
    np.testing.assert_array_equal(copied.toarray(), source.toarray())
    copied.data[:] = 9
    assert rows.values.tolist() == [1, 0, 2.5]
    np.testing.assert_array_equal(_implicit.matrix(rows_of(matrix(11, 13))).toarray(), matrix(11, 13).toarray())


def test_an_epoch_counted_from_0_is_reported_as_done() -> None:
    seen: list[Progress] = []
    _implicit.reporting(Run(progress=seen.append), 7, 60)(2, 0.1, "more")
    assert seen == [Progress(3, 7, 60, 60, {})]
    _implicit.reporting(Run(), 7, 60)(2)
