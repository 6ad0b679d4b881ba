"""AutoRec against its paper, in both orientations, and against mistakes that other packages make."""

from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recsys_ae.models.autorec import AutoRec, AutoRecNetwork, ItemNetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.training.steps import Step
from tests.nn.small import dense_of, matrix, rows_of
from tests.single_thread import single_thread  # noqa: F401

Orientation = Literal["item", "user"]
USERS, ITEMS, LATENT = 12, 17, 4

both_orientations = pytest.mark.parametrize("orientation", ["item", "user"])


def network_of(spec: AutoRec, users: int = USERS, items: int = ITEMS) -> AutoRecNetwork:
    with seeded(1):
        network = spec.build(Shape(users, items))
        # Biases near 0 would hide a missing one.
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.3)
    return network.train()


def rows_for(orientation: Orientation, users: int = USERS, items: int = ITEMS) -> Rows:
    """Return the training rows as ``learn`` passes them to the loop."""
    rows = rows_of(matrix(users, items))
    return rows.transposed() if orientation == "item" else rows


def step() -> Step:
    return Step(0, 100, torch.Generator().manual_seed(4))


def objective(
    parameters: dict[str, NDArray[np.float64]], ratings: NDArray[np.float64], l2: float, activation: str
) -> tuple[float, dict[str, NDArray[np.float64]]]:
    """Return eq. 2 and its gradients, row by row and rating by rating; unrated entries are 0.

    Σ_i ‖m_i ⊙ (r_i − (W g(V r_i + μ) + b))‖² + λ/2 (‖W‖² + ‖V‖²)
    """
    v, mu = parameters["encoder.weight"].T, parameters["encoder.bias"]
    w, b = parameters["decoder.weight"], parameters["decoder.bias"]
    value = l2 / 2 * (np.square(w).sum() + np.square(v).sum())
    of_v, of_mu, of_w, of_b = l2 * v, np.zeros_like(mu), l2 * w, np.zeros_like(b)
    for row in ratings:
        linear = v @ row + mu
        g, slope = (1 / (1 + np.exp(-linear)), None) if activation == "sigmoid" else (linear, np.ones_like(linear))
        slope = g * (1 - g) if slope is None else slope
        of_g = np.zeros_like(g)
        for column in np.flatnonzero(row):
            error = row[column] - (w[column] @ g + b[column])
            value += error**2
            of_w[column] -= 2 * error * g
            of_b[column] -= 2 * error
            of_g -= 2 * error * w[column]
        of_v += np.outer(of_g * slope, row)
        of_mu += of_g * slope
    return value, {"encoder.weight": of_v.T, "encoder.bias": of_mu, "decoder.weight": of_w, "decoder.bias": of_b}


def parameters_of(network: nn.Module) -> dict[str, NDArray[np.float64]]:
    return {name: parameter.detach().double().numpy() for name, parameter in network.named_parameters()}


def gradients_of(network: nn.Module) -> dict[str, Tensor]:
    gradients = {}
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        gradients[name] = parameter.grad.clone()
    return gradients


@both_orientations
@pytest.mark.parametrize("activation", ["sigmoid", "identity"])
@pytest.mark.parametrize("l2", [0.0, 3.0])
def test_the_loss_and_its_gradients_are_the_papers(
    orientation: Orientation, activation: Literal["sigmoid", "identity"], l2: float
) -> None:
    network = network_of(AutoRec(latent=LATENT, orientation=orientation, activation=activation, l2=l2))
    rows = rows_for(orientation)
    loss = network.loss(rows, step())
    loss.total.backward()  # type: ignore[no-untyped-call]
    value, expected = objective(parameters_of(network), dense_of(rows).astype(np.float64), l2, activation)
    assert loss.total.item() == pytest.approx(value, rel=1e-5)
    actual = gradients_of(network)
    assert actual.keys() == expected.keys()
    for name, gradient in actual.items():
        assert np.abs(expected[name]).max() > 0.1
        np.testing.assert_allclose(gradient.numpy(), expected[name], rtol=1e-4, atol=1e-4, err_msg=name)


@both_orientations
def test_the_batches_of_an_epoch_add_up_to_the_objective(orientation: Orientation) -> None:
    """The penalty is counted once in an epoch, not once in a batch."""
    network = network_of(AutoRec(latent=LATENT, orientation=orientation, l2=7.0))
    rows = rows_for(orientation)
    objective_of_all = network.loss(rows, step()).total.item()
    for size in (1, 5):
        of_batches = [
            network.loss(rows.take(batch), step()).total.item() for batch in torch.arange(len(rows)).split(size)
        ]
        assert sum(of_batches) == pytest.approx(objective_of_all, rel=1e-5)


