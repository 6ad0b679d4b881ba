"""Corruption with the mean and the standard deviation of the papers."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.nn.corruption import drop_entries, gaussian_sample
from recsys_ae.nn.rows import Rows
from tests.nn.small import dense_of, matrix, rows_of


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _many(value: float = 2.0, n: int = 200_000) -> Rows:
    return rows_of(csr_matrix(np.full((n // 100, 100), value, np.float32)))


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_dropped_entries_keep_their_mean(rate: float) -> None:
    values = drop_entries(_many(), rate, _generator()).values.double()
    remaining = values[values != 0]
    assert torch.equal(remaining, torch.full_like(remaining, 2 / (1 - rate)).float().double())
    # The share of entries that remain is binomial; five standard deviations are allowed.
    slack = 5 * (rate * (1 - rate) / len(values)) ** 0.5
    assert len(remaining) / len(values) == pytest.approx(1 - rate, abs=slack)
    assert values.mean().item() == pytest.approx(2, abs=2 * slack / (1 - rate))
    assert values.var().item() == pytest.approx(4 * rate / (1 - rate), rel=0.02)


def test_a_rate_of_zero_changes_nothing_and_draws_nothing() -> None:
    generator = _generator()
    before = generator.get_state()
    rows = rows_of(matrix())
    assert drop_entries(rows, 0.0, generator) is rows
    assert torch.equal(generator.get_state(), before)


def test_a_rate_of_one_leaves_zeros_and_draws_nothing() -> None:
    """Division by 1 − rate would give NaN."""
    generator = _generator()
    before = generator.get_state()
    rows = rows_of(matrix())
    dropped = drop_entries(rows, 1.0, generator)
    assert (dropped.values == 0).all()
    assert dropped.lengths.tolist() == rows.lengths.tolist()
    assert torch.equal(generator.get_state(), before)
    np.testing.assert_array_equal(dense_of(rows), matrix().toarray())


def test_dropping_leaves_the_rows_it_was_given_alone() -> None:
    rows = rows_of(matrix())
    dropped = drop_entries(rows, 0.5, _generator())
    np.testing.assert_array_equal(dense_of(rows), matrix().toarray())
    assert dropped.lengths.tolist() == rows.lengths.tolist()


def test_the_same_generator_drops_the_same_entries_and_the_next_draw_others() -> None:
    rows, generator = _many(n=1000), _generator(7)
    first, second = (drop_entries(rows, 0.5, generator).values for _ in range(2))
    assert torch.equal(first, drop_entries(rows, 0.5, _generator(7)).values)
    assert not torch.equal(first, second)


def test_every_entry_has_its_own_fate() -> None:
    dropped = dense_of(drop_entries(_many(n=20_000), 0.5, _generator())) != 0
    assert np.corrcoef(dropped[:-1].ravel(), dropped[1:].ravel())[0, 1] == pytest.approx(0, abs=0.04)
    assert np.corrcoef(dropped[:, :-1].ravel(), dropped[:, 1:].ravel())[0, 1] == pytest.approx(0, abs=0.04)


def test_f01_noise_has_unit_deviation() -> None:
    """A deviation of 0.01, copied from another model, turns the model into an almost deterministic autoencoder."""
    zeros = torch.zeros(1000, 200)
    sample = gaussian_sample(zeros, zeros, _generator())
    assert sample.std().item() == pytest.approx(1, abs=0.01)
    assert sample.mean().item() == pytest.approx(0, abs=0.012)


def test_a_sample_has_the_mean_and_the_variance_asked_for() -> None:
    mean, log_variance = torch.tensor([3.0, -2.0, 0.0]), torch.tensor([0.25, 4.0, 1e-6]).log()
    sample = gaussian_sample(mean.expand(100_000, 3), log_variance.expand(100_000, 3), _generator())
    np.testing.assert_allclose(sample.mean(dim=0).numpy(), mean, atol=0.03)
    np.testing.assert_allclose(sample.var(dim=0).numpy(), log_variance.exp(), rtol=0.02)


def test_gradients_pass_through_a_sample() -> None:
    """Check ∂z/∂μ = 1 and ∂z/∂log σ² = ½ (z − μ)."""
    mean = torch.full((50, 4), 0.5).requires_grad_()
    log_variance = torch.full((50, 4), -1.0).requires_grad_()
    sample = gaussian_sample(mean, log_variance, _generator())
    sample.sum().backward()
    assert mean.grad is not None
    assert log_variance.grad is not None
    assert torch.equal(mean.grad, torch.ones(50, 4))
    torch.testing.assert_close(log_variance.grad, 0.5 * (sample - mean).detach())
