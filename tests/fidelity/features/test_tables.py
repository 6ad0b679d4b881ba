"""Autoencoders of tables against the formulas of their papers."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import Tensor

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.features.models import PCA, Adversarial, Contractive, Deep, Denoising, Sparse, Vanilla, Variational
from recsys_ae.features.nn import penalties
from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.features.nn.dense import Dense, evenly_spaced
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.corruption import corrupt
from recsys_ae.nn.losses import gaussian_kl
from recsys_ae.nn.runtime import seeded
from recsys_ae.nn.training.steps import Step

CPU = Run(device="cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def step(update: int = 0, total: int = 10) -> Step:
    return Step(update, total, generator())


def low_rank(n: int = 300, width: int = 12, rank: int = 3, seed: int = 0) -> Features:
    """Return rows near a subspace whose directions have different variances."""
    rng = np.random.default_rng(seed)
    strong = rng.normal(size=(n, rank)) * np.linspace(3, 1.5, rank)
    rows = strong @ np.linalg.qr(rng.normal(size=(width, rank)))[0].T + 0.2 * rng.normal(size=(n, width)) + 1
    return Features(rows, pd.RangeIndex(n), pd.RangeIndex(width))


def rows_of(values: Tensor) -> FeatureRows:
    return FeatureRows(values, Scaling(values.shape[1]))


def dense(*widths: int, activation: str = "sigmoid", seed: int = 0) -> Dense:
    with seeded(seed):
        network = Dense(widths, activation, last=activation)
        for layer in network.layers:
            torch.nn.init.normal_(layer.bias, std=0.5)  # type: ignore[arg-type]
    return network


# PCA


def test_pca_is_the_singular_value_decomposition_of_the_centred_rows() -> None:
    features = low_rank()
    rows = np.asarray(features.matrix, np.float64)
    _, _, right = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    for solver in ("covariance", "randomised"):
        model = FeatureEncoder(PCA(latent=3, scale="none", solver=solver)).fit(features, run=CPU)
        components = model.network.state_dict()["components"].numpy()
        np.testing.assert_allclose(np.abs(components @ right[:3].T), np.eye(3), atol=1e-3)
        kept = (rows - rows.mean(axis=0)) @ right[:3].T @ right[:3] + rows.mean(axis=0)
        np.testing.assert_allclose(np.asarray(model.reconstruct(features).matrix), kept, atol=1e-3)


def test_linear_vanilla_spans_the_subspace_of_pca() -> None:
    """Baldi and Hornik 1989: the largest principal angle is small and the error is PCA's."""
    features = low_rank()
    pca = FeatureEncoder(PCA(latent=3, scale="none")).fit(features, run=CPU)
    spec = Vanilla(
        latent=3, scale="none", activation="linear", epochs=800, batch_size=100, lr=0.02, lr_schedule="cosine"
    )
    model = FeatureEncoder(spec).fit(features, run=CPU)
    decoder = model.network.state_dict()["layers.decoder.layers.0.weight"].double().numpy()
    basis = np.linalg.qr(decoder)[0]
    components = pca.network.state_dict()["components"].double().numpy()
    cosines = np.linalg.svd(components @ basis)[1]
    assert math.acos(min(1.0, cosines.min())) < 0.02
    assert model.error(features) == pytest.approx(pca.error(features), rel=0.01)


# Depth


def test_the_widths_of_the_study_fall_in_equal_steps() -> None:
    assert evenly_spaced(784, 30, 3) == (588, 392, 196)
    assert evenly_spaced(784, 300, 3) == (588, 392, 300)
    network = Deep(latent=30).build(FeatureShape(10, 784, ()))
    shapes = [tuple(weight.shape) for weight in network.layers.encoder.weights]
    assert shapes == [(588, 784), (392, 588), (196, 392), (30, 196)]


def test_greedy_pretraining_starts_each_layer_from_its_own_autoencoder() -> None:
    features = low_rank(100)
    chosen: dict[str, Any] = {"latent": 3, "hidden": (8,), "epochs": 1, "batch_size": 20, "lr": 0.01}
    plain = FeatureEncoder(Deep(**chosen)).fit(features, run=CPU)
    stacked = FeatureEncoder(Deep(**chosen, pretrain_epochs=30)).fit(features, run=CPU)
    assert stacked.history[0]["error"] < 0.7 * plain.history[0]["error"]
    assert len(stacked.history) == 1
    tied = FeatureEncoder(Deep(**chosen, pretrain_epochs=30, tied=True)).fit(features, run=CPU)
    assert tied.history[0]["error"] < 0.7 * plain.history[0]["error"]


