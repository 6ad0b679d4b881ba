"""Sparse times dense: bags and the library's product are equal, and sizes decide between them without a wait."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from torch import Tensor

from recsys_ae.nn.layers import sparse_product
from recsys_ae.nn.linear import sparse_dense
from recsys_ae.nn.rows import Rows
from tests.nn.small import matrix, rows_of
from tests.pretended.machine import pretended_gpu
from tests.pretended.machines import Machine, on_every_machine
from tests.pretended.record import Record
from tests.pretended.tensors import GPU


@pytest.fixture(autouse=True)
def nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_dense, "_refused", set())


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """A pretended GPU on which 2 entries in a row are many."""
    monkeypatch.setattr(sparse_dense, "LONG", 2)
    monkeypatch.setattr(sparse_dense, "WORK", 1)
    with pretended_gpu() as record:
        yield record


def there(rows: Rows) -> Rows:
    parts = (part.to("cuda:0") for part in (rows.indptr, rows.indices, rows.values))
    return Rows(*parts, rows.width, rows.positions.to("cuda:0"), rows.bounds)  # type: ignore[misc]


def products_by_cusparse(record: Record) -> int:
    return sum(n for event, n in record.events.items() if event.what == "addmm of a sparse matrix")


@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 30)),
    columns=st.integers(1, 9),
    density=st.floats(0, 1),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    by_columns=st.booleans(),
)
def test_both_ways_give_the_product(
    shape: tuple[int, int], columns: int, density: float, dtype: torch.dtype, by_columns: bool
) -> None:
    rng = np.random.default_rng(0)
    interactions = csr_matrix(random_array(shape, density=density, rng=rng, dtype=np.float32))
    dense = torch.from_numpy(rng.normal(size=(columns, shape[1]))).to(dtype).T
    rows, dense = rows_of(interactions), dense if by_columns else dense.contiguous()
    by_library = sparse_dense.by_cusparse(rows.indptr, rows.indices, rows.values, dense)
    assert by_library is not None
    assert by_library.dtype == dtype
    assert by_library.is_contiguous()
    tolerance = 1e-5 if dtype is torch.float32 else 1e-13
    np.testing.assert_allclose(by_library, interactions @ dense.double().numpy(), rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(by_library, rows.product(dense), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("n", "entries", "columns", "faster"), [
    (1, 16, 2**22, True), (1, 15, 2**23, False), (2, 31, 2**23, False), (2, 32, 2**21, True), (1, 16, 2**22 - 1, False),
])  # fmt: skip
def test_the_numbers_of_entries_and_rows_decide(n: int, entries: int, columns: int, faster: bool) -> None:
    """They are shapes, so the decision does not wait for a GPU."""
    with pretended_gpu() as record:
        indptr, values = torch.empty(n + 1, device="cuda:0"), torch.empty(entries, device="cuda:0")
        dense = torch.empty(1, device="cuda:0").expand(1, columns)
        assert sparse_dense.cusparse_is_faster(indptr, values, dense) == faster
        assert record.count("wait") == 0
    assert not sparse_dense.cusparse_is_faster(torch.empty(2), torch.empty(16), torch.empty(1).expand(1, 2**22))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_long_rows_on_a_gpu_are_multiplied_by_cusparse_without_a_wait(dtype: torch.dtype, record: Record) -> None:
    rows, dense = rows_of(matrix()), torch.randn(7, 5).to(dtype)
    actual = there(rows).product(dense.to("cuda:0"))
    assert actual.device == GPU
    assert actual.dtype == dtype
    assert products_by_cusparse(record) == 1
    assert record.count("wait") == 0
    tolerance = {torch.bfloat16: 0.02, torch.float16: 2e-3}.get(dtype, 1e-6)
    torch.testing.assert_close(actual.cpu(), rows.product(dense), rtol=tolerance, atol=tolerance)


@on_every_machine
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-12), (torch.float32, 1e-4), (torch.bfloat16, 0.02), (torch.float16, 2e-3)],
)
def test_both_ways_agree_on_every_gpu(dtype: torch.dtype, tolerance: float, machine: Machine) -> None:
    """Of long and of empty rows, and of a dense matrix that is stored by columns."""
    rows, dense = rows_of(matrix(300, 200, seed=1)), torch.randn(200, 64, dtype=torch.float64).to(dtype)
    expected = rows.with_values(rows.values.double()).product(dense.double())
    with machine():
        x = there(rows)
        for factor in (dense.to("cuda:0"), dense.T.contiguous().to("cuda:0").T):
            by_library = sparse_dense.by_cusparse(x.indptr, x.indices, x.values, factor)
            assert by_library is not None
            for product in (by_library, x.product(factor)):
                scale = float(expected.abs().max())
                torch.testing.assert_close(product.cpu().double(), expected, rtol=tolerance, atol=tolerance * scale)


def test_a_layer_uses_it_in_both_directions(record: Record) -> None:
    rows = rows_of(matrix())
    weight = torch.randn(7, 5).to("cuda:0").requires_grad_()
    torch.autograd.backward(sparse_product(there(rows), weight).sum())
    assert weight.grad is not None
    assert products_by_cusparse(record) == 2
    assert record.count("wait") == 0
    torch.testing.assert_close(weight.grad.cpu(), rows.column_sums()[:, None].expand(7, 5))


def test_deterministic_algorithms_and_short_rows_use_bags(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, dense = rows_of(matrix()), torch.randn(7, 5)
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    torch.testing.assert_close(there(rows).product(dense.to("cuda:0")).cpu(), rows.product(dense))
    monkeypatch.undo()
    torch.testing.assert_close(there(rows).product(dense.to("cuda:0")).cpu(), rows.product(dense))
    assert products_by_cusparse(record) == 0


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "CUDA error: CUSPARSE_STATUS_NOT_SUPPORTED when calling `cusparseSpMM_bufferSize( handle )`\nat …"
        ),
        NotImplementedError("\"spmm\" not implemented for 'Float8'"),
    ],
)
def test_what_cusparse_does_not_support_is_computed_by_bags_after_one_warning(
    error: RuntimeError, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(*_: Tensor, **__: object) -> Tensor:
        asked.append(1)
        raise error

    monkeypatch.setattr(torch, "addmm", refuse)
    rows, dense = rows_of(matrix()), torch.randn(7, 5)
    first_line = str(error).partition("\n")[0]
    with pytest.warns(UserWarning, match="sparse products in float32 are computed without cuSPARSE") as warned:
        actual = there(rows).product(dense.to("cuda:0"))
    assert [str(one.message) for one in warned] == [
        f"sparse products in float32 are computed without cuSPARSE, which is slower: {first_line}"
    ]
    torch.testing.assert_close(actual.cpu(), rows.product(dense))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        there(rows).product(dense.to("cuda:0"))
    assert len(asked) == 1


@pytest.mark.parametrize("message", ["CUDA out of memory", "CUDA error: CUSPARSE_STATUS_INSUFFICIENT_RESOURCES when"])
def test_too_little_memory_is_for_the_caller_to_handle(
    message: str, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Tensor, **__: object) -> Tensor:
        raise RuntimeError(message)

    monkeypatch.setattr(torch, "addmm", refuse)
    with pytest.raises(RuntimeError, match=message):
        there(rows_of(matrix())).product(torch.randn(7, 5).to("cuda:0"))
    assert sparse_dense._refused == set()
