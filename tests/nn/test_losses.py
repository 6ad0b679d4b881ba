"""Losses compared with the formulas of their papers, computed slowly in float64."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import multivariate_normal, norm

from recsys_ae.nn.losses import bernoulli, focal, gaussian_kl, gaussian_log_density, mixture_log_density, multinomial
from recsys_ae.nn.rows import Rows
from tests.nn.small import matrix, rows_of


def _slow_multinomial(logits: NDArray[np.float64], targets: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return −(1/n) Σ_u Σ_i x_ui log π_ui, and its gradient (1/n) (π_u Σ_i x_ui − x_u), row by row."""
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
    """A softmax followed by log(x + 1e-10) would be clipped at log(1e-10) = −23."""
    logits = np.array([[1e4, -1e4, 0, 1e4], [-1e4, -1e4, -1e4, 1e4], [1e4, 1e4, 1e4, 1e4], [-1e4] * 4], np.float32)
    targets = np.array([[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]], np.float32)
    value, gradient = _fast_multinomial(logits, rows_of(csr_matrix(targets)))
    expected, slope = _slow_multinomial(logits.astype(np.float64), targets.astype(np.float64))
    assert expected > 1e4
    assert value == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradient.numpy(), slope, rtol=1e-5, atol=1e-7)


def test_a_catalog_of_one_item_is_certain() -> None:
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


@pytest.mark.parametrize("loss_of", [multinomial, bernoulli, focal])
def test_what_a_network_computed_may_be_overwritten_but_never_unnoticed(
    loss_of: Callable[[torch.Tensor, Rows], torch.Tensor],
) -> None:
    """The loss overwrites the logits; if they are needed again there is an error, not a wrong gradient."""
    hidden = torch.from_numpy(_logits(9, 7)).requires_grad_()
    logits = hidden.exp()  # the backward pass of exp needs its output
    loss = loss_of(logits, rows_of(matrix(9, 7)))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_density_of_a_normal_takes_log_variances_and_keeps_the_dimensions_apart() -> None:
    mean, log_variance = _codes()
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(7)) * 3
    expected = norm.logpdf(z.numpy(), mean.numpy(), np.exp(0.5 * log_variance.double().numpy()))
    np.testing.assert_allclose(gaussian_log_density(z, mean, log_variance).numpy(), expected, rtol=1e-5, atol=1e-5)
    zero = torch.zeros(())
    np.testing.assert_allclose(
        gaussian_log_density(z, zero, zero + 10).numpy(), norm.logpdf(z, 0, np.exp(5)), rtol=1e-5
    )


def _slow_mixture(z: torch.Tensor, means: torch.Tensor, log_variances: torch.Tensor) -> NDArray[np.float64]:
    densities = []
    for row in z.double().numpy():
        logs = [
            multivariate_normal.logpdf(row, mean, np.diag(np.exp(log_variance)))
            for mean, log_variance in zip(means.double().numpy(), log_variances.double().numpy(), strict=True)
        ]
        densities.append(np.logaddexp.reduce(logs) - np.log(len(logs)))
    return np.array(densities)


@pytest.mark.parametrize("k", [1, 9])
def test_the_density_of_a_mixture_is_the_mean_of_its_components(k: int) -> None:
    z, _ = _codes(6, 4)
    generator = torch.Generator().manual_seed(3)
    means, log_variances = torch.randn(k, 4, generator=generator), torch.randn(k, 4, generator=generator)
    density = mixture_log_density(z, means, log_variances)
    assert density.dtype == torch.float32
    np.testing.assert_allclose(density.numpy(), _slow_mixture(z, means, log_variances), rtol=1e-5)


def test_the_density_of_a_mixture_is_exact_for_narrow_components_far_from_zero() -> None:
    """Multiplied out in single precision, these squares would be wrong by more than 100."""
    means = 20 + torch.randn(5, 30, generator=torch.Generator().manual_seed(3))
    z, log_variances = means[:3] + 0.001, torch.full((5, 30), -12.0)
    np.testing.assert_allclose(
        mixture_log_density(z, means, log_variances).numpy(), _slow_mixture(z, means, log_variances), rtol=1e-5
    )


