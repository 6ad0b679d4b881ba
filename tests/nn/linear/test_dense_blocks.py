"""Co-occurrence matrices from dense blocks: exact counts in every precision and block size, and too little memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from torch import Tensor

from recsys_ae.nn import runtime
from recsys_ae.nn.arithmetic import with_tf32
from recsys_ae.nn.linear import cooccurrence, dense_blocks
from recsys_ae.nn.linear.gram import ItemItem
from recsys_ae.nn.rows import Rows
from tests.nn.small import matrix, rows_of
from tests.pretended.machine import pretended_gpu
from tests.pretended.machines import Machine, on_every_machine
from tests.pretended.tensors import GPU

every_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])


def there(rows: Rows) -> Rows:
    parts = (part.to("cuda:0") for part in (rows.indptr, rows.indices, rows.values))
    return Rows(*parts, rows.width, rows.positions.to("cuda:0"))  # type: ignore[misc]


def exact(interactions: csr_matrix) -> np.ndarray:
    doubled = interactions.astype(np.float64)
    return (doubled.T @ doubled).toarray()  # type: ignore[no-any-return]


def halves(real: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Multiply fp16 matrices as CUDA does: the products of their entries are added in float32."""

    def mm(left: Tensor, right: Tensor, *, out_dtype: torch.dtype | None = None) -> Tensor:
        if out_dtype is None:
            return real(left, right)
        assert left.dtype == right.dtype == torch.float16
        return real(left.to(out_dtype), right.to(out_dtype))

    return mm


@pytest.fixture(params=["fp16", "without fp16"])
def either_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "fp16":
        monkeypatch.setattr(torch, "mm", halves(torch.mm))
        monkeypatch.setattr(dense_blocks, "multiplies_to_float32", lambda device, dtype: dtype is torch.float16)


@pytest.mark.usefixtures("either_kind")
@pytest.mark.parametrize(("cells", "columns", "aligned"), [(1, 1, 1), (60, 5, 8), (300, 12, 64), (2**30, 4096, 64)])
@every_dtype
def test_counts_are_exact_whatever_the_blocks(
    dtype: torch.dtype, cells: int, columns: int, aligned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"CELLS": cells, "COLUMNS": columns, "ALIGNED": aligned}.items():
        monkeypatch.setattr(dense_blocks, name, value)
    interactions = matrix(60, 12, seed=2, density=0.3, kind="ones")
    actual = dense_blocks.gram(rows_of(interactions), dtype)
    assert actual is not None
    assert actual.dtype == dtype
    np.testing.assert_array_equal(actual.numpy(), exact(interactions))


@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(0, 30), st.integers(1, 20)),
    density=st.floats(0, 1),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_on_a_gpu_counts_are_those_of_scipy(shape: tuple[int, int], density: float, dtype: torch.dtype) -> None:
    interactions = csr_matrix(random_array(shape, density=density, rng=np.random.default_rng(0), dtype=np.float32))
    interactions.data[:] = 1
    with pretended_gpu() as record:
        actual = cooccurrence.gram(there(rows_of(interactions)), dtype)
        assert actual.device == GPU
        assert record.count("wait") <= 2  # for the kind of the values, and for the bounds
    np.testing.assert_array_equal(actual.cpu().numpy(), exact(interactions))


@pytest.mark.usefixtures("either_kind")
@every_dtype
def test_counts_beyond_those_of_fp16_are_exact(dtype: torch.dtype) -> None:
    """Fp16 holds whole numbers up to 2,048."""
    actual = dense_blocks.gram(rows_of(csr_matrix(np.ones((70_001, 2), np.float32))), dtype)
    assert actual is not None
    assert actual.tolist() == [[70_001.0] * 2] * 2


@pytest.mark.usefixtures("either_kind")
@pytest.mark.parametrize("cells", [30, 2**30])
def test_other_values_are_computed_in_the_precision_asked_for(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense_blocks, "CELLS", cells)
    interactions = matrix(60, 12, seed=2, density=0.3)
    interactions.data = np.random.default_rng(1).normal(size=interactions.nnz).astype(np.float32)
    for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 1e-5)):
        actual = dense_blocks.gram(rows_of(interactions), dtype)
        assert actual is not None
        np.testing.assert_allclose(actual.numpy(), exact(interactions), rtol=tolerance, atol=tolerance)
        assert torch.equal(actual, actual.T)


def test_only_counts_are_multiplied_as_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, real = [], dense_blocks._add

    def add(*arguments: Any) -> None:
        seen.append(torch.get_float32_matmul_precision())
        real(*arguments)

    monkeypatch.setattr(dense_blocks, "_add", add)
    with with_tf32():
        dense_blocks.gram(rows_of(matrix(kind="ratings")), torch.float32)
    before = torch.get_float32_matmul_precision()
    dense_blocks.gram(rows_of(matrix(kind="ones")), torch.float32)
    assert seen == ["highest", "high"]
    assert torch.get_float32_matmul_precision() == before