def test_a_tied_decoder_has_the_encoders_weights_after_training_and_loading(tmp_path: Any) -> None:
    model = FeatureEncoder(Vanilla(latent=3, tied=True, epochs=2)).fit(low_rank(50), run=CPU)
    names = set(model.network.state_dict())
    assert names == {"layers.encoder.layers.0.weight", "layers.encoder.layers.0.bias", "layers.decoder.biases.0"}
    model.save(tmp_path / "model")
    again = FeatureEncoder.load(tmp_path / "model", device="cpu").network
    state = again.state_dict()
    z = torch.randn(4, 3, generator=generator())
    slow = z @ state["layers.encoder.layers.0.weight"] + state["layers.decoder.biases.0"]
    torch.testing.assert_close(again.decode(z), slow)


# Sparsity


def test_the_kl_penalty_and_its_gradient_are_those_of_the_formula() -> None:
    activations = torch.rand(7, 5, generator=generator()).double().requires_grad_()
    rho = 0.1
    found = penalties.kl_sparsity(activations, rho)
    mean = activations.detach().numpy().mean(axis=0)
    slow = (rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))).sum()
    assert found.item() == pytest.approx(slow, rel=1e-5)
    torch.autograd.backward(found)
    gradient = (-rho / mean + (1 - rho) / (1 - mean)) / 7
    assert activations.grad is not None
    np.testing.assert_allclose(activations.grad.numpy(), np.tile(gradient, (7, 1)), rtol=1e-5)


def test_after_training_units_are_active_a_share_rho_of_the_time() -> None:
    features = low_rank(400)
    spec = Sparse(latent=20, rho=0.1, weight=20.0, epochs=300, batch_size=100, lr=0.02)
    codes = np.asarray(FeatureEncoder(spec).fit(features, run=CPU).encode(features).matrix)
    assert np.abs(codes.mean(axis=0) - 0.1).max() < 0.02


def test_top_k_keeps_the_k_largest() -> None:
    code = torch.tensor([[3.0, -5.0, 1.0, 2.0], [-1.0, -2.0, -3.0, -4.0]])
    kept = torch.tensor([[3.0, 0.0, 0.0, 2.0], [-1.0, -2.0, 0.0, 0.0]])
    assert torch.equal(penalties.top_k(code, 2), kept)
    spec = Sparse(latent=20, sparsity="top-k", k=4, epochs=1)
    codes = np.asarray(FeatureEncoder(spec).fit(low_rank(50), run=CPU).encode(low_rank(50)).matrix)
    assert ((codes != 0).sum(axis=1) == 4).all()


def test_the_l1_penalty_is_the_mean_of_the_sums() -> None:
    assert penalties.l1_activity(torch.tensor([[1.0, -2.0], [0.0, 5.0]])).item() == 4


# Denoising


def test_gaussian_corruption_adds_noise_of_the_deviation_asked_for() -> None:
    x = torch.full((400, 300), 0.5)
    noise = corrupt(x, "gaussian", 0.3, generator()) - x
    assert noise.mean().item() == pytest.approx(0, abs=0.003)
    assert noise.std().item() == pytest.approx(0.3, abs=0.003)


def test_masking_sets_the_share_asked_for_to_zero_and_leaves_the_rest() -> None:
    x = torch.rand(400, 300, generator=generator()) + 0.5
    corrupted = corrupt(x, "masking", 0.25, generator(1))
    assert (corrupted == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)
    assert torch.equal(corrupted[corrupted != 0], x[corrupted != 0])


def test_salt_and_pepper_sets_values_to_both_ends_alike() -> None:
    x = torch.rand(400, 300, generator=generator()) * 0.8 + 0.1
    corrupted = corrupt(x, "salt-and-pepper", 0.3, generator(1))
    hit = corrupted != x
    assert hit.float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert set(corrupted[hit].unique().tolist()) == {x.min().item(), x.max().item()}
    assert (corrupted[hit] == x.max()).float().mean().item() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("kind", ["gaussian", "masking", "salt-and-pepper"])
def test_no_noise_damages_nothing(kind: str) -> None:
    x = torch.rand(9, 8, generator=generator())
    assert torch.equal(corrupt(x, kind, 0.0, generator()), x)


@pytest.mark.parametrize("kind", ["gaussian", "masking", "salt-and-pepper"])
def test_the_encoders_distortion_goes_to_zero_with_the_noise(kind: str) -> None:
    x = torch.rand(50, 12, generator=generator())
    found = []
    for level in (0.5, 0.05, 0.0):
        spec = Denoising(latent=4, corruption=kind, level=level, distortion=2.0)  # type: ignore[arg-type]
        with seeded(3):
            network = spec.build(FeatureShape(50, 12, ()))
        loss = network.loss(rows_of(x), step())
        parts = {name: torch.as_tensor(part).item() for name, part in loss.parts.items()}
        assert loss.total.item() == pytest.approx(parts["error"] + 2 * parts["distortion"], rel=1e-5)
        found.append(parts["distortion"])
    assert found[0] > found[1] > found[2] == 0


