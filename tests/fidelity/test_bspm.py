"""BSPM and GF-CF (without sharpening) against their filters, written out densely in float64."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae.models.bspm import BSPM, BSPMNetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run
from tests.nn.small import matrix, rows_of

Float = NDArray[np.float64]
DATA = matrix(60, 14, seed=3, density=0.3)
UNKNOWN = matrix(9, 14, seed=4)


def learnt(data: csr_matrix = DATA, **chosen: Any) -> BSPMNetwork:
    network = BSPM.paper(**{"latent": 5, **chosen}).build(Shape(*data.shape))
    assert network.learn(rows_of(data), Run(device="cpu")) == []
    return network


def scores(network: BSPMNetwork, histories: csr_matrix = UNKNOWN) -> NDArray[np.float32]:
    with torch.inference_mode():
        return network(rows_of(histories)).numpy()  # type: ignore[no-any-return]


def normalised(data: csr_matrix) -> tuple[Float, Float]:
    """Return R̃ = D_U^(-1/2) R D_I^(-1/2) and the diagonal of D_I."""
    dense = data.toarray().astype(np.float64)
    users, items = dense.sum(axis=1), dense.sum(axis=0)
    users[users == 0] = 1
    return dense / np.sqrt(users)[:, None] / np.sqrt(np.where(items > 0, items, 1)), items


def filters(data: csr_matrix, latent: int) -> tuple[Float, Float]:
    """Return P̃ and the ideal low-pass filter D^(-1/2) V Vᵀ D^(1/2), both ``(n_items, n_items)``."""
    r, items = normalised(data)
    v = np.linalg.svd(r)[2][:latent].T
    return r.T @ r, np.diag(items**-0.5) @ v @ v.T @ np.diag(items**0.5)


def runge_kutta(r: Float, p: Float, until: float, steps: int) -> Float:
    """Solve dr/dt = −r P̃ by the classical four stages."""
    h = until / steps
    for _ in range(steps):
        k1 = -r @ p
        k2 = -(r + h / 2 * k1) @ p
        k3 = -(r + h / 2 * k2) @ p
        k4 = -(r + h * k3) @ p
        r = r + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return r


def euler(r: Float, p: Float, until: float, steps: int) -> Float:
    for _ in range(steps):
        r = r - until / steps * r @ p
    return r


@pytest.mark.parametrize("latent", [1, 5, 14])
@pytest.mark.parametrize("beta", [0.0, 0.2, 1.0])
@pytest.mark.parametrize(("solver", "follow"), [("rk4", runge_kutta), ("euler", euler)])
@pytest.mark.parametrize(("until", "steps"), [(2.5, 1), (0.7, 3)])
def test_both_blurrings_are_merged_and_then_sharpened(
    latent: int, beta: float, solver: str, follow: Any, until: float, steps: int
) -> None:
    p, low = filters(DATA, latent)
    r = UNKNOWN.toarray().astype(np.float64)
    expected = follow(r @ p + beta * r @ low, p, until, steps)
    network = learnt(latent=latent, idl_beta=beta, sharpening=until, steps=steps, solver=solver)
    np.testing.assert_allclose(scores(network), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_without_sharpening_it_is_gf_cf() -> None:
    """The scores are R_u (P̃ + α D^(-1/2) V Vᵀ D^(1/2))."""
    p, low = filters(DATA, 5)
    expected = UNKNOWN.toarray().astype(np.float64) @ (p + 0.3 * low)
    for solver in ("euler", "rk4"):
        actual = scores(learnt(idl_beta=0.3, sharpening=0, solver=solver))
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5 * expected.max())


def test_many_steps_come_near_the_exponential() -> None:
    p, low = filters(DATA, 5)
    values, vectors = np.linalg.eigh(p)
    expected = UNKNOWN.toarray() @ (p + 0.2 * low) @ vectors @ np.diag(np.exp(-2.5 * values)) @ vectors.T
    near = np.abs(scores(learnt(steps=8)) - expected).max()
    far = np.abs(scores(learnt(steps=1)) - expected).max()
    assert near < 1e-4 * np.abs(expected).max() < far


def test_the_history_is_taken_as_it_is() -> None:
    """P̃ contains the lengths of the training users; the history itself is not divided by its length."""
    network = learnt()
    np.testing.assert_allclose(scores(network, csr_matrix(UNKNOWN * 3)), 3 * scores(network), rtol=1e-5)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_scale_of_the_training_values_changes_nothing(factor: float) -> None:
    """Both sums grow with the values, so that R̃ stays as it is, and D cancels."""
    expected = scores(learnt())
    actual = scores(learnt(csr_matrix(DATA * np.float32(factor))))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_the_largest_singular_value_is_1() -> None:
    network = learnt()
    assert float(network.singular[0]) == pytest.approx(1, abs=1e-6)
    assert (network.singular.diff() <= 0).all()


def test_items_are_compared_by_the_best_approximation_of_the_filter() -> None:
    p, _ = filters(DATA, 14)
    vectors = learnt(latent=14).item_vectors()
    np.testing.assert_allclose((vectors @ vectors.T).numpy(), p, rtol=1e-5, atol=1e-6)