def memory(monkeypatch: pytest.MonkeyPatch, gpu: int | None, main: int | None = None) -> None:
    for module in (dense_blocks, cooccurrence):
        monkeypatch.setattr(module, "free_memory", lambda device: gpu if device.type == "cuda" else main)


@pytest.mark.parametrize(("dtype", "kind", "row", "product"), [
    (torch.float64, torch.float16, 2 * (7 + 64) + 40 * 3, 4 * 7 * 7),
    (torch.float32, torch.float32, 4 * (7 + 64) + 40 * 3, 0),
    (torch.float64, torch.float32, 4 * (7 + 64) + 40 * 3, 4 * 7 * 7),
    (torch.float64, torch.float64, 8 * (7 + 64) + 40 * 3, 0),
])  # fmt: skip
def test_blocks_are_as_large_as_the_free_memory_allows(
    dtype: torch.dtype, kind: torch.dtype, row: int, product: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(csr_matrix(np.eye(9, 7, dtype=np.float32) + np.eye(9, 7, k=1, dtype=np.float32)))
    assert len(rows.values) == 13 + 0  # 2 of 9 rows have fewer than 2 entries, so 2 on average, rounded up
    row -= 40
    fixed = 49 * dtype.itemsize + product
    monkeypatch.setattr(dense_blocks, "ROWS", 4)
    for free, expected in (
        (fixed + 20 * row, 9),
        (fixed + 5 * row, 5),
        (fixed + 4 * row, 4),
        (fixed + 4 * row - 1, None),
    ):
        monkeypatch.setattr(dense_blocks, "free_memory", lambda _, free=free: free)
        assert dense_blocks.block_rows(rows, dtype, kind) == expected
    monkeypatch.setattr(dense_blocks, "free_memory", lambda _: None)
    assert dense_blocks.block_rows(rows, dtype, kind) == 9


def test_with_memory_for_the_result_alone_the_cpu_computes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    interactions = matrix(20, 13, kind="ones")
    memory(monkeypatch, gpu=13 * 13 * 8)
    with pretended_gpu():
        actual = cooccurrence.gram(there(rows_of(interactions)), torch.float64)
        assert actual.device == GPU
    np.testing.assert_array_equal(actual.cpu().numpy(), exact(interactions))


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling")],
)
def test_where_a_gpu_runs_out_of_memory_the_cpu_computes_it(
    error: RuntimeError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    interactions = matrix(20, 13)
    monkeypatch.setattr(dense_blocks, "_add", fail)
    with pretended_gpu():
        actual = cooccurrence.gram(there(rows_of(interactions)), torch.float64)
    np.testing.assert_allclose(actual.cpu().numpy(), exact(interactions))


def test_any_other_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("device-side assert triggered")

    monkeypatch.setattr(dense_blocks, "_add", fail)
    with pytest.raises(RuntimeError, match="device-side assert"):
        dense_blocks.gram(rows_of(matrix()), torch.float32)


@on_every_machine
@every_dtype
def test_counts_of_many_users_are_exact_on_a_gpu(
    dtype: torch.dtype, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of blocks whose rows do not begin at multiples of 16 bytes; some counts are beyond 2,048."""
    monkeypatch.setattr(dense_blocks, "CELLS", 2**20)
    monkeypatch.setattr(dense_blocks, "COLUMNS", 50)
    interactions = csr_matrix(random_array((20_000, 131), density=0.3, rng=np.random.default_rng(2), dtype=np.float32))
    interactions.data[:] = 1
    with machine():
        actual = cooccurrence.gram(there(rows_of(interactions)), dtype)
        assert actual.device == GPU
    np.testing.assert_array_equal(actual.cpu().numpy(), exact(interactions))


class Plain(ItemItem):
    def learn(self, rows, run, validate=None):  # type: ignore[no-untyped-def]
        return []


@pytest.mark.parametrize(("n", "discount"), [(60, 0.0), (60, 0.5), (4, 0.0)])
def test_weights_are_those_of_the_cpu(n: int, discount: float) -> None:
    """Of counts, of weighted users, and of few users, whose matrix is that of the users."""
    rows, network = rows_of(matrix(n, 32, kind="ones")), Plain(32)
    network.solve(rows, "float64", 20.0, 0.2, user_discount=discount)
    with pretended_gpu():
        twin = Plain(32).to("cuda:0")
        twin.solve(there(rows), "float64", 20.0, 0.2, user_discount=discount)
        assert twin.weights.device == GPU
    torch.testing.assert_close(twin.weights.cpu(), network.weights, rtol=1e-5, atol=1e-7)


def test_free_memory_of_a_pretended_gpu_holds_the_blocks() -> None:
    with pretended_gpu():
        free = runtime.free_memory(GPU)
        assert free is not None
        assert dense_blocks.block_rows(there(rows_of(matrix())), torch.float64, torch.float16) == 9