def test_the_target_of_denoising_is_the_whole_row() -> None:
    """The error of a network that returns zeros is the squared length of the clean rows."""
    x = torch.rand(5, 6, generator=generator())
    network = Denoising(latent=2, level=0.9).build(FeatureShape(5, 6, ()))
    for parameter in network.layers.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    assert network.loss(rows_of(x), step()).total.item() == pytest.approx(x.square().sum(dim=1).mean().item(), rel=1e-5)


# Contraction


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "linear"])
@pytest.mark.parametrize("widths", [(6, 4), (6, 5, 3), (6, 7, 5, 2)])
def test_the_contractive_penalty_is_the_norm_of_autograds_jacobian(activation: str, widths: tuple[int, ...]) -> None:
    encoder, x = dense(*widths, activation=activation), torch.randn(5, 6, generator=generator())
    norms = [torch.autograd.functional.jacobian(encoder, row).square().sum() for row in x]  # type: ignore[no-untyped-call]
    assert penalties.jacobian_norm(encoder, x).item() == pytest.approx(torch.stack(norms).mean().item(), rel=1e-5)


def test_the_gradient_of_the_penalty_is_autograds() -> None:
    encoder, x = dense(6, 5, 3), torch.randn(4, 6, generator=generator())
    torch.autograd.backward(penalties.jacobian_norm(encoder, x))
    found = [parameter.grad.clone() for parameter in encoder.parameters() if parameter.grad is not None]
    encoder.zero_grad()
    slow = [
        torch.autograd.functional.jacobian(encoder, row, create_graph=True).square().sum()  # type: ignore[no-untyped-call]
        for row in x
    ]
    torch.autograd.backward(torch.stack(slow).mean())
    expected = [parameter.grad for parameter in encoder.parameters() if parameter.grad is not None]
    assert len(found) == len(expected) == 4
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_estimated_penalty_is_right_on_average() -> None:
    encoder, x = dense(6, 5, 3), torch.randn(4, 6, generator=generator())
    estimate = penalties.estimated_jacobian_norm(encoder, x, 4000, generator(1))
    assert estimate.item() == pytest.approx(penalties.jacobian_norm(encoder, x).item(), rel=0.05)


def test_contraction_makes_codes_change_less() -> None:
    features = low_rank(200)
    norms = []
    for weight in (0.0, 20.0):
        spec = Contractive(latent=6, contraction=weight, epochs=40, batch_size=50, lr=0.01)
        model = FeatureEncoder(spec).fit(features, run=CPU)
        rows = model.rows(features)
        norms.append(penalties.jacobian_norm(model.network.layers.encoder, rows.seen).item())  # type: ignore[union-attr, arg-type]
    assert norms[1] < 0.7 * norms[0]


# Variational


def test_the_kl_of_gaussians_is_that_of_monte_carlo() -> None:
    mean, log_variance = torch.tensor([[0.5, -1.0]]), torch.tensor([[-0.5, 0.3]])
    z = mean + torch.randn(400_000, 2, generator=generator()) * (0.5 * log_variance).exp()
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())  # type: ignore[no-untyped-call]
    prior = torch.distributions.Normal(0.0, 1.0)  # type: ignore[no-untyped-call]
    sampled = (posterior.log_prob(z) - prior.log_prob(z)).sum(dim=1).mean()  # type: ignore[no-untyped-call]
    assert gaussian_kl(mean, log_variance).item() == pytest.approx(sampled.item(), rel=0.01)


def variational(**chosen: Any) -> Any:
    with seeded(1):
        return Variational(latent=2, hidden=(8,), **chosen).build(FeatureShape(6, 5, ()))


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_the_loss_is_the_negative_elbo_once_beta_is_one(likelihood: str) -> None:
    network, x = variational(likelihood=likelihood, warm_up=0.5), rows_of(torch.rand(6, 5, generator=generator()))
    loss = network.loss(x, step(9))
    assert loss.parts["beta"] == 1
    assert loss.total.item() == pytest.approx(-network.measures(x, generator())["elbo"].mean().item(), rel=1e-5)
    assert network.loss(x, step(0)).parts["beta"] == 0
    assert network.loss(x, step(2)).parts["beta"] == pytest.approx(0.4)


def test_the_gaussian_likelihood_has_its_constants_and_its_learnt_variance() -> None:
    network = variational()
    with torch.no_grad():
        network.log_variance.fill_(math.log(0.25))
    x, z = torch.rand(6, 5, generator=generator()), torch.randn(6, 2, generator=generator(1))
    mean = network.decode(z)
    slow = -torch.distributions.Normal(mean, 0.5).log_prob(x).sum(dim=1)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(network._nll(z, x, None), slow)
    assert variational(variance="fixed").log_variance is None