def test_the_gradient_of_the_mixtures_density_is_that_of_its_definition() -> None:
    z, _ = _codes(6, 4)
    generator = torch.Generator().manual_seed(3)
    tensors = (z, torch.randn(5, 4, generator=generator), torch.randn(5, 4, generator=generator))
    leaves = [tensor.requires_grad_() for tensor in tensors]
    mixture_log_density(*leaves).sum().backward()
    slow = [tensor.detach().double().requires_grad_() for tensor in tensors]
    components = torch.distributions.Normal(slow[1], (0.5 * slow[2]).exp())
    (components.log_prob(slow[0][:, None, :]).sum(dim=2).exp().mean(dim=1).log()).sum().backward()
    for leaf, expected in zip(leaves, slow, strict=True):
        assert leaf.grad is not None
        assert expected.grad is not None
        torch.testing.assert_close(leaf.grad.double(), expected.grad, rtol=1e-4, atol=1e-6)


def _slow_bernoulli(
    logits: NDArray[np.float32], targets: NDArray[np.float32], floor: float
) -> tuple[float, torch.Tensor]:
    leaf = torch.from_numpy(logits).double().requires_grad_()
    x = torch.from_numpy(targets).double()
    p = torch.sigmoid(leaf).clamp(floor, 1 - floor)
    loss = -(x * torch.log(p) + (1 - x) * torch.log(1 - p)).sum(dim=1).mean()
    (gradient,) = torch.autograd.grad(loss, leaf)
    return loss.item(), gradient


@pytest.mark.parametrize("floor", [1e-5, 0.02])
@pytest.mark.parametrize("scale", [3.0, 20.0])
def test_the_bernoulli_loss_and_its_gradient_are_the_formulas_with_probabilities_clipped(
    floor: float, scale: float
) -> None:
    targets, logits = matrix(31, 17, kind="ones"), _logits(31, 17, scale=scale)
    leaf = torch.from_numpy(logits).requires_grad_()
    loss = bernoulli(leaf, rows_of(targets), floor)
    loss.backward()
    expected, slope = _slow_bernoulli(logits, targets.toarray(), floor)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert leaf.grad is not None
    torch.testing.assert_close(leaf.grad.double(), slope, rtol=1e-4, atol=1e-7)
    outside = np.abs(logits) > np.log((1 - floor) / floor)
    assert outside.any() or scale < 20
    assert not leaf.grad.numpy()[outside].any()


def test_every_entry_is_a_bernoulli_target_whatever_its_value() -> None:
    ones, ratings = matrix(9, 7, kind="ones"), matrix(9, 7)
    assert (ones.indices == ratings.indices).all()
    assert ratings.data.max() > 1
    leaf = torch.from_numpy(_logits(9, 7))
    assert bernoulli(leaf, rows_of(ones)).item() == bernoulli(leaf, rows_of(ratings)).item()


def test_the_bernoulli_loss_leaves_what_it_is_given_and_scales_its_gradient() -> None:
    targets, logits = rows_of(matrix(9, 7)), _logits(9, 7)
    before, gradients = logits.copy(), []
    for upstream in (1.0, -3.0):
        leaf = torch.from_numpy(logits).requires_grad_()
        (bernoulli(leaf, targets) * upstream).backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad)
    np.testing.assert_array_equal(logits, before)
    torch.testing.assert_close(gradients[1], -3 * gradients[0])


def test_a_bernoulli_likelihood_of_huge_logits_is_bounded() -> None:
    logits = torch.tensor([[1e30, -1e30]])
    assert bernoulli(logits, rows_of(csr_matrix(np.array([[0, 1]], np.float32)))).item() == pytest.approx(
        -2 * np.log(1e-5), rel=1e-6
    )


def _slow_focal(
    log_p: NDArray[np.float32], targets: NDArray[np.float32], alpha: float, gamma: float
) -> tuple[float, torch.Tensor]:
    """−α_t (1 − p_t)^γ log p_t with p_t = p for a positive and 1 − p elsewhere (Lin et al. 2017)."""
    leaf = torch.from_numpy(log_p).double().requires_grad_()
    p, positive = leaf.exp(), torch.from_numpy(targets) > 0
    p_t = torch.where(positive, p, 1 - p)
    alpha_t = torch.where(positive, alpha, 1 - alpha)
    loss = -(alpha_t * (1 - p_t) ** gamma * torch.log(p_t)).sum(dim=1).mean()
    (gradient,) = torch.autograd.grad(loss, leaf)
    return loss.item(), gradient


