"""H+Vamp (Gated) against its authors' code, and against mistakes made with similar models (F1, F6, F12)."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from recsys_ae.models.hvamp import HVamp, HVampNetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.training.steps import Step
from tests.fidelity.slow import dense64, dropped, negative_log_likelihood, on_the_sphere
from tests.nn.small import copy_of, matrix, rows_of

WIDTH, LATENT, K = 17, 4, 3
TOTAL = 1000

Leaves = dict[str, Tensor]
Normal = tuple[Tensor, Tensor]


def network_of(**chosen: Any) -> HVampNetwork:
    with seeded(1):
        spec = HVamp(**{"latent": LATENT, "width": 6, "pseudo_inputs": K, **chosen})
        network = spec.build(Shape(50, WIDTH))
        with torch.no_grad():  # so that some are cut at 0 and some at 1
            network.pseudo_inputs.copy_(torch.randn(spec.pseudo_inputs, WIDTH) + 0.5)
    return network.train()


def step_at(update: int = 0, seed: int = 4) -> Step:
    return Step(update, TOTAL, torch.Generator().manual_seed(seed))


def number(value: Tensor | float) -> float:
    return value.item() if isinstance(value, Tensor) else value


class Slow:
    """The model written out densely in float64, with the same random draws in order."""

    def __init__(self, network: HVampNetwork) -> None:
        self.leaves = {
            name: parameter.detach().double().requires_grad_() for name, parameter in network.named_parameters()
        }

    def linear(self, name: str, x: Tensor, *, transposed: bool = False) -> Tensor:
        weight = self.leaves[f"{name}.weight"]
        return x @ (weight if transposed else weight.T) + self.leaves[f"{name}.bias"]

    def gated(self, name: str, x: Tensor, *, transposed: bool = False) -> Tensor:
        gate = 1 / (1 + torch.exp(-self.linear(f"{name}.gate", x, transposed=transposed)))
        return self.linear(f"{name}.value", x, transposed=transposed) * gate

    def normal(self, name: str, x: Tensor) -> Normal:
        return self.linear(f"{name}.mean", x), self.linear(f"{name}.log_variance", x).clamp(-12, 4)

    def q_z2(self, x: Tensor) -> Normal:
        return self.normal("z2_of_x.2", self.gated("z2_of_x.1", self.gated("z2_of_x.0", x, transposed=True)))

    def q_z1(self, x: Tensor, z2: Tensor) -> Normal:
        hidden = torch.cat([self.gated("z1_of_x", x, transposed=True), self.gated("z1_of_z2", z2)], dim=1)
        return self.normal("z1_of_both.1", self.gated("z1_of_both.0", hidden))

    def p_z1(self, z2: Tensor) -> Normal:
        return self.normal("z1_prior.2", self.gated("z1_prior.1", self.gated("z1_prior.0", z2)))

    def p_x(self, z1: Tensor, z2: Tensor) -> Tensor:
        hidden = torch.cat([self.gated("x_of_z1", z1), self.gated("x_of_z2", z2)], dim=1)
        return self.linear("output", self.gated("x_of_both", hidden))


def sample(distribution: Normal, generator: torch.Generator) -> Tensor:
    mean, log_variance = distribution
    return mean + torch.randn(mean.shape, generator=generator).double() * torch.exp(log_variance).sqrt()


def log_density(z: Tensor, distribution: Normal) -> Tensor:
    mean, log_variance = distribution
    return torch.distributions.Normal(mean, log_variance.exp().sqrt()).log_prob(z).sum(dim=1)


def log_vamp(z: Tensor, components: Normal) -> Tensor:
    """Return ln (1/K) Σ_k q(z | u_k), one user and one pseudo-input after the other."""
    means, log_variances = components
    densities = [
        torch.stack([log_density(row[None], (m[None], v[None]))[0] for m, v in zip(means, log_variances, strict=True)])
        for row in z
    ]
    return torch.stack([torch.logsumexp(of_row, dim=0) - math.log(len(means)) for of_row in densities])


@pytest.fixture
def rows() -> Rows:
    return rows_of(matrix(12, WIDTH, kind="ones"))


@pytest.mark.parametrize("likelihood", ["bernoulli", "multinomial"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("update", [0, 100, 900])
def test_the_loss_and_its_gradients_are_the_authors(likelihood: str, dropout: float, update: int, rows: Rows) -> None:
    """Loss: −log p(x | z₁, z₂) + β [log q(z₁ | x, z₂) − log p(z₁ | z₂) + log q(z₂ | x) − log (1/K) Σ_k q(z₂ | u_k)]."""
    network = network_of(likelihood=likelihood, dropout=dropout)
    slow, step = Slow(network), step_at(update)
    draws = copy_of(step.generator)
    loss = network.loss(rows, step)
    loss.total.backward()

    x = dense64(rows)
    first = dropped(on_the_sphere(x), dropout, rows, draws) if dropout else on_the_sphere(x)
    of_z2 = slow.q_z2(first)
    z2 = sample(of_z2, draws)
    second = dropped(on_the_sphere(x), dropout, rows, draws) if dropout else on_the_sphere(x)
    of_z1 = slow.q_z1(second, z2)
    z1 = sample(of_z1, draws)
    pseudo = slow.leaves["pseudo_inputs"].clamp(0, 1)
    if dropout:
        pseudo = pseudo * (torch.rand(K, WIDTH, generator=draws) >= dropout) / (1 - dropout)
    logits = slow.p_x(z1, z2)
    if likelihood == "bernoulli":
        p = torch.sigmoid(logits).clamp(1e-5, 1 - 1e-5)
        nll = -(x * p.log() + (1 - x) * (1 - p).log()).sum(dim=1).mean()
    else:
        nll = negative_log_likelihood(logits, x)
    kl2 = (log_density(z2, of_z2) - log_vamp(z2, slow.q_z2(pseudo))).mean()
    kl = (log_density(z1, of_z1) - log_density(z1, slow.p_z1(z2))).mean() + kl2
    beta = 0.3 * min(1, update / 250)
    total = nll + beta * kl
    total.backward()

    assert loss.total.item() == pytest.approx(total.item(), rel=1e-5)
    for name, expected in {"nll": nll.item(), "kl": kl.item(), "kl2": kl2.item(), "beta": beta}.items():
        assert number(loss.parts[name]) == pytest.approx(expected, rel=1e-4, abs=1e-5), name
    for name, parameter in network.named_parameters():
        leaf = slow.leaves[name]
        assert parameter.grad is not None
        assert leaf.grad is not None
        assert beta == 0 or leaf.grad.abs().max() > 0, name
        torch.testing.assert_close(parameter.grad.double(), leaf.grad, rtol=1e-3, atol=1e-5, msg=name)
    # Nothing else was drawn: three masks and two codes.
    assert torch.equal(step.generator.get_state(), draws.get_state())


def test_the_pseudo_inputs_are_cut_to_0_and_1_but_not_normalised() -> None:
    network, read = network_of(dropout=0.0), list[Any]()
    network.z2_of_x[0].register_forward_pre_hook(lambda _, args: read.append(args[0]))
    network.loss(rows_of(matrix(5, WIDTH)), step_at())
    (pseudo,) = [x for x in read if isinstance(x, Tensor)]
    assert torch.equal(pseudo, network.pseudo_inputs.clamp(0, 1))
    assert {0.0, 1.0} < set(pseudo.flatten().tolist())
    assert (pseudo.norm(dim=1) > 1.5).all()


def test_the_pseudo_inputs_lose_entries_like_rows_in_training() -> None:
    network, read = network_of(dropout=0.75, pseudo_inputs=400), list[Any]()
    network.z2_of_x[0].register_forward_pre_hook(lambda _, args: read.append(args[0]))
    network.loss(rows_of(matrix(5, WIDTH)), step_at())
    (pseudo,) = [x for x in read if isinstance(x, Tensor)]
    complete = network.pseudo_inputs.clamp(0, 1)
    present = pseudo[complete > 0] > 0
    assert present.float().mean().item() == pytest.approx(0.25, abs=0.03)
    torch.testing.assert_close(pseudo[pseudo > 0], 4 * complete[pseudo > 0])


def test_the_prior_of_rows_as_pseudo_inputs_is_the_mean_of_their_posteriors() -> None:
    """With the training rows as pseudo-inputs, the prior is the aggregated posterior."""
    interactions = matrix(6, WIDTH, kind="ones")
    network = network_of(dropout=0.0, pseudo_inputs=6).eval()
    with torch.no_grad():
        network.pseudo_inputs.copy_(torch.from_numpy(interactions.toarray()))
        means, log_variances = network._z2(network._read_pseudo_inputs(torch.Generator()))
        expected_means, expected_log_variances = network.z2_of_x(rows_of(interactions))
    torch.testing.assert_close(means, expected_means)
    torch.testing.assert_close(log_variances, expected_log_variances)


def test_f12_beta_rises_with_every_update() -> None:
    network, rows = network_of(beta=0.4, anneal=0.5), rows_of(matrix(5, WIDTH))
    betas = [number(network.loss(rows, step_at(update)).parts["beta"]) for update in (0, 1, 250, 499, 500, 900)]
    assert betas == pytest.approx([0, 0.4 / 500, 0.2, 0.4 * 499 / 500, 0.4, 0.4])


def test_log_variances_stay_between_minus_12_and_4(rows: Rows) -> None:
    network = network_of()
    for outer, expected in ((100.0, 4), (-100.0, -12)):
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name.endswith("log_variance.bias"):
                    parameter.fill_(outer)
        _, log_variance = network.z2_of_x(rows)
        assert (log_variance == expected).all()
        _, log_variance = network._z1(network.z1_of_x(rows), torch.zeros(12, LATENT))
        assert (log_variance == expected).all()
        _, log_variance = network.z1_prior(torch.zeros(12, LATENT))
        assert (log_variance == expected).all()


def test_f01_noise_has_unit_deviation(rows: Rows) -> None:
    """With means 0 and log-variances 0, what the decoder reads is standard normal, and the two codes differ."""
    network, codes = network_of(latent=500), dict[str, Tensor]()
    for name in ("x_of_z1", "x_of_z2"):
        network.get_submodule(name).register_forward_pre_hook(lambda _, args, name=name: codes.update({name: args[0]}))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if ".mean." in name or ".log_variance." in name:
                parameter.zero_()
        network.loss(rows, step_at())
    for code in codes.values():
        assert code.std().item() == pytest.approx(1, abs=0.04)
        assert code.mean().item() == pytest.approx(0, abs=0.06)
    flat = torch.stack([codes["x_of_z1"].flatten(), codes["x_of_z2"].flatten()])
    assert abs(torch.corrcoef(flat)[0, 1].item()) < 0.06


def test_the_two_encoders_read_with_two_masks(rows: Rows) -> None:
    network, read = network_of(), list[Rows]()
    for module in (network.z2_of_x[0], network.z1_of_x):
        module.register_forward_pre_hook(lambda _, args: read.append(args[0]) if isinstance(args[0], Rows) else None)
    network.loss(rows, step_at())
    first, second = (x.values > 0 for x in read)
    values = rows.normalised().values
    for x in read:
        torch.testing.assert_close(x.values[x.values > 0], 2 * values[x.values > 0])
    assert (first & ~second).any()
    assert (second & ~first).any()


def test_f06_scoring_is_deterministic_and_from_the_means_of_the_whole_row(rows: Rows) -> None:
    network = network_of(dropout=0.9)
    slow, x = Slow(network), on_the_sphere(dense64(rows))
    z2, _ = slow.q_z2(x)
    z1, _ = slow.q_z1(x, z2)
    expected = slow.p_x(z1, z2)
    for mode in (True, False):
        network.train(mode)
        codes = network.encode(rows)
        assert codes.shape == (12, 2 * LATENT)
        torch.testing.assert_close(codes.double(), torch.cat([z1, z2], dim=1), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(network(rows).double(), expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(network(rows), network(rows))
    torch.testing.assert_close(network.decode(codes, slice(3, 9)), network.decode(codes)[:, 3:9])


def test_the_defaults_and_the_shapes_are_the_authors() -> None:
    spec = HVamp()
    assert (spec.latent, spec.width, spec.pseudo_inputs, spec.dropout) == (200, 600, 1000, 0.5)
    assert (spec.likelihood, spec.beta, spec.anneal * spec.epochs) == ("bernoulli", 0.3, 100)
    assert (spec.optimizer, spec.lr, spec.batch_size, spec.epochs) == ("adam_norm_grad", 5e-4, 200, 400)
    shapes = [tuple(parameter.shape) for parameter in spec.build(Shape(1000, 70)).parameters() if parameter.ndim > 1]
    gated = [(70, 600), (600, 600), (70, 600), (600, 200), (600, 1200)]  # q(z₂ | x), q(z₁ | x, z₂)
    gated += [(600, 200), (600, 600), (600, 200), (600, 200), (600, 1200)]  # p(z₁ | z₂), p(x | z₁, z₂)
    assert sorted(shapes) == sorted([*2 * gated, *6 * [(200, 600)], (70, 600), (1000, 70)])


def test_weights_start_as_the_authors_do() -> None:
    with seeded(3):
        network = HVamp(latent=100, width=300, pseudo_inputs=50).build(Shape(10, 700))
    starts = {
        "z2_of_x.0.value": 700,
        "z1_of_x.gate": 700,
        "z1_of_both.0.gate": 600,
        "output": 300,
        "z1_of_z2.gate": 100,
    }
    for name, inputs in starts.items():
        weight = network.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        assert weight.std().item() == pytest.approx(math.sqrt(2 / inputs), rel=0.02), name
        assert weight.mean().item() == pytest.approx(0, abs=0.02 * math.sqrt(2 / inputs)), name
    assert network.pseudo_inputs.mean().item() == pytest.approx(0.05, abs=0.001)
    assert network.pseudo_inputs.std().item() == pytest.approx(0.01, rel=0.02)


def test_every_tensor_moves_as_if_its_gradient_had_length_1(rows: Rows) -> None:
    """Two updates of Adam on unit gradients; on the raw ones the second would differ."""
    network, twin = (network_of(epochs=2, batch_size=12, dropout=0.0) for _ in range(2))
    network.learn(rows, Run(device="cpu", seed=3))
    generator = Run(device="cpu", seed=3).generator()
    optimizer = torch.optim.Adam(twin.parameters(), lr=5e-4)
    for update in range(2):
        optimizer.zero_grad()
        batch = rows.take(torch.randperm(12, generator=generator))
        torch.autograd.backward(twin.loss(batch, Step(update, 2, generator)).total)
        for parameter in twin.parameters():
            if parameter.grad is not None:
                parameter.grad /= parameter.grad.norm().clamp_min(1e-30)
        optimizer.step()
    for (name, actual), expected in zip(network.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5, msg=name)


def test_all_of_it_learns(rows: Rows) -> None:
    network = network_of(epochs=3, batch_size=4)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    network.learn(rows, Run(device="cpu"))
    for name, parameter in network.named_parameters():
        assert isinstance(parameter, nn.Parameter)
        assert not torch.equal(parameter, before[name]), name