def test_f11_l2_is_in_the_loss_and_spares_the_biases() -> None:
    """Elliot's AutoRec computes a penalty that it never adds."""
    rows = rows_for("item")
    networks = {l2: network_of(AutoRec(latent=LATENT, l2=l2)) for l2 in (0.0, 10.0)}
    for network in networks.values():
        network.loss(rows, step()).total.backward()  # type: ignore[no-untyped-call]
    free, held = (gradients_of(networks[l2]) for l2 in (0.0, 10.0))
    weights = parameters_of(networks[0.0])
    for name in free:
        pulled = 10 * torch.from_numpy(weights[name]).float() if name.endswith("weight") else torch.zeros(())
        torch.testing.assert_close(held[name] - free[name], pulled.expand_as(free[name]), rtol=1e-4, atol=1e-4)
    assert networks[10.0].weight_decay() == 0  # not a second time


@both_orientations
def test_f11_training_with_a_penalty_leaves_smaller_weights(orientation: Orientation) -> None:
    norms = []
    for l2 in (0.0, 30.0):
        network = AutoRec(latent=LATENT, orientation=orientation, l2=l2, epochs=100, lr=0.02).build(Shape(USERS, ITEMS))
        network.learn(rows_of(matrix(USERS, ITEMS)), Run(device="cpu"))
        norms.append(network.decoder.weight.norm().item() + network.encoder.weight.norm().item())
    assert norms[1] < 0.5 * norms[0]


@both_orientations
def test_f11_biases_start_near_0(orientation: Orientation) -> None:
    """The biases of Elliot's AutoRec start at 1."""
    with seeded(3):
        network = AutoRec(orientation=orientation).build(Shape(50, 70))
    for layer in (network.encoder, network.decoder):
        assert layer.bias.abs().max() <= 2e-3
        assert layer.weight.abs().max() > 0.05


def test_the_papers_size_activation_and_default_are_the_defaults() -> None:
    spec = AutoRec()
    assert (spec.orientation, spec.latent, spec.activation, spec.default) == ("item", 500, "sigmoid", 3)
    assert (spec.monitor, spec.feedback) == ("rmse", "explicit")
    shapes = {name: tuple(parameter.shape) for name, parameter in spec.build(Shape(50, 70)).named_parameters()}
    assert shapes == {
        "encoder.weight": (50, 500),
        "encoder.bias": (500,),
        "decoder.weight": (50, 500),
        "decoder.bias": (50,),
    }


@both_orientations
def test_predictions_of_unrated_entries_never_matter(orientation: Orientation) -> None:
    """Unobserved zeros are no targets: a column that no row of the batch rates may predict anything."""
    network = network_of(AutoRec(latent=LATENT, orientation=orientation, l2=0.0))
    rows = rows_for(orientation)
    some = rows.take(torch.tensor([1, 2]))
    unrated = np.setdiff1d(np.arange(rows.width), some.indices.numpy())
    assert len(unrated) > 2
    before = network.loss(some, step()).total
    with torch.no_grad():
        network.decoder.weight[unrated] = 1e6
        network.decoder.bias[unrated] = -1e6
        network.encoder.weight[unrated] = 1e6
    loss = network.loss(some, step()).total
    assert loss.item() == before.item()
    loss.backward()  # type: ignore[no-untyped-call]
    for name, gradient in gradients_of(network).items():
        if name != "encoder.bias":
            assert not gradient[unrated].any(), name
            assert gradient.any(), name


@both_orientations
def test_rows_without_ratings_add_nothing_but_their_share_of_the_penalty(orientation: Orientation) -> None:
    network = network_of(AutoRec(latent=LATENT, orientation=orientation, l2=5.0))
    rows = rows_for(orientation)
    empty = rows.take((rows.lengths == 0).nonzero().squeeze(1)[:1]) if (rows.lengths == 0).any() else None
    none = empty or rows_of(matrix(3, rows.width)).take(torch.tensor([0]))
    assert len(none.values) == 0
    loss = network.loss(none, step())
    loss.total.backward()  # type: ignore[no-untyped-call]
    squares = network.encoder.weight.square().sum() + network.decoder.weight.square().sum()
    assert loss.total.item() == pytest.approx(2.5 * squares.item() / network.n_rows, rel=1e-5)
    assert all(gradient.isfinite().all() for gradient in gradients_of(network).values())


