"""ELSA against the paper's formulas, dense and in float64."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys_ae.models.elsa import ELSA, ELSANetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.training.steps import Step
from recsys_ae.ranking.rank import score_blocks
from recsys_ae.recommender.recommender import Recommender
from tests.fidelity.slow import dense64, on_the_sphere
from tests.models.blocks import training_data
from tests.nn.small import matrix, rows_of

CPU = Run(device="cpu")
DATA = matrix(12, 9, seed=4)
ROWS = rows_of(DATA)
every_loss = pytest.mark.parametrize("relu", [False, True])


def made(*, relu: bool = False, latent: int = 5, width: int = 9) -> ELSANetwork:
    with seeded(0):
        return ELSA.paper(latent=latent, relu=relu).build(Shape(12, width))


def step() -> Step:
    return Step(0, 10, torch.Generator().manual_seed(0))


def slow_output(vectors: Tensor, x: Tensor) -> Tensor:
    """Return x · (AAᵀ − I) with the rows of A at length 1."""
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    return x @ (unit @ unit.T - torch.eye(len(unit), dtype=torch.float64))


def slow_loss(vectors: Tensor, x: Tensor, *, relu: bool) -> Tensor:
    """Return ‖ŷ/‖ŷ‖ − x/‖x‖‖² / 2, mean over users; a row of zeros, without direction, counts 1, not 1/2 or 0."""
    output = slow_output(vectors, x)
    output = output.clamp_min(0) if relu else output
    full = x.norm(dim=1) > 0
    distances = (on_the_sphere(output[full]) - on_the_sphere(x[full])).square().sum(dim=1) / 2
    return (distances.sum() + (~full).sum()) / len(x)


@every_loss
def test_the_loss_and_its_gradient_are_those_of_the_paper(relu: bool) -> None:
    network = made(relu=relu)
    loss = network.loss(ROWS, step())
    torch.autograd.backward(loss.total)
    leaf = network.vectors.detach().double().requires_grad_()
    expected = slow_loss(leaf, dense64(ROWS), relu=relu)
    torch.autograd.backward(expected)
    assert loss.total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert loss.parts.keys() == {"error"}
    gradient, expected_gradient = network.vectors.grad, leaf.grad
    assert gradient is not None
    assert expected_gradient is not None
    assert expected_gradient.abs().max() > 1e-2
    torch.testing.assert_close(gradient.double(), expected_gradient, rtol=1e-4, atol=1e-6)


def test_negative_outputs_matter_to_the_loss_unless_they_are_cut_off() -> None:
    assert (made()(ROWS) < 0).any()
    losses = [made(relu=relu).loss(ROWS, step()).total.item() for relu in (False, True)]
    assert abs(losses[0] - losses[1]) > 0.01


def test_the_loss_sees_directions_only() -> None:
    """Neither the length of a row nor that of an item's vector matters."""
    network = made()
    expected = network.loss(ROWS, step()).total.item()
    assert network.loss(ROWS.with_values(ROWS.values * 7), step()).total.item() == pytest.approx(expected, rel=1e-5)
    with torch.no_grad():
        network.vectors.mul_(torch.arange(1.0, 10.0)[:, None])
    assert network.loss(ROWS, step()).total.item() == pytest.approx(expected, rel=1e-5)


