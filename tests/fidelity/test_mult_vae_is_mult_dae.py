"""Mult-VAE without its noise and its KL term is Mult-DAE."""

import pytest
import torch

from recsys_ae.models import mult_vae
from recsys_ae.models.mult_dae import MultDAE
from recsys_ae.models.mult_vae import MultVAE
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.training.steps import Step
from tests.nn.small import matrix, rows_of

LATENT = 3


def _twins(rows: Rows) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Return a Mult-DAE and a Mult-VAE whose means have the same weights.

    Only the code of Mult-DAE has a tanh; codes near 0 make that no difference.
    """
    shape = Shape(len(rows), rows.width)
    dae = MultDAE.paper(latent=LATENT, dropout=0.5).build(shape)
    vae = MultVAE.paper(latent=LATENT, hidden=(), dropout=0.5, beta=0.0).build(shape)
    with torch.no_grad():
        dae.encoder.input.weight *= 1e-3
        vae.encoder.input.weight[:, :LATENT] = dae.encoder.input.weight
        vae.encoder.input.bias[:LATENT] = dae.encoder.input.bias
        vae.decoder.load_state_dict(dae.decoder.state_dict())
    return dae, vae


def test_mult_vae_without_kl_and_noise_is_mult_dae(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(matrix(12, 9, kind="ones"))
    dae, vae = _twins(rows)
    noisy = vae.loss(rows, Step(0, 10, torch.Generator().manual_seed(4))).total
    monkeypatch.setattr(mult_vae, "gaussian_code", lambda mean, log_variance, noise: mean)
    losses = [network.loss(rows, Step(0, 10, torch.Generator().manual_seed(4))).total for network in (dae, vae)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    assert noisy.item() != pytest.approx(losses[1].item(), rel=1e-4)
    for loss in losses:
        loss.backward()
    expected, actual = dae.encoder.input.weight.grad, vae.encoder.input.weight.grad
    torch.testing.assert_close(actual[:, :LATENT], expected, rtol=1e-4, atol=1e-6)
    assert not actual[:, LATENT:].any()
    torch.testing.assert_close(vae.decoder.output.weight.grad, dae.decoder.output.weight.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(vae(rows), dae(rows), rtol=1e-4, atol=1e-6)
