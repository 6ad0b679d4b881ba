"""Losses and closed forms of autoencoders of tables, written out again slowly."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.features.models import PCA, Denoising, Sparse, Variational
from recsys_ae.features.models.variational import FLOOR
from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.corruption import corrupt
from recsys_ae.nn.runtime import seeded
from recsys_ae.nn.training.steps import Step

CPU = Run(device="cpu")


def step() -> Step:
    return Step(0, 10, torch.Generator().manual_seed(0))


def network_of(spec: Any, width: int = 6) -> Any:
    with seeded(0):
        return spec.build(FeatureShape(5, width, ()))


def rows_of(n: int = 5, width: int = 6, seed: int = 0) -> FeatureRows:
    return FeatureRows(torch.rand(n, width, generator=torch.Generator().manual_seed(seed)), Scaling(width))


# Sparse


@pytest.mark.parametrize("sparsity", ["kl", "l1", "top-k"])
def test_the_loss_of_sparse_is_half_the_squared_error_plus_the_weighted_penalty(sparsity: Any) -> None:
    """Ng, "Sparse autoencoder": J = (1/m) Σ ½‖x̂ − x‖² + β Σ_j KL(ρ ‖ ρ̂_j)."""
    spec = Sparse(latent=4, sparsity=sparsity, rho=0.2, weight=0.7, k=2)
    network, x = network_of(spec), rows_of()
    total, codes = 0.0, network.encode(x).detach()
    for row, output in zip(x.seen.tolist(), network.decode(codes).tolist(), strict=True):
        total += 0.5 * sum((a - b) ** 2 for a, b in zip(output, row, strict=True)) / 5
    if sparsity == "kl":
        for mean in codes.mean(dim=0).tolist():
            total += 0.7 * (0.2 * math.log(0.2 / mean) + 0.8 * math.log(0.8 / (1 - mean)))
    elif sparsity == "l1":
        total += 0.7 * sum(abs(value) for value in codes.flatten().tolist()) / 5
    assert network.loss(x, step()).total.item() == pytest.approx(total, rel=1e-5)


def test_the_cross_entropy_of_sparse_is_not_halved() -> None:
    network, x = network_of(Sparse(latent=4, likelihood="bernoulli", weight=0.0)), rows_of()
    output = network(x)
    nll = -(x.seen * output.log() + (1 - x.seen) * (1 - output).log()).sum(dim=1).mean()
    assert network.loss(x, step()).total.item() == pytest.approx(nll.item(), rel=1e-5)


@pytest.mark.parametrize(("alpha", "kept"), [(1.0, 4), (1.5, 6), (1.3, 5), (9.0, 8)])
def test_top_k_keeps_k_values_in_the_training_and_alpha_k_afterwards(alpha: float, kept: int) -> None:
    """Makhzani and Frey 2014, algorithm 1."""
    network = network_of(Sparse(latent=8, sparsity="top-k", k=4, alpha=alpha))
    plain, x = network_of(Sparse(latent=8, sparsity="top-k", k=4)), rows_of()
    codes, whole = network.encode(x).detach(), network.layers.encode(x.seen).detach()
    for code, row in zip(codes, whole, strict=True):
        largest = sorted(range(8), key=lambda unit: -float(row[unit]))[:kept]
        assert code.nonzero().flatten().tolist() == sorted(largest)
        assert torch.equal(code[largest], row[largest])
    assert network.loss(x, step()).total.item() == plain.loss(x, step()).total.item()


# Denoising


def test_the_distortion_moves_both_codes() -> None:
    """Sanchez Giraldo: ‖f(x̃) − f(x)‖² with gradients through f(x̃) and f(x)."""
    network, x = network_of(Denoising(latent=3, hidden=(5,), distortion=2.0, level=0.5)), rows_of()
    torch.autograd.backward(network.loss(x, step()).total)
    found = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    noisy = corrupt(x.seen, "masking", 0.5, torch.Generator().manual_seed(0))

    def code(rows: Tensor) -> Tensor:
        first, second = network.layers.encoder.layers
        hidden: Tensor = second(torch.relu(first(rows)))
        return hidden

    error = (network.layers.decode(code(noisy)) - x.seen).square().sum(dim=1).mean()
    torch.autograd.backward(error + 2 * (code(noisy) - code(x.seen)).square().sum(dim=1).mean())
    for parameter, gradient in zip(network.parameters(), found, strict=True):
        torch.testing.assert_close(gradient, parameter.grad)


# Variational


def test_a_learnt_variance_has_a_floor() -> None:
    network, x = network_of(Variational(latent=2, hidden=(4,))), rows_of()
    z = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    found = []
    for log_variance in (FLOOR - 30, FLOOR - 1, FLOOR, FLOOR + 1):
        with torch.no_grad():
            network.log_variance.fill_(log_variance)
        found.append(network._nll(z, x.seen, None))
    squares = (network.decode(z) - x.seen).square().sum(dim=1)
    slow = 0.5 * (6 * (math.log(2 * math.pi) + FLOOR) + squares * math.exp(-FLOOR))
    for values in found[:3]:
        torch.testing.assert_close(values, slow)
    assert not torch.allclose(found[3], slow)


# PCA


@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_randomised_pca_takes_the_power_iterations_asked_for(iterations: int) -> None:
    """Halko, Martinsson, Tropp 2011, algorithm 4.4: with few iterations, components differ from the exact ones."""
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(80, 40)) @ np.diag(np.linspace(2, 1, 40))).astype(np.float32)
    features = Features(rows, pd.RangeIndex(80), pd.RangeIndex(40))
    spec = PCA(latent=3, scale="none", solver="randomised", oversamples=2, iterations=iterations)
    found = FeatureEncoder(spec).fit(features, run=CPU).network.state_dict()["components"].double().numpy()
    centred = (rows - rows.mean(axis=0)).astype(np.float64)
    basis = torch.randn(40, 5, dtype=torch.float64, generator=CPU.generator()).numpy()
    for _ in range(iterations + 1):
        basis = centred.T @ (centred @ np.linalg.qr(basis)[0])
    basis = np.linalg.qr(basis)[0]
    _, _, right = np.linalg.svd(centred @ basis, full_matrices=False)
    np.testing.assert_allclose(np.abs(found @ (basis @ right.T)[:, :3]), np.eye(3), atol=1e-3)
    exact = np.linalg.svd(centred, full_matrices=False)[2][:3]
    assert np.linalg.svd(found @ exact.T)[1].min() < 0.99