def low_rank(users: int, items: int, rank: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(6)
    spectrum = 3.0 ** -np.arange(items)[:, None]
    dense = rng.normal(size=(users, items)) @ (spectrum * np.linalg.qr(rng.normal(size=(items, items)))[0]) * 10
    assert (np.linalg.svd(dense)[1][rank - 1] / np.linalg.svd(dense)[1][rank]) > 2
    return dense


def test_linear_autorec_of_all_ratings_spans_the_principal_subspace() -> None:
    """Without a mask and a penalty the best linear autoencoder is PCA (Baldi & Hornik 1989): mean and subspace."""
    dense = low_rank(40, 6, rank=2)
    spec = AutoRec(
        latent=2, orientation="user", activation="identity", l2=0.0, optimizer="lbfgs", lr=1.0, epochs=30, batch_size=40
    )
    with seeded(2):
        network = spec.build(Shape(40, 6))
    from scipy.sparse import csr_matrix

    history = network.learn(rows_of(csr_matrix(dense.astype(np.float32))), Run(device="cpu"))
    centred = dense - dense.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred)
    assert history[-1]["squared_error"] == pytest.approx(np.square(singular[2:]).sum(), rel=1e-3)
    actual, _ = np.linalg.qr(network.decoder.weight.detach().double().numpy())
    cosines = np.linalg.svd(actual.T @ axes[:2].T)[1]
    np.testing.assert_allclose(cosines, 1, atol=1e-4)


@pytest.fixture(scope="module")
def converged() -> tuple[ItemNetwork, Rows]:
    """I-AutoRec at its optimum, as near as float32 comes."""
    rows = rows_of(matrix(30, 20, density=0.5, seed=3))
    spec = AutoRec(latent=3, l2=2.0, optimizer="lbfgs", lr=1.0, epochs=60, batch_size=100)
    with seeded(5):
        network = spec.build(Shape(30, 20))
    network.learn(rows, Run(device="cpu"))
    assert isinstance(network, ItemNetwork)
    return network.eval(), rows


def test_at_convergence_a_training_users_ridge_solution_is_the_trained_vector(
    converged: tuple[ItemNetwork, Rows],
) -> None:
    """So unknown users get the same scores as training users."""
    network, rows = converged
    unknown = Rows(rows.indptr, rows.indices, rows.values, rows.width, torch.full((30,), -1))
    with torch.no_grad():
        trained, fitted = network.encode(rows), network.encode(unknown)
    rated = rows.lengths > 0
    assert trained[rated, :-2].norm(dim=1).min() > 0.1
    torch.testing.assert_close(fitted[rated], trained[rated], rtol=0.02, atol=0.02)


def test_a_new_users_vector_is_the_ridge_solution_on_the_items_codes(converged: tuple[ItemNetwork, Rows]) -> None:
    """(Σ z zᵀ + λ/2 I) w = Σ (r − b) z with the b that makes the residuals' mean 0."""
    network, _ = converged
    history = rows_of(matrix(9, 20, seed=8))
    unknown = Rows(history.indptr, history.indices, history.values, 20, torch.full((9,), -1))
    with torch.no_grad():
        actual = network.encode(unknown).numpy()
    codes, dense = network.codes.double().numpy(), dense_of(history)
    for row in range(9):
        items = np.flatnonzero(dense[row])
        assert actual[row, -1] == (len(items) > 0)
        if len(items) == 0:
            assert not actual[row].any()
            continue
        z, r = codes[items] - codes[items].mean(axis=0), dense[row, items]
        w = np.linalg.solve(z.T @ z + np.eye(3), z.T @ (r - r.mean()))  # a free bias centres both sides
        np.testing.assert_allclose(actual[row, :3], w, rtol=1e-3, atol=1e-4)
        assert actual[row, 3] == pytest.approx(r.mean() - codes[items].mean(axis=0) @ w, rel=1e-3)


@both_orientations
def test_predictions_are_the_papers(orientation: Orientation) -> None:
    """I-AutoRec predicts entry u of h(r_i), U-AutoRec entry i of h(r_u)."""
    rows = rows_of(matrix(USERS, ITEMS))
    network = AutoRec(latent=LATENT, orientation=orientation, l2=0.1, epochs=3, lr=0.05).build(Shape(USERS, ITEMS))
    network.learn(rows, Run(device="cpu"))
    network.eval()
    trained, ratings = parameters_of(network), dense_of(rows).astype(np.float64)
    inputs = ratings.T if orientation == "item" else ratings
    codes = 1 / (1 + np.exp(-(inputs @ trained["encoder.weight"] + trained["encoder.bias"])))
    expected = codes @ trained["decoder.weight"].T + trained["decoder.bias"]
    expected = expected.T if orientation == "item" else expected
    rated = ratings.any(axis=1)[:, None] & ratings.any(axis=0)[None]
    with torch.no_grad():
        scores = network(rows).numpy()
    np.testing.assert_allclose(scores[rated], expected[rated], rtol=1e-4, atol=1e-5)


@both_orientations
def test_f06_predictions_do_not_depend_on_mode_or_batch(orientation: Orientation) -> None:
    network = network_of(AutoRec(latent=LATENT, orientation=orientation))
    rows = rows_of(matrix(USERS, ITEMS))
    with torch.no_grad():
        of_batch = network(rows)
        assert torch.equal(network.eval()(rows), of_batch)
        alone = torch.cat([network(rows.take(torch.tensor([row]))) for row in range(USERS)])
    torch.testing.assert_close(alone, of_batch, rtol=1e-5, atol=1e-6)
