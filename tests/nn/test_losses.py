"""Losses against the formulas of their papers, computed slowly in float64."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae.nn.losses import gaussian_kl, multinomial
from recsys_ae.nn.rows import Rows
from tests.nn.small import matrix, rows_of


def _slow_multinomial(logits: NDArray[np.float64], targets: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """−(1/n) Σ_u Σ_i x_ui log π_ui, and its gradient (1/n) (π_u Σ_i x_ui − x_u), row by row."""
    value, gradient = 0.0, np.zeros_like(logits)
    for row in range(len(logits)):
        shifted = logits[row] - logits[row].max()
        log_softmax = shifted - np.log(np.exp(shifted).sum())
        value -= (targets[row] * log_softmax).sum()
        gradient[row] = np.exp(log_softmax) * targets[row].sum() - targets[row]
    return value / len(logits), gradient / len(logits)


def _fast_multinomial(logits: NDArray[np.float32], targets: Rows, upstream: float = 1.0) -> tuple[float, torch.Tensor]:
    leaf = torch.from_numpy(logits).requires_grad_()
    loss = multinomial(leaf, targets)
    (loss * upstream).backward()
    assert leaf.grad is not None
    return loss.item(), leaf.grad


def _logits(n: int, width: int, scale: float = 3.0, seed: int = 5) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, scale, (n, width)).astype(np.float32)


@pytest.mark.parametrize("kind", ["ones", "ratings"])
def test_the_multinomial_loss_and_its_gradient_are_the_formulas(kind: str) -> None:
    targets = matrix(31, 17, kind=kind)  # type: ignore[arg-type]
    logits = _logits(31, 17)
    value, gradient = _fast_multinomial(logits, rows_of(targets))
    expected, slope = _slow_multinomial(logits.astype(np.float64), targets.toarray().astype(np.float64))
    assert value == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradient.numpy(), slope, rtol=1e-5, atol=1e-7)


def test_a_target_without_entries_costs_nothing_but_counts_in_the_mean() -> None:
    logits = _logits(2, 4)
    value, gradient = _fast_multinomial(logits, rows_of(csr_matrix(np.array([[0, 0, 0, 0], [1, 0, 0, 0]], np.float32))))
    alone, _ = _fast_multinomial(logits[1:], rows_of(csr_matrix(np.array([[1, 0, 0, 0]], np.float32))))
    assert value == pytest.approx(alone / 2, rel=1e-6)
    assert not gradient[0].any()


def test_a_batch_without_any_target_has_no_loss_and_no_gradient() -> None:
    value, gradient = _fast_multinomial(_logits(3, 4), rows_of(csr_matrix((3, 4), dtype=np.float32)))
    assert value == 0
    assert not gradient.any()


def test_f05_logits_of_ten_thousand_do_not_overflow() -> None:
    """Softmax first and log(x + 1e-10) after it gives up at log(1e-10) = −23."""
    logits = np.array([[1e4, -1e4, 0, 1e4], [-1e4, -1e4, -1e4, 1e4], [1e4, 1e4, 1e4, 1e4]], np.float32)
    targets = np.array([[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 1, 0]], np.float32)
    value, gradient = _fast_multinomial(logits, rows_of(csr_matrix(targets)))
    expected, slope = _slow_multinomial(logits.astype(np.float64), targets.astype(np.float64))
    assert expected > 1e4
    assert value == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradient.numpy(), slope, rtol=1e-5, atol=1e-7)


def test_a_catalogue_of_one_item_is_certain() -> None:
    value, gradient = _fast_multinomial(np.array([[7.0]], np.float32), rows_of(csr_matrix(np.ones((1, 1), np.float32))))
    assert value == 0
    assert gradient.tolist() == [[0]]


def test_the_gradient_is_scaled_by_what_comes_from_above() -> None:
    targets, logits = rows_of(matrix(9, 7)), _logits(9, 7)
    _, once = _fast_multinomial(logits, targets)
    _, thrice = _fast_multinomial(logits, targets, upstream=-3.0)
    torch.testing.assert_close(thrice, -3 * once)


def test_the_loss_leaves_logits_and_targets_as_they_were() -> None:
    targets, logits = rows_of(matrix(9, 7)), _logits(9, 7)
    before = logits.copy(), targets.values.clone()
    _fast_multinomial(logits, targets)
    np.testing.assert_array_equal(logits, before[0])
    assert torch.equal(targets.values, before[1])


def test_logits_of_half_precision_are_reduced_in_single_precision() -> None:
    targets = matrix(9, 7)
    leaf = torch.from_numpy(_logits(9, 7)).bfloat16().requires_grad_()
    loss = multinomial(leaf, rows_of(targets))
    loss.backward()
    expected, slope = _slow_multinomial(leaf.detach().double().numpy(), targets.toarray().astype(np.float64))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    assert leaf.grad is not None
    assert leaf.grad.dtype == torch.bfloat16
    np.testing.assert_allclose(leaf.grad.float().numpy(), slope, rtol=1e-2, atol=1e-4)


def _codes(n: int = 6, d: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(n, d, generator=generator), 0.7 * torch.randn(n, d, generator=generator)


def test_f10_f12_the_kl_is_summed_over_the_code_and_averaged_over_rows_only() -> None:
    mean, log_variance = _codes()
    mu, sigma2 = mean.double().numpy(), np.exp(log_variance.double().numpy())
    expected = np.mean(
        [sum(0.5 * (s + m * m - 1 - np.log(s)) for m, s in zip(*r, strict=True)) for r in zip(mu, sigma2, strict=True)]
    )
    assert gaussian_kl(mean, log_variance).item() == pytest.approx(expected, rel=1e-6)
    # Twice the same code side by side: twice the divergence, where a mean over the code would leave it.
    wider = gaussian_kl(torch.cat([mean, mean], 1), torch.cat([log_variance, log_variance], 1))
    assert wider.item() == pytest.approx(2 * expected, rel=1e-6)
    # Twice the same rows: the same.
    assert gaussian_kl(mean.repeat(2, 1), log_variance.repeat(2, 1)).item() == pytest.approx(expected, rel=1e-6)


def test_the_kl_is_what_a_monte_carlo_estimate_says() -> None:
    """KL(q ‖ p) = E_q[log q − log p], with densities from torch.distributions, which take a deviation."""
    mean, log_variance = _codes()
    posterior = torch.distributions.Normal(mean.double(), log_variance.double().exp().sqrt())
    noise = torch.randn(20_000, *mean.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    z = posterior.loc + posterior.scale * noise
    terms = (posterior.log_prob(z) - torch.distributions.Normal(0.0, 1.0).log_prob(z)).sum(dim=2).mean(dim=1)
    assert gaussian_kl(mean, log_variance).item() == pytest.approx(
        terms.mean().item(), abs=5 * terms.std().item() / 141
    )


def test_the_kl_of_the_prior_itself_is_nothing() -> None:
    assert gaussian_kl(torch.zeros(3, 5), torch.zeros(3, 5)).item() == 0


def test_the_kl_of_codes_in_half_precision_is_computed_in_single_precision() -> None:
    mean, log_variance = (values.bfloat16() for values in _codes())
    kl = gaussian_kl(mean, log_variance)
    assert kl.dtype == torch.float32
    assert kl.item() == pytest.approx(gaussian_kl(mean.float(), log_variance.float()).item(), rel=1e-6)


def test_what_a_network_computed_may_be_overwritten_but_never_unnoticed() -> None:
    """The loss works in the memory of the logits; needing them again is an error, not a wrong gradient."""
    hidden = torch.from_numpy(_logits(9, 7)).requires_grad_()
    logits = hidden.exp()  # exp needs its own output to go backwards
    loss = multinomial(logits, rows_of(matrix(9, 7)))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
