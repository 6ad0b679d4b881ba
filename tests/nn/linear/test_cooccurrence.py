"""Co-occurrence matrices: equal for dense blocks and sparse products, and for all block sizes and threads."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.errors import TrainingError
from recsys_ae.nn.linear import cooccurrence, dense_blocks
from recsys_ae.nn.linear.cooccurrence import gram
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.threads import cpu_threads
from tests.nn.small import matrix, rows_of
from tests.pretended.machine import pretended_gpu
from tests.pretended.tensors import GPU

DATA = matrix(60, 12, seed=2, density=0.3)
DENSE = DATA.toarray().astype(np.float64)
GRAM = DENSE.T @ DENSE

every_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])


@pytest.fixture(params=["dense blocks", "sparse products"])
def either_route(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooccurrence, "DENSE", np.inf if request.param == "dense blocks" else 0)


@pytest.mark.usefixtures("either_route")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("cells", "part"), [(1, 1), (12, 7), (95, 7), (300, 60), (2**22, 2**13)])
@every_dtype
def test_counts_are_exact_whatever_the_blocks_and_the_threads(
    dtype: torch.dtype, cells: int, part: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cooccurrence, "CELLS", cells)
    monkeypatch.setattr(cooccurrence, "PART", part)
    with cpu_threads(threads):
        actual = gram(rows_of(DATA), dtype)
    assert actual.dtype == dtype
    assert actual.is_contiguous()
    np.testing.assert_array_equal(actual.numpy(), GRAM)


@pytest.mark.usefixtures("either_route")
def test_it_is_computed_in_the_precision_asked_for() -> None:
    """Sums of squares of 1/3 are not rounded to single precision in between."""
    thirds = csr_matrix(np.full((7, 2), 1 / 3, np.float32))
    expected = 7 * float(np.float32(1 / 3)) ** 2
    assert gram(rows_of(thirds), torch.float64)[0, 1].item() == pytest.approx(expected, rel=1e-15)


@pytest.mark.usefixtures("either_route")
def test_rows_are_weighted_by_the_root_of_their_weight() -> None:
    weights = np.random.default_rng(0).integers(1, 4, 60) ** 2
    interactions = rows_of(DATA)
    weighted = interactions.with_values(
        interactions.values * torch.from_numpy(np.sqrt(weights)).float()[interactions.row_of_entry]
    )
    np.testing.assert_allclose(gram(weighted, torch.float64).numpy(), (DENSE.T * weights) @ DENSE, rtol=1e-12)


@pytest.mark.usefixtures("either_route")
def test_the_same_threads_give_the_same_bits() -> None:
    """Rows with values that are rounded are always added in the same order."""
    interactions = matrix(400, 90, seed=4, density=0.2)
    interactions.data = np.random.default_rng(1).normal(size=interactions.nnz).astype(np.float32)
    actual = [gram(rows_of(interactions)) for _ in range(3)]
    assert torch.equal(actual[0], actual[1])
    assert torch.equal(actual[0], actual[2])
    exact = interactions.astype(np.float64).T @ interactions.astype(np.float64)
    assert np.linalg.norm(actual[0].numpy() - exact) < 1e-6 * np.linalg.norm(exact.toarray())


@pytest.mark.usefixtures("either_route")
@pytest.mark.parametrize("n", [0, 3])
def test_of_nothing_it_is_zero(n: int) -> None:
    assert gram(rows_of(csr_matrix(np.zeros((n, 7), np.float32)))).tolist() == np.zeros((7, 7)).tolist()


def test_rows_that_are_long_compared_with_the_width_use_dense_blocks() -> None:
    """Each row of k entries costs k² multiplications of one kind or k · width / 2 of the other."""
    assert cooccurrence._long(csr_matrix(np.ones((5, 12), np.float32)))
    assert cooccurrence._long(csr_matrix((np.ones(100), np.arange(100), [0, 100]), shape=(1, 3999)))
    assert not cooccurrence._long(csr_matrix((np.ones(100), np.arange(100), [0, 100]), shape=(1, 4001)))


def test_a_matrix_that_does_not_fit_into_the_main_memory_is_refused_before_a_gpu_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fit checks the memory of its own device; a matrix is computed on the CPU if a GPU has no memory for blocks."""
    given = rows_of(matrix(20, 13))
    monkeypatch.setattr(cooccurrence, "free_memory", lambda device: 13 * 13 * 8 - 1 if device.type == "cpu" else None)
    monkeypatch.setattr(dense_blocks, "free_memory", lambda _: 13 * 13 * 8)
    gram(given, torch.float64)
    with pretended_gpu():
        parts = (part.to("cuda:0") for part in (given.indptr, given.indices, given.values))
        there = Rows(*parts, 13, given.positions.to("cuda:0"))  # type: ignore[misc]
        assert gram(there).device == GPU
        with pytest.raises(TrainingError, match=r"13 × 13 items is computed on the CPU and needs 0\.0 GiB"):
            gram(there, torch.float64)


def test_fits_to_the_same_interactions_share_a_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[tuple[int, int]] = []
    original = cooccurrence._computed

    def counted(rows: Rows, dtype: torch.dtype) -> torch.Tensor:
        computed.append((len(rows), rows.width))
        return original(rows, dtype)

    monkeypatch.setattr(cooccurrence, "_computed", counted)
    first = rows_of(DATA)
    again = rows_of(DATA.copy())
    other = first.with_values(first.values * 2)
    with cooccurrence.shared():
        one = cooccurrence.gram(first)
        expected = one.clone()
        one.zero_()  # fits overwrite it
        assert torch.equal(cooccurrence.gram(again), expected)
        assert len(computed) == 1
        torch.testing.assert_close(cooccurrence.gram(other), 4 * expected)
        assert cooccurrence.gram(first, torch.float64).dtype is torch.float64
        assert torch.equal(cooccurrence.gram(again), expected)
        assert len(computed) == 3
    cooccurrence.gram(first)
    assert len(computed) == 4


def test_a_matrix_is_not_kept_if_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooccurrence, "free_memory", lambda _: 100)
    rows = rows_of(DATA)
    with cooccurrence.shared():
        cooccurrence.gram(rows)
        kept = cooccurrence._kept.get()
    assert kept is not None
    assert kept.matrix is None