def test_the_importance_sampled_likelihood_is_that_of_a_linear_gaussian_model_and_above_the_elbo() -> None:
    """With a linear decoder, p(x) is N(b, WWᵀ + I) in closed form."""
    with seeded(2):
        network = Variational(latent=2, hidden=(), variance="fixed").build(FeatureShape(6, 5, ()))
    x = rows_of(torch.rand(6, 5, generator=generator()))
    with torch.no_grad():
        weight, bias = network.decoder.weights[0], network.decoder.layers[0].bias
        law = stats.multivariate_normal(bias.numpy(), (weight @ weight.T + torch.eye(5)).numpy())
        found = network.log_likelihood(x, 4000, generator())
        np.testing.assert_allclose(found.numpy(), law.logpdf(x.seen.numpy()), atol=0.1)
        elbo = torch.stack([network.measures(x, generator(seed))["elbo"] for seed in range(200)]).mean(dim=0)
    assert (elbo < found).all()


def test_codes_of_encode_are_means_without_noise() -> None:
    network, x = variational(), rows_of(torch.rand(6, 5, generator=generator()))
    torch.testing.assert_close(network.encode(x), network.encoder(x.seen)[:, :2])


# Adversarial


def test_each_phase_moves_its_own_part_of_the_network() -> None:
    network: Any = Adversarial(latent=2, hidden=(8,), critic=(4,)).build(FeatureShape(6, 5, ()))
    x = rows_of(torch.rand(6, 5, generator=generator()))
    parts = {
        "reconstruction": set(network.layers.parameters()),
        "discrimination": set(network.discriminator.parameters()),
        "generation": set(network.layers.encoder.parameters()),
    }
    for phase, expected in zip(network.phases(), parts.values(), strict=True):
        assert set(phase.parameters) == expected
        network.zero_grad()
        torch.autograd.backward(phase.loss(x, step()).total)
        assert all(parameter.grad is not None for parameter in expected)
    network.zero_grad()
    torch.autograd.backward(network.discrimination(x, step()).total)
    assert all(parameter.grad is None for parameter in network.layers.parameters())


def test_the_losses_of_discriminator_and_generator_are_cross_entropies() -> None:
    network: Any = Adversarial(latent=2, hidden=(8,), critic=(4,)).build(FeatureShape(6, 5, ()))
    x = rows_of(torch.rand(6, 5, generator=generator()))
    true = network.discriminator(network.draw(6, generator())).sigmoid()
    false = network.discriminator(network.encode(x)).sigmoid()
    expected = -(true.log().mean() + (1 - false).log().mean())
    assert network.discrimination(x, step()).total.item() == pytest.approx(expected.item(), rel=1e-4)
    assert network.generation(x, step()).total.item() == pytest.approx(-false.log().mean().item(), rel=1e-4)


def skewed(n: int = 1000) -> Features:
    """Return rows along a line, exponentially distributed."""
    rng = np.random.default_rng(0)
    along = rng.exponential(size=(n, 1)) * rng.normal(size=(1, 8))
    return Features(along + 0.05 * rng.normal(size=(n, 8)), pd.RangeIndex(n), pd.RangeIndex(8))


def test_codes_of_the_adversarial_autoencoder_look_normal_and_those_of_a_plain_one_do_not() -> None:
    features, chances = skewed(), {}
    shared: dict[str, Any] = {"latent": 1, "hidden": (32, 32), "epochs": 120, "lr": 0.003, "lr_schedule": "linear"}
    for spec in (Adversarial(**shared, critic=(64, 64), pace=1.0), Deep(**shared)):
        model = FeatureEncoder(spec).fit(features, run=CPU)  # type: ignore[arg-type]
        codes = np.asarray(model.encode(features).matrix).ravel()
        standard = codes if isinstance(spec, Adversarial) else (codes - codes.mean()) / codes.std()
        chances[spec.name()] = stats.kstest(standard, "norm").pvalue
        assert model.error(features) < 0.6 * np.asarray(features.matrix).std()
    assert chances["adversarial"] > 0.01
    assert chances["deep"] < 1e-6


def test_a_mixture_stands_on_a_circle() -> None:
    network: Any = Adversarial(latent=3, prior="mixture", components=4, radius=10).build(FeatureShape(6, 5, ()))
    codes = network.draw(8000, generator())
    angles = torch.atan2(codes[:, 1], codes[:, 0]) / (math.pi / 2)
    assert torch.histc(angles.round() % 4, 4, 0, 3).div(8000).sub(0.25).abs().max() < 0.02
    assert codes[:, :2].norm(dim=1).mean().item() == pytest.approx(10, abs=0.2)
    assert codes[:, 2].std().item() == pytest.approx(1, abs=0.05)