def _log_probabilities(n: int, width: int, scale: float = 3.0) -> NDArray[np.float32]:
    logits = torch.from_numpy(_logits(n, width, scale=scale))
    return torch.nn.functional.logsigmoid(logits).numpy()


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.5, 0.0), (0.9, 1.0), (0.25, 0.5)])
def test_the_focal_loss_and_its_gradient_are_the_formulas(alpha: float, gamma: float) -> None:
    targets, log_p = matrix(31, 17, kind="ones"), _log_probabilities(31, 17)
    leaf = torch.from_numpy(log_p).requires_grad_()
    loss = focal(leaf, rows_of(targets), alpha, gamma)
    loss.backward()
    expected, slope = _slow_focal(log_p, targets.toarray(), alpha, gamma)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert leaf.grad is not None
    torch.testing.assert_close(leaf.grad.double(), slope, rtol=1e-3, atol=1e-7)


def test_without_focus_and_with_equal_weights_the_focal_loss_is_half_the_cross_entropy() -> None:
    targets, logits = matrix(31, 17, kind="ones"), torch.from_numpy(_logits(31, 17))
    positive = torch.from_numpy(targets.toarray())
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, positive, reduction="sum") / 31
    actual = focal(torch.nn.functional.logsigmoid(logits), rows_of(targets), alpha=0.5, gamma=0.0)
    assert actual.item() == pytest.approx(0.5 * entropy.item(), rel=1e-5)


def test_the_focal_loss_of_a_product_of_probabilities_near_0_and_1_has_finite_gradients() -> None:
    for value in (-200.0, -30.0, 0.0, 30.0, 200.0):
        logits = torch.full((2, 3), value, requires_grad=True)
        log_p = torch.nn.functional.logsigmoid(logits)
        loss = focal(log_p + log_p + log_p, rows_of(csr_matrix(np.eye(2, 3, dtype=np.float32))))
        loss.backward()
        assert loss.isfinite()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


def test_every_entry_is_a_focal_target_whatever_its_value() -> None:
    log_p = torch.from_numpy(_log_probabilities(9, 7))
    ones, ratings = rows_of(matrix(9, 7, kind="ones")), rows_of(matrix(9, 7))
    assert focal(log_p, ones).item() == focal(log_p, ratings).item()


def test_the_focal_loss_leaves_what_it_is_given_and_scales_its_gradient() -> None:
    targets, log_p = rows_of(matrix(9, 7)), _log_probabilities(9, 7)
    before, gradients = log_p.copy(), []
    for upstream in (1.0, -3.0):
        leaf = torch.from_numpy(log_p).requires_grad_()
        (focal(leaf, targets) * upstream).backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad)
    np.testing.assert_array_equal(log_p, before)
    torch.testing.assert_close(gradients[1], -3 * gradients[0])


def test_no_gradient_passes_at_the_bernoulli_bound() -> None:
    """With a floor of 1/2 every probability is clipped to 1/2."""
    leaf = torch.zeros(1, 2, requires_grad=True)
    bernoulli(leaf, rows_of(csr_matrix(np.array([[0, 1]], np.float32))), floor=0.5).backward()
    assert leaf.grad is not None
    assert leaf.grad.tolist() == [[0, 0]]


def test_the_focal_loss_has_the_constants_of_its_paper() -> None:
    log_p, targets = torch.from_numpy(_log_probabilities(9, 7)), rows_of(matrix(9, 7))
    assert focal(log_p, targets).item() == focal(log_p, targets, alpha=0.25, gamma=2.0).item()


def test_the_focal_loss_leaves_log_probabilities_of_0() -> None:
    log_p = torch.zeros(1, 2)
    focal(log_p, rows_of(csr_matrix(np.array([[0, 1]], np.float32))))
    assert log_p.tolist() == [[0, 0]]
