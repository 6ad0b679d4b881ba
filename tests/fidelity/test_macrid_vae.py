"""MacridVAE against its paper: the fast, sparse model agrees with the formulas, written out densely."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recsys_ae.models.macrid_vae import MacridVAE, MacridVAENetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.training.steps import Step
from tests.fidelity.slow import dense64, negative_log_likelihood
from tests.nn.small import copy_of, matrix, rows_of

N, WIDTH, CONCEPTS, LATENT = 12, 17, 3, 4
UPDATES = 2000


def spec_of(**chosen: object) -> MacridVAE:
    return MacridVAE(**{"concepts": CONCEPTS, "latent": LATENT, "hidden": (6,), **chosen})  # type: ignore[arg-type]


def network_of(spec: MacridVAE, width: int = WIDTH) -> MacridVAENetwork:
    with seeded(1):
        network = spec.build(Shape(50, width))
        # Biases near 0 would hide a missing one.
        for parameter in network.parameters():
            if parameter.ndim == 1:
                nn.init.normal_(parameter, std=0.3)
    return network


def step_at(update: int, total: int = UPDATES, seed: int = 4) -> Step:
    return Step(update, total, torch.Generator().manual_seed(seed))


def number(value: Tensor | float) -> float:
    return value.item() if isinstance(value, Tensor) else value


@pytest.fixture
def rows() -> Rows:
    return rows_of(matrix(N, WIDTH))


class Slow:
    """A slow version of the model in float64, entry by entry where possible; gradients come from autograd."""

    def __init__(self, network: MacridVAENetwork) -> None:
        self.spec: MacridVAE = network.spec
        self.weights = {name: value.detach().double().requires_grad_() for name, value in network.named_parameters()}
        self.deeper = [name for name in self.weights if name.startswith("encoder.deeper") and name.endswith("weight")]

    def logits(self) -> Tensor:
        """Return s_ik = cos(h_i, m_k) / τ."""
        h, m = self.weights["items"], self.weights["prototypes"]
        return (
            torch.stack([torch.cosine_similarity(h, prototype.unsqueeze(0)) for prototype in m], dim=1)
            / self.spec.temperature
        )

    def gaussians(self, x: Tensor, shares: Tensor, keep: list[Tensor] | None) -> list[tuple[Tensor, Tensor]]:
        """Return μ_k and σ_k of each concept; ``keep`` holds the factors of dropout."""
        pairs = []
        for k in range(self.spec.concepts):
            seen = x * shares[:, k]
            seen = seen / seen.norm(dim=1, keepdim=True).clamp_min(1e-6)
            if keep is not None:
                seen = seen * keep[k]
            code = seen @ self.weights["encoder.input.weight"] + self.weights["encoder.input.bias"]
            for name in self.deeper:
                code = torch.tanh(code) @ self.weights[name].T + self.weights[name.replace("weight", "bias")]
            a, b = code[:, : self.spec.latent], code[:, self.spec.latent :]
            pairs.append((a / a.norm(dim=1, keepdim=True), self.spec.prior_std * torch.exp(b / 2)))
        return pairs

    def scores(self, codes: list[Tensor], shares: Tensor) -> Tensor:
        """Return Σ_k c_ik exp(cos(z_k, h_i) / τ)."""
        h, total = self.weights["items"], torch.zeros(())
        for k, z in enumerate(codes):
            cosine = torch.cosine_similarity(z.unsqueeze(1), h.unsqueeze(0), dim=2)
            total = total + shares[:, k] * torch.exp(cosine / self.spec.temperature)
        return total


@pytest.mark.parametrize("hidden", [(), (6,), (7, 6)])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("update", [0, 5, 1000])
def test_the_loss_and_its_gradients_are_the_formulas(
    hidden: tuple[int, ...], dropout: float, update: int, rows: Rows
) -> None:
    network = network_of(spec_of(hidden=hidden, dropout=dropout)).train()
    step = step_at(update)
    draws = copy_of(step.generator)
    loss = network.loss(rows, step)
    loss.total.backward()

    slow, x = Slow(network), dense64(rows)
    gumbel = -torch.log(torch.empty(WIDTH, CONCEPTS).exponential_(generator=draws)).double()
    shares = torch.softmax(slow.logits() + gumbel, dim=1)
    keep = [torch.ones_like(x) for _ in range(CONCEPTS)]
    for factors in keep if dropout else []:
        drawn = torch.rand(len(rows.values), generator=draws) >= dropout
        factors[rows.row_of_entry, rows.indices] = drawn.double() / (1 - dropout)
    gaussians = slow.gaussians(x, shares, keep)
    noise = torch.randn(N, CONCEPTS, LATENT, generator=draws).double()
    codes = [mean + noise[:, k] * std for k, (mean, std) in enumerate(gaussians)]
    nll = negative_log_likelihood(torch.log(slow.scores(codes, shares)), x)
    kl = torch.zeros(())
    for _, std in gaussians:
        prior = slow.spec.prior_std
        kl = kl + (torch.log(prior / std) + std**2 / (2 * prior**2) - 0.5).sum(dim=1).mean()
    beta = min(0.2, update / (5 * UPDATES / 200))
    total = nll + beta * kl
    total.backward()

    assert loss.total.item() == pytest.approx(total.item(), rel=1e-5)
    assert number(loss.parts["nll"]) == pytest.approx(nll.item(), rel=1e-5)
    assert number(loss.parts["kl"]) == pytest.approx(kl.item(), rel=1e-5)
    assert number(loss.parts["beta"]) == pytest.approx(beta, rel=1e-9)
    for name, parameter in network.named_parameters():
        expected = slow.weights[name].grad
        assert parameter.grad is not None
        assert expected is not None
        assert expected.abs().max() > 0, name
        torch.testing.assert_close(parameter.grad.double(), expected, rtol=1e-3, atol=1e-5, msg=name)
    # Nothing else was drawn: shares once for the batch, then a mask for each concept, then one z.
    assert torch.equal(step.generator.get_state(), draws.get_state())


def test_the_part_of_the_divergence_that_is_left_out_is_constant(rows: Rows) -> None:
    """KL(N(μ, σ²) ‖ N(0, σ₀² I)) of torch.distributions is ours plus K / (2 σ₀²), since ‖μ_k‖ = 1."""
    network = network_of(spec_of(dropout=0.0, prior_std=0.5))
    step = step_at(0)
    draws = copy_of(step.generator)
    actual = number(network.loss(rows, step).parts["kl"])
    gumbel = -torch.log(torch.empty(WIDTH, CONCEPTS).exponential_(generator=draws)).double()
    slow = Slow(network)
    complete = torch.zeros(())
    for mean, std in slow.gaussians(dense64(rows), torch.softmax(slow.logits() + gumbel, dim=1), None):
        posterior, prior = torch.distributions.Normal(mean, std), torch.distributions.Normal(0.0, 0.5)
        complete = complete + torch.distributions.kl_divergence(posterior, prior).sum(dim=1).mean()
    assert complete.item() == pytest.approx(actual + CONCEPTS / (2 * 0.5**2), rel=1e-5)


def test_a_draw_of_the_concepts_is_gumbel_softmax() -> None:
    """The largest share is that of concept k as often as the softmax says; shares sum to 1 and are not one-hot."""
    network = network_of(spec_of(temperature=0.5))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        expected = network._log_shares(network.items).exp()
        draws = torch.stack([network._log_shares(network.items, generator).exp() for _ in range(4000)])
    torch.testing.assert_close(draws.sum(dim=2), torch.ones(4000, WIDTH), rtol=1e-5, atol=1e-5)
    largest = nn.functional.one_hot(draws.argmax(dim=2), CONCEPTS).double().mean(dim=0)
    np.testing.assert_allclose(largest.numpy(), expected.double().numpy(), atol=5 * 0.5 / math.sqrt(4000))
    # At temperature 1 two concepts of equal logits share uniformly: P(max share < 0.9) is far from 0.
    assert 0.1 < (draws.amax(dim=2) < 0.9).double().mean() < 0.99
    assert draws.std(dim=0).min() > 0.01


def test_two_concepts_of_equal_odds_share_uniformly() -> None:
    """With two equal logits, the first share of Gumbel-softmax at temperature 1 is uniform on (0, 1)."""
    network = network_of(spec_of(concepts=2))
    with torch.no_grad():
        network.prototypes[1] = network.prototypes[0]
        generator = torch.Generator().manual_seed(1)
        shares = (
            torch.cat([network._log_shares(network.items, generator).exp()[:, 0] for _ in range(500)]).sort().values
        )
    uniform = (torch.arange(len(shares)) + 0.5) / len(shares)
    assert (shares - uniform).abs().max() < 1.95 / math.sqrt(len(shares))  # Kolmogorov–Smirnov at 0.001


def test_a_lower_temperature_makes_concepts_and_scores_sharper(rows: Rows) -> None:
    soft, sharp = (network_of(spec_of(temperature=temperature)) for temperature in (0.4, 0.1))
    with torch.no_grad():
        torch.testing.assert_close(
            4 * soft._log_shares(soft.items).diff(dim=1), sharp._log_shares(sharp.items).diff(dim=1)
        )
        assert (sharp._log_shares(sharp.items).amax(dim=1) > soft._log_shares(soft.items).amax(dim=1)).all()
        assert (sharp(rows).std(dim=1) > 2 * soft(rows).std(dim=1)).all()


def test_no_temperature_that_is_allowed_overflows(rows: Rows) -> None:
    network = network_of(spec_of(temperature=0.01)).train()
    loss = network.loss(rows, step_at(1000))
    loss.total.backward()
    assert loss.total.isfinite()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_code_of_each_concept_has_length_one(rows: Rows) -> None:
    network = network_of(spec_of())
    with torch.no_grad():
        codes = network.encode(rows)
    assert codes.shape == (N, CONCEPTS * LATENT)
    torch.testing.assert_close(codes.view(N, CONCEPTS, LATENT).norm(dim=2), torch.ones(N, CONCEPTS))


def test_only_the_direction_of_items_prototypes_and_codes_matters(rows: Rows) -> None:
    network = network_of(spec_of())
    with torch.no_grad():
        before, z = network(rows), network.encode(rows)
        network.items *= torch.linspace(0.5, 7, WIDTH).unsqueeze(1)
        network.prototypes *= 3
        torch.testing.assert_close(network(rows), before, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(network.decode(5 * z), before, rtol=1e-4, atol=1e-5)


def test_a_concept_reads_only_what_belongs_to_it(rows: Rows) -> None:
    """With one-hot shares the code of a concept does not change with items of other concepts."""
    network = network_of(spec_of(dropout=0.0))
    shares = nn.functional.one_hot(torch.arange(WIDTH) % CONCEPTS, CONCEPTS).float()
    changed = rows.with_values(torch.where(rows.indices % CONCEPTS == 0, rows.values, rows.values * 3 + 1))
    with torch.no_grad():
        before, after = (network._posterior(x, shares)[0] for x in (rows, changed))
    torch.testing.assert_close(before[:, 0], after[:, 0])
    assert (before[:, 1] - after[:, 1]).abs().max() > 1e-3


def test_one_concept_is_a_vae_on_the_sphere(rows: Rows) -> None:
    """With K = 1 every share is 1: the input is the normalised row, as in Mult-VAE, and scores are cosines / τ."""
    network = network_of(spec_of(concepts=1))
    with torch.no_grad():
        mean = nn.functional.normalize(network.encoder(rows.normalised())[:, :LATENT])
        torch.testing.assert_close(network.encode(rows), mean, rtol=1e-5, atol=1e-6)
        expected = mean @ nn.functional.normalize(network.items).T / 0.1
        torch.testing.assert_close(network(rows), expected, rtol=1e-4, atol=1e-5)


def test_f06_f10_scores_take_the_softmax_and_the_means_whatever_was_trained(rows: Rows) -> None:
    """Scores are equal from call to call, also of a network in training mode."""
    network = network_of(spec_of()).train()
    slow = Slow(network)
    shares = torch.softmax(slow.logits(), dim=1)
    codes = [mean for mean, _ in slow.gaussians(dense64(rows), shares, None)]
    expected = torch.log(slow.scores(codes, shares)).detach().float()
    with torch.no_grad():
        for _ in range(3):
            torch.testing.assert_close(network.train()(rows), expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(network.train()(rows), network.eval()(rows))


def test_a_block_of_items_is_decoded_like_the_whole(rows: Rows) -> None:
    network = network_of(spec_of())
    with torch.no_grad():
        z = network.encode(rows)
        torch.testing.assert_close(network.decode(z, slice(3, 9)), network.decode(z)[:, 3:9])


def test_f01_noise_has_the_priors_deviation(rows: Rows) -> None:
    """If σ_k = σ₀, codes deviate from their means like the prior, before they are scaled to length 1."""
    network = network_of(spec_of(latent=300, prior_std=0.05, dropout=0.0)).train()
    codes: list[Tensor] = []
    mixture = network._mixture
    network._mixture = lambda z, items, shares: codes.append(z) or mixture(z, items, shares)  # type: ignore[assignment,func-returns-value,method-assign,misc]
    with torch.no_grad():
        for parameter in network.encoder.parameters():
            parameter.zero_()
        network.encoder.deeper[1].bias[0] = 1.0  # type: ignore[index,operator]
        network.loss(rows, step_at(0))
    away = codes[0] - nn.functional.one_hot(torch.tensor(0), 300)
    assert away.std().item() == pytest.approx(0.05, rel=0.03)
    assert away.mean().item() == pytest.approx(0, abs=0.003)


def test_f07_f12_beta_rises_with_every_update_and_stays_at_its_cap() -> None:
    """12 rows in batches of 3 are 4 updates an epoch; the history holds their mean."""
    network = network_of(spec_of(epochs=3, batch_size=3, beta=0.3, anneal=0.5))
    history = network.learn(rows_of(matrix(12, WIDTH)), Run(device="cpu"))
    betas = [min(0.3, 0.3 * update / 6) for update in range(12)]
    assert [measured["beta"] for measured in history] == pytest.approx(
        [np.mean(betas[:4]), np.mean(betas[4:8]), np.mean(betas[8:])]
    )


def test_the_defaults_are_those_of_the_authors() -> None:
    spec = MacridVAE()
    assert (spec.concepts, spec.latent, spec.hidden, spec.dropout) == (7, 100, (100,), 0.5)
    assert (spec.temperature, spec.prior_std, spec.beta) == (0.1, 0.075, 0.2)
    assert (spec.lr, spec.epochs, spec.l2, spec.optimizer) == (1e-3, 200, 0, "adam")
    # min(.2, t / (5 · updates in an epoch)) is at .2 after one epoch of 200.
    assert spec.anneal * spec.epochs == pytest.approx(1)


def test_users_without_history_do_no_harm_in_training() -> None:
    rows = rows_of(matrix(N, WIDTH, density=0.0))
    network = network_of(spec_of()).train()
    loss = network.loss(rows, step_at(3))
    loss.total.backward()
    assert number(loss.parts["nll"]) == 0
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())
