"""Chunks: every row once, in order, and in smaller chunks if memory runs out."""

import weakref

import pytest
import torch

from recsys_ae.errors import UnsupportedError
from recsys_ae.nn import capacity
from recsys_ae.nn.capacity import MOST
from recsys_ae.ranking.chunks import CELLS, ROWS, cells_on, in_chunks, rows_of

GPU = torch.device("cuda:0")


@pytest.mark.parametrize(("n", "rows"), [(0, 5), (1, 5), (10, 5), (23, 5), (23, 1), (3, 100)])
def test_every_row_is_worked_on_once_and_in_order(n: int, rows: int) -> None:
    rows_done: list[int] = []
    sizes = set()

    def work(chunk: slice, cells: int) -> None:
        rows_done.extend(range(chunk.start, chunk.stop))
        sizes.add(cells)
        assert chunk.stop - chunk.start <= rows

    in_chunks(n, rows, 77, work)
    assert rows_done == list(range(n))
    assert sizes <= {77}


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 16])
def test_where_memory_runs_out_the_chunk_is_halved_and_begun_again(limit: int) -> None:
    rows_done: list[int] = []
    tried: list[tuple[int, int]] = []

    def work(chunk: slice, cells: int) -> None:
        tried.append((chunk.stop - chunk.start, cells))
        if chunk.stop - chunk.start > limit:
            raise torch.OutOfMemoryError
        rows_done.extend(range(chunk.start, chunk.stop))

    in_chunks(40, 16, 1600, work)
    assert rows_done == list(range(40))
    failed = [attempt for attempt in tried if attempt[0] > limit]
    assert failed == [(16 // 2**time, 1600 // 2**time) for time in range(len(failed))]
    assert all(cells == 1600 // 2 ** len(failed) for rows, cells in tried if rows <= limit)


def test_what_a_failed_attempt_held_is_freed_before_the_next() -> None:
    class Held:
        """Stand-in for a tensor."""

    alive: weakref.WeakSet[Held] = weakref.WeakSet()
    seen = []

    def work(chunk: slice, cells: int) -> None:
        seen.append(len(alive))
        held = Held()
        alive.add(held)
        if cells == 8:
            raise torch.OutOfMemoryError

    in_chunks(4, 4, 8, work)
    assert seen == [0, 0, 0]


def test_not_even_a_single_row_is_an_error_that_says_what_to_do() -> None:
    def work(chunk: slice, cells: int) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(UnsupportedError, match="to score a single row; free some, or set device = 'cpu'"):
        in_chunks(9, 4, 100, work)


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def work(chunk: slice, cells: int) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        in_chunks(9, 4, 100, work)


def test_a_chunk_has_as_many_rows_as_fit_but_enough_for_a_product() -> None:
    assert rows_of(10, 100 * ROWS) == 10 * ROWS
    assert rows_of(10**6, 100 * ROWS) == ROWS
    assert rows_of(0, 5 * ROWS) == 5 * ROWS


def test_on_a_cpu_the_size_is_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda device: 1)
    assert cells_on(torch.device("cpu")) == CELLS


@pytest.mark.parametrize(
    ("free", "cells"), [(2**50, MOST), (2**30, 2**25), (2**30 - 1, 2**24), (32, 1), (1, 1), (None, CELLS)]
)
def test_on_a_gpu_the_size_follows_the_free_memory(
    free: int | None, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "free_memory", {GPU: free}.get)
    assert cells_on(GPU) == cells


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
        "CUDA error: CUSPARSE_STATUS_INSUFFICIENT_RESOURCES when calling `cusparseSDDMM(...)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: out of memory",
    ],
)
def test_too_little_memory_for_a_library_of_cuda_halves_the_chunk_too(message: str) -> None:
    rows_done: list[int] = []

    def work(chunk: slice, cells: int) -> None:
        if chunk.stop - chunk.start > 4:
            raise RuntimeError(message)
        rows_done.extend(range(chunk.start, chunk.stop))

    in_chunks(10, 8, 80, work)
    assert rows_done == list(range(10))


def test_other_errors_of_libraries_of_cuda_are_raised() -> None:
    def work(chunk: slice, cells: int) -> None:
        raise RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`")

    with pytest.raises(RuntimeError, match="EXECUTION_FAILED"):
        in_chunks(10, 8, 80, work)
