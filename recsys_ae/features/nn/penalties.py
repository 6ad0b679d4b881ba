"""Penalties on the code of an autoencoder, means over the rows of a batch."""

import torch
from torch import Tensor

from recsys_ae.features.nn.dense import Dense, slope


def kl_sparsity(activations: Tensor, rho: float) -> Tensor:
    """Return Σ_j KL(ρ ‖ ρ̂_j) of the mean activations ρ̂_j of a batch, from 0 to 1 (Ng, "Sparse autoencoder")."""
    mean = activations.float().mean(dim=0).clamp(1e-7, 1 - 1e-7)
    return (rho * (rho / mean).log() + (1 - rho) * ((1 - rho) / (1 - mean)).log()).sum()


def l1_activity(activations: Tensor) -> Tensor:
    """Return Σ_j |h_j|, mean over rows."""
    return activations.float().abs().sum(dim=1).mean()


def top_k(code: Tensor, k: int) -> Tensor:
    """Keep the ``k`` largest values of each row and set the others to 0 (Makhzani & Frey 2014)."""
    largest = code.topk(min(k, code.shape[1]), dim=1)
    return torch.zeros_like(code).scatter(1, largest.indices, largest.values)


def encoder_distortion(code: Tensor, corrupted: Tensor) -> Tensor:
    """Return ‖f(x̃) − f(x)‖², mean over rows."""
    return (corrupted.float() - code.float()).square().sum(dim=1).mean()


def jacobian_norm(encoder: Dense, x: Tensor) -> Tensor:
    """Return ‖∂f/∂x‖²_F of a dense encoder, exactly, mean over rows (Rifai et al. 2011, eq. 6).

    For one layer this is Σ_j φ'(a_j)² Σ_i W_ji². For more layers, the Jacobian ``(n, latent, inputs)`` is computed as a
    product of matrices, from the code down to the input.
    """
    states = encoder.states(x)
    slopes = [slope(name, h) for name, h in zip(encoder.activations, states, strict=True)]
    weights = encoder.weights
    if len(weights) == 1:
        return (slopes[0].square() @ weights[0].square().sum(dim=1)).mean()
    jacobian = slopes[-1].unsqueeze(2) * weights[-1]
    for weight, below in zip(weights[-2::-1], slopes[-2::-1], strict=True):
        jacobian = (jacobian * below.unsqueeze(1)) @ weight
    return jacobian.square().sum(dim=(1, 2)).mean()


def estimated_jacobian_norm(encoder: Dense, x: Tensor, probes: int, generator: torch.Generator) -> Tensor:
    """Estimate `jacobian_norm` without bias: E‖Jᵀv‖² with v ~ N(0, I) is ‖J‖²_F (Hutchinson 1990)."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        code: Tensor = encoder(x)
        total = code.new_zeros(())
        for _ in range(probes):
            v = torch.randn(code.shape, device=code.device, generator=generator)
            (back,) = torch.autograd.grad(code, x, v, create_graph=True)
            total = total + back.square().sum(dim=1).mean()
    return total / probes