@every_loss
def test_scores_are_the_dense_formula_block_by_block(relu: bool) -> None:
    """Only the loss cuts at 0: in scores, the cut would order all items with a negative score by position."""
    network = made(relu=relu)
    expected = slow_output(network.vectors.detach().double(), dense64(ROWS)).numpy()
    assert (expected < 0).any()
    np.testing.assert_allclose(network(ROWS).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    full = DATA[np.flatnonzero(DATA.getnnz(axis=1))]
    blocks = list(score_blocks(network, full, torch.zeros(9), cells=4 * full.shape[0]))
    assert [block for block, _ in blocks] == [slice(0, 4), slice(4, 8), slice(8, 9)]
    actual = np.concatenate([values.numpy() for _, values in blocks], axis=1)
    np.testing.assert_allclose(actual, expected[DATA.getnnz(axis=1) > 0], rtol=1e-4, atol=1e-5)


def test_no_item_predicts_itself() -> None:
    alone = rows_of(csr_matrix(3 * np.eye(9, dtype=np.float32)))
    scores = made()(alone).detach()
    np.testing.assert_allclose(scores.diagonal(), 0, atol=1e-6)
    assert scores.abs().max() > 0.5
    np.testing.assert_allclose(scores, scores.T, atol=1e-6)  # so a transposition would have no effect (F21)


def test_f06_scores_are_those_of_the_code_at_any_time() -> None:
    network = made().train()
    scores = network(ROWS)
    assert torch.equal(network(ROWS), scores)
    assert torch.equal(network.eval()(ROWS), scores)


def test_the_vectors_of_items_have_length_one() -> None:
    vectors = made().item_vectors().detach()
    np.testing.assert_allclose(vectors.norm(dim=1), 1, rtol=1e-6)


@every_loss
def test_rows_and_items_without_direction_are_finite(relu: bool) -> None:
    network = made(relu=relu)
    with torch.no_grad():
        network.vectors[2] = 0
    bare = rows_of(csr_matrix((3, 9), dtype=np.float32))
    itself = rows_of(csr_matrix(np.eye(9, dtype=np.float32)[2:3]))  # after the cut its output is 0
    for rows in (bare, ROWS, itself):
        network.zero_grad()
        loss = network.loss(rows, step()).total
        torch.autograd.backward(loss)
        assert loss.isfinite()
        assert network.vectors.grad is not None
        assert network.vectors.grad.isfinite().all()
    assert network.loss(bare, step()).total.item() == 1


def test_empty_rows_teach_nothing() -> None:
    gradients = []
    for rows in (ROWS, ROWS.take(ROWS.lengths.nonzero().squeeze(1))):
        network = made()
        torch.autograd.backward(network.loss(rows, step()).total * len(rows))
        assert network.vectors.grad is not None
        gradients.append(network.vectors.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_the_defaults_are_those_of_the_paper() -> None:
    spec = ELSA.paper()
    chosen: dict[str, Any] = {name: getattr(spec, name) for name in ("latent", "epochs", "batch_size", "lr", "l2")}
    assert chosen == {"latent": 800, "epochs": 10, "batch_size": 32, "lr": 0.1, "l2": 0}
    assert spec.optimizer == "nadam"
    assert not spec.relu


def test_an_epoch_is_that_of_nadam_on_the_same_batches() -> None:
    data = training_data()
    spec = ELSA.paper(latent=6, epochs=1, batch_size=20, lr=0.05)
    model = Recommender(spec).fit(data, run=Run(seed=4, device="cpu"))
    with seeded(4):
        network = spec.build(Shape(*data.shape))
    leaf = network.vectors.detach().double().requires_grad_()
    optimizer = torch.optim.NAdam([leaf], lr=0.05)
    x = torch.from_numpy(data.matrix.toarray()).double()
    for batch in torch.split(torch.randperm(60, generator=Run(seed=4, device="cpu").generator()), 20):
        optimizer.zero_grad()
        torch.autograd.backward(slow_loss(leaf, x[batch], relu=False))
        optimizer.step()
    learnt = model.network.state_dict()["vectors"]
    assert (learnt - network.vectors).abs().max() > 0.05
    torch.testing.assert_close(learnt.double(), leaf.detach(), rtol=1e-3, atol=1e-4)


def test_training_makes_the_loss_smaller() -> None:
    model = Recommender(ELSA.paper(latent=8, lr=0.01, batch_size=16)).fit(training_data(), run=CPU)
    losses = [measured["error"] for measured in model.history]
    assert losses[-1] < 0.6 * losses[0]
