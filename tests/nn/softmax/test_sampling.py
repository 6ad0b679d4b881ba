"""Negative sampling, item sampling, and products at some entries only."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.sparse import csr_matrix, vstack

from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.nn.linear.sampled_products import products
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.softmax import sampling
from recsys_ae.nn.softmax.sampling import Sampler, negatives
from tests.nn.small import CPU, dense_of, matrix, rows_of


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _columns(rows: Rows) -> list[list[int]]:
    return [columns.tolist() for columns in rows.indices.split(rows.lengths.tolist())]


def _with_full(interactions: csr_matrix) -> csr_matrix:
    """Return the rows with a full row added in the middle."""
    full = csr_matrix(np.ones((1, interactions.shape[1]), np.float32))
    return canonical(vstack([interactions[:4], full, interactions[4:]], format="csr"))


@pytest.mark.parametrize("width", [1, 2, 7, 40])
@pytest.mark.parametrize("density", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("per_entry", [0, 1, 5])
def test_each_entry_gets_so_many_columns_that_its_row_has_not(width: int, density: float, per_entry: int) -> None:
    for seed in range(5):
        rows = rows_of(_with_full(matrix(30, width, seed=seed, density=density)))
        drawn = negatives(rows, per_entry, _generator(seed))
        assert (len(drawn), drawn.width) == (31, width)
        assert drawn.positions.tolist() == rows.positions.tolist()
        assert (drawn.indptr.dtype, drawn.indices.dtype, drawn.values.dtype) == (
            torch.int32,
            torch.int32,
            torch.float32,
        )
        assert (drawn.values == 1).all()
        for own, actual in zip(_columns(rows), _columns(drawn), strict=True):
            assert len(actual) == (per_entry * len(own) if len(own) < width else 0)
            assert not set(actual) & set(own)
            assert set(actual) <= set(range(width))


def test_a_full_row_gets_no_negatives() -> None:
    rows = rows_of(canonical(csr_matrix(np.ones((3, 4), np.float32))))
    drawn = negatives(rows, 5, _generator())
    assert drawn.lengths.tolist() == [0, 0, 0]
    assert len(drawn.indices) == 0


def test_no_rows_and_rows_without_entries_get_none() -> None:
    for n in (0, 3):
        drawn = negatives(rows_of(csr_matrix((n, 4), dtype=np.float32)), 5, _generator())
        assert drawn.lengths.tolist() == [0] * n


@pytest.mark.parametrize("own", [[0], [8], [0, 8], [3, 4, 5], [0, 1, 2, 4, 6, 7, 8], [1, 3, 5, 7]])
def test_every_column_that_a_row_has_not_is_as_likely_as_every_other(own: list[int]) -> None:
    """Test the goodness of fit to the uniform distribution, in a batch with other rows."""
    dense = np.zeros((5, 9), np.float32)
    dense[0, [1, 2]] = dense[3, [0, 5, 8]] = 1
    dense[2, own] = 1
    drawn = negatives(rows_of(canonical(csr_matrix(dense))), 4000, _generator(3))
    counts = np.bincount(_columns(drawn)[2], minlength=9)
    unseen = np.setdiff1d(np.arange(9), own)
    assert counts.sum() == 4000 * len(own) == counts[unseen].sum()
    assert stats.chisquare(counts[unseen]).pvalue > 1e-3


def test_draws_are_independent_of_each_other() -> None:
    """A column is drawn again as often as expected for draws with replacement."""
    rows = rows_of(canonical(csr_matrix(np.eye(20_000, 5, dtype=np.float32)[np.zeros(20_000, int)])))
    drawn = np.array(_columns(negatives(rows, 2, _generator())))
    table = np.zeros((4, 4))
    np.add.at(table, (drawn[:, 0] - 1, drawn[:, 1] - 1), 1)
    assert stats.chisquare(table.ravel()).pvalue > 1e-3


def test_the_generator_decides_and_nothing_else_is_drawn_from() -> None:
    rows, generator = rows_of(matrix(30, 40)), _generator(7)
    before = torch.get_rng_state()
    first, second = (negatives(rows, 5, generator).indices for _ in range(2))
    assert torch.equal(first, negatives(rows, 5, _generator(7)).indices)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_products_and_their_gradients_are_those_of_the_dense_matrix() -> None:
    """Pairs may repeat and come in any order, and some rows have none."""
    rows = rows_of(_with_full(matrix(12, 17)))
    drawn = negatives(rows, 5, _generator())
    assert len(drawn.indices) > len(set(zip(drawn.row_of_entry.tolist(), drawn.indices.tolist(), strict=True)))
    generator = _generator(1)
    codes, weight = (torch.randn(n, 6, dtype=torch.float64, generator=generator).requires_grad_() for n in (13, 17))
    slope = torch.randn(len(drawn.indices), dtype=torch.float64, generator=generator)
    actual = products(codes, weight, drawn)
    gradients = torch.autograd.grad(actual @ slope, [codes, weight])
    expected = (codes @ weight.T)[drawn.row_of_entry, drawn.indices.long()]
    torch.testing.assert_close(actual, expected)
    for gradient, expected_slope in zip(gradients, torch.autograd.grad(expected @ slope, [codes, weight]), strict=True):
        torch.testing.assert_close(gradient, expected_slope)


def test_nothing_as_large_as_rows_times_columns_exists() -> None:
    """A table of two million rows and columns would be 16 TB."""
    n = 2_000_000
    positions = np.array([0, 17, n - 1], np.int32)
    interactions = csr_matrix((np.ones(3, np.float32), (positions, positions[::-1])), shape=(n, n))
    rows = Rows.from_matrix(canonical(interactions), CPU)
    drawn = negatives(rows, 2, _generator())
    assert drawn.lengths[torch.tensor([0, 17, n - 1])].tolist() == [2, 2, 2]
    codes = torch.arange(n).float().unsqueeze(1).requires_grad_()
    weight = torch.full((n, 1), 0.5, requires_grad=True)
    actual = products(codes, weight, drawn)
    assert actual.tolist() == [0, 0, 8.5, 8.5, (n - 1) / 2, (n - 1) / 2]
    actual.sum().backward()
    assert codes.grad is not None
    assert codes.grad.nonzero()[:, 0].tolist() == [0, 17, n - 1]


def test_columns_of_rows_that_were_taken_are_drawn_for_these_rows() -> None:
    rows = rows_of(matrix(30, 40)).take(torch.tensor([5, 2, 28, 2]))
    drawn = negatives(rows, 3, _generator())
    assert drawn.positions.tolist() == [5, 2, 28, 2]
    assert not (dense_of(drawn) * dense_of(rows)).any()


@pytest.mark.parametrize("size", [1, 40, 199, 200])
def test_a_sample_is_as_large_as_asked_for_distinct_and_in_order(size: int) -> None:
    counts = torch.arange(200) ** 2
    sampler = Sampler(counts, size)
    for seed in range(20):
        drawn, chances = sampler.draw(torch.Generator().manual_seed(seed))
        assert drawn.tolist() == sorted(set(drawn.tolist()))
        assert len(drawn) == size
        assert torch.equal(chances, sampler.chances[drawn])


def test_columns_are_drawn_as_often_as_their_chances_say() -> None:
    counts = torch.cat([torch.tensor([5000, 900]), torch.arange(98)])
    sampler = Sampler(counts, 20)
    generator, times, n = torch.Generator().manual_seed(3), torch.zeros(100), 4000
    for _ in range(n):
        drawn, _ = sampler.draw(generator)
        times[drawn] += 1
    error = (sampler.chances * (1 - sampler.chances) / n).sqrt()
    assert ((times / n - sampler.chances).abs() <= 4.5 * error + 1e-9).all()
    assert times[0] == times[1] == n


@pytest.mark.parametrize("size", [1, 7, 50, 99, 100])
def test_chances_sum_to_the_size_and_grow_with_the_counts_up_to_certainty(size: int) -> None:
    counts = torch.cat([torch.tensor([10**6, 10**5, 10**5]), torch.arange(97)])
    chances = Sampler(counts, size).chances.double()
    assert chances.sum().item() == pytest.approx(size, rel=1e-6)
    assert (chances > 0).all()
    assert (chances <= 1).all()
    below = chances < 1
    shares = chances[below] / (counts[below] + 1)
    torch.testing.assert_close(shares, shares.mean().expand_as(shares), rtol=1e-5, atol=0)


def test_the_same_seed_draws_the_same_columns() -> None:
    counts = torch.arange(50)
    actual = [Sampler(counts, 10).draw(torch.Generator().manual_seed(5))[0] for _ in range(2)]
    assert torch.equal(*actual)


def test_columns_of_a_huge_catalog_are_all_within_reach() -> None:
    """Ranks of single precision would be multiples of 64, for 2³⁰ columns."""
    rows = rows_of(csr_matrix(([1.0], ([0], [0])), shape=(1, 2**30), dtype=np.float32))
    ranks = negatives(rows, 400, _generator()).indices - 1
    assert ranks.min() >= 0
    assert len((ranks % 64).unique()) == 64


def test_tensors_are_made_on_the_device_of_the_rows_and_not_on_the_default_one() -> None:
    rows, counts = rows_of(matrix(30, 40)), torch.arange(40)
    expected, sampler = negatives(rows, 2, _generator()), Sampler(counts, 7)
    drawn = sampler.draw(_generator())
    with torch.device("meta"):
        actual = negatives(rows, 2, _generator())
        again = sampler.draw(_generator())
        chances = sampling._chances(counts.double() + 1, 7)
    assert torch.equal(actual.indices, expected.indices)
    assert all(torch.equal(*pair) for pair in zip(drawn, again, strict=True))
    assert torch.equal(chances.float(), sampler.chances)


@pytest.mark.parametrize("start", [0.0, np.nextafter(1.0, 0.0)])
@pytest.mark.parametrize("size", [1, 10, 37, 50])
def test_the_least_and_the_largest_start_draw_columns_that_exist(
    start: float, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sum of all chances may be rounded to a number below the last point."""
    sampler = Sampler(torch.arange(50), size)
    monkeypatch.setattr(torch, "rand", lambda *shape, **options: torch.full(shape, start, dtype=torch.float64))
    drawn, _ = sampler.draw(_generator())
    assert drawn.min() >= 0
    assert drawn.max() < 50
    assert start > 0 or drawn.tolist() == sorted(set(drawn.tolist()))
