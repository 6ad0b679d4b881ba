"""EDLAE against its objective, spelled out over all dropout masks, and against a slow loop of the low-rank updates."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import ConfigError, TrainingError
from recsys_ae.evaluation import evaluate
from recsys_ae.models.ease import EASE
from recsys_ae.models.edlae import EDLAE, _Factors
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from tests.models.blocks import BLOCKS, block_of, holdout, training_data
from tests.nn.small import matrix, rows_of

CPU = Run(device="cpu")
DATA = matrix(60, 12, seed=2, density=0.3)
DENSE = DATA.toarray().astype(np.float64)
GRAM = DENSE.T @ DENSE
OUTSIDE = ~np.eye(12, dtype=bool)


def learnt(data: csr_matrix = DATA, *, run: Run = CPU, **chosen: Any) -> Any:
    spec = EDLAE.paper(**chosen)
    network = spec.build(Shape(*data.shape))
    network.learn(rows_of(data), run)
    return network


def product(network: Any) -> NDArray[np.float64]:
    """Return U · Vᵀ."""
    return np.asarray(network.inputs.double() @ network.outputs.double().T)


# Full rank


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_without_dropout_it_is_ease_to_the_bit(dtype: Any) -> None:
    ease = EASE.paper(l2=20.0, dtype=dtype).build(Shape(*DATA.shape))
    ease.learn(rows_of(DATA), CPU)
    assert torch.equal(learnt(l2=20.0, dropout=0.0, dtype=dtype).weights, ease.weights)
    assert not torch.allclose(learnt(l2=20.0, dropout=0.1, dtype=dtype).weights, ease.weights, atol=1e-3)


@pytest.mark.parametrize(("l2", "dropout"), [(20.0, 0.5), (0.0, 0.33), (300.0, 0.9)])
def test_the_weights_minimise_the_penalised_error_under_a_diagonal_of_zero(l2: float, dropout: float) -> None:
    """The gradient of ‖X − XB‖² + Σ_ij Λ_i B_ij² vanishes outside the diagonal, Λ = λ + p/(1 − p) · diag(XᵀX)."""
    b = learnt(l2=l2, dropout=dropout).weights.double().numpy()
    penalty = l2 + dropout / (1 - dropout) * GRAM.diagonal()
    gradient = 2 * (GRAM @ b - GRAM + penalty[:, None] * b)
    np.testing.assert_allclose(gradient[OUTSIDE], 0, atol=1e-3)
    assert np.abs(gradient.diagonal()).min() > 1
    assert b.diagonal().tolist() == [0] * 12


@pytest.mark.parametrize("kind", ["ones", "ratings"])
@pytest.mark.parametrize(("l2", "dropout"), [(0.0, 0.5), (2.0, 0.25), (0.5, 0.8)])
def test_the_weights_minimise_the_expected_error_of_dropped_entries(kind: Any, l2: float, dropout: float) -> None:
    """E Σ_ui [(u, i) dropped] (x_ui − Σ_j x̃_uj B_ji)² over all 2⁵ masks, x̃ = δ ⊙ x / (1 − p): emphasis a = 1, b = 0.

    The expectation has a factor p in front of its terms, so the penalty has it too.
    """
    x = matrix(14, 5, seed=3, density=0.5, kind=kind).toarray().astype(np.float64)
    left, right = l2 * dropout * np.tile(np.eye(5), (5, 1, 1)), np.zeros((5, 5))
    for mask in itertools.product([0, 1], repeat=5):
        present = np.array(mask)
        probability = np.prod(np.where(present == 1, 1 - dropout, dropout))
        corrupted = x * present / (1 - dropout)
        for item in np.flatnonzero(present == 0):
            left[item] += probability * corrupted.T @ corrupted
            right[item] += probability * corrupted.T @ x[:, item]
    expected = np.zeros((5, 5))
    for item in range(5):
        other_items = np.delete(np.arange(5), item)
        expected[other_items, item] = np.linalg.solve(
            left[item][np.ix_(other_items, other_items)], right[item][other_items]
        )
    actual = learnt(csr_matrix(x), l2=l2, dropout=dropout).weights.numpy()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


def test_f19_the_defaults_are_those_of_the_paper_for_movielens_20m() -> None:
    assert EDLAE.paper() == EDLAE.paper(l2=300.0, dropout=0.33, rank=0, dtype="float64")


def test_f19_negative_weights_are_kept() -> None:
    assert (learnt(l2=0.5, dropout=0.1).weights < 0).sum() > 20
    assert (product(learnt(l2=0.5, dropout=0.1, rank=6)) < 0).sum() > 20


@pytest.mark.parametrize("rank", [0, 5])
def test_f21_scores_are_the_history_times_the_weights_not_their_transpose(rank: int) -> None:
    data = Interactions(DATA, pd.Index(range(60)), pd.Index(range(12)))
    model = Recommender(EDLAE.paper(l2=5.0, dropout=0.3, rank=rank)).fit(data, run=CPU)
    network: Any = model.network
    b = product(network) if rank else network.weights.double().numpy()
    history = np.eye(12)[3] + 2 * np.eye(12)[7]
    scores = model.score(csr_matrix(history[None].astype(np.float32)))[0]
    np.testing.assert_allclose(scores, history @ b, rtol=1e-4, atol=1e-6)
    assert np.abs(history @ b - b @ history).max() > 0.01


# Low rank


class SlowADMM:
    """The updates of the paper's supplement, with every matrix written out."""

    def __init__(self, l2: float, dropout: float, omega: float, u: NDArray[np.float64]) -> None:
        self.diagonal, self.u = GRAM.diagonal(), u
        self.l2, self.dropout = l2, dropout
        self.penalty = l2 + self.diagonal * dropout / (1 - dropout)
        self.strength = self.penalty + omega
        self.beta, self.gamma = np.zeros(12), np.zeros(12)

    def update(self) -> NDArray[np.float64]:
        a = GRAM + np.diag(self.penalty + self.strength)
        gg = np.array([[GRAM[i, j] * (1 + self.beta[j]) for j in range(12)] for i in range(12)])
        gg += np.diag(self.strength * (self.beta - self.gamma))
        v = (np.linalg.inv(self.u.T @ a @ self.u) @ self.u.T @ gg).T
        p = np.linalg.inv(GRAM + np.diag(self.penalty))
        self.u = p @ gg @ v @ np.linalg.inv(v.T @ v)
        product = self.u @ v.T
        d = product.diagonal()
        share = self.diagonal + self.strength - self.diagonal * self.dropout / (1 - self.dropout) - self.l2
        error = (GRAM @ product).diagonal() - self.diagonal + self.strength * (d + self.gamma)
        self.beta = np.maximum(0, error / share)
        self.gamma = self.gamma + d - self.beta
        return product


@pytest.mark.parametrize("iterations", [1, 2, 3, 6])
@pytest.mark.parametrize("omega", [0.0, 10.0])
@pytest.mark.parametrize("rank", [1, 4])
def test_the_updates_of_low_rank_are_those_of_the_recipe(iterations: int, omega: float, rank: int) -> None:
    start = 1e-4 * torch.randn(12, rank, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    slow = SlowADMM(10.0, 0.3, omega, start.numpy())
    expected = [slow.update() for _ in range(iterations)][-1]
    if omega and rank == 4 and iterations == 6:
        assert slow.beta.max() > 0.1  # so that its effect in the equations is visible
    for dtype in ("float64", "float32"):
        factors = _Factors(rows_of(DATA), EDLAE.paper(l2=10.0, dropout=0.3, omega=omega, dtype=dtype), start)
        gap = [factors.update() for _ in range(iterations)][-1]
        exact = dtype == "float64"
        np.testing.assert_allclose((factors.u @ factors.v.T).numpy(), expected, **_near(exact))
        np.testing.assert_allclose(factors.beta.numpy(), slow.beta, **_near(exact))
        np.testing.assert_allclose(factors.gamma.numpy(), slow.gamma, **_near(exact))
        np.testing.assert_allclose(gap, np.abs(expected.diagonal() - slow.beta).mean(), **_near(exact))


def _near(exact: bool) -> dict[str, Any]:
    return {"rtol": 1e-7, "atol": 1e-9} if exact else {"rtol": 1e-3, "atol": 1e-4}


def test_the_updates_start_from_small_random_numbers_of_the_runs_seed() -> None:
    start = 1e-4 * torch.randn(12, 4, dtype=torch.float64, generator=Run(seed=3, device="cpu").generator())
    slow = SlowADMM(10.0, 0.3, 10.0, start.numpy())
    expected = [slow.update() for _ in range(3)][-1]
    network = learnt(run=Run(seed=3, device="cpu"), l2=10.0, dropout=0.3, omega=10.0, rank=4, iterations=3)
    np.testing.assert_allclose(product(network), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("l2", "dropout"), [(300.0, 0.3), (100.0, 0.5), (2.0, 0.5)])
def test_low_rank_of_full_rank_becomes_the_full_rank_solution(l2: float, dropout: float) -> None:
    """With a weak constraint (omega = 0) the multiplier alone drives the diagonal to 0."""
    full = learnt(l2=l2, dropout=dropout).weights.double().numpy()
    gaps = [
        np.abs(product(learnt(l2=l2, dropout=dropout, rank=12, omega=0.0, iterations=n)) - full)[OUTSIDE].max()
        for n in (1, 3, 10)
    ]
    assert gaps[0] > 3 * gaps[1] > 9 * gaps[2]
    assert gaps[2] < 1e-3 * np.abs(full).max()


def low_rank(seed: int = 0, **chosen: Any) -> Recommender:
    data = training_data()
    spec = EDLAE.paper(**{"l2": 5.0, "omega": 5.0, "rank": 8, **chosen})
    return Recommender(spec).fit(data, valid=holdout(data), run=Run(seed=seed, device="cpu"))


def test_low_rank_learns_the_blocks_and_knows_which_items_are_alike() -> None:
    data, model = training_data(), low_rank()
    items, _ = model.recommend(holdout(data).histories, k=4)
    assert (block_of(data)[items] == np.arange(BLOCKS)[:, None]).all()
    alike, _ = model.similar(np.arange(32), k=7)
    assert (block_of(data)[alike] == block_of(data)[:, None]).mean() > 0.9


def test_item_vectors_of_low_rank_have_the_inner_products_of_full_rank() -> None:
    """Their inner products are those of the rows of U · Vᵀ."""
    network = learnt(l2=5.0, dropout=0.3, rank=5, omega=1.0)
    vectors = network.item_vectors().double().numpy()
    assert vectors.shape == (12, 5)
    np.testing.assert_allclose(vectors @ vectors.T, product(network) @ product(network).T, rtol=1e-4, atol=1e-6)


def test_the_iteration_that_is_best_on_the_validation_users_is_kept() -> None:
    data, model = training_data(), low_rank(omega=5.0, iterations=30)
    values = [measured["valid/ndcg@100"] for measured in model.history]
    report = evaluate(model, holdout(data), ["ndcg@100"], n_resamples=10)
    assert report.mean["ndcg@100"] == pytest.approx(max(values), abs=1e-12)
    assert values[-1] < max(values)


def test_without_validation_users_the_last_iteration_is_kept() -> None:
    data, chosen = training_data(), {"l2": 5.0, "omega": 5.0, "rank": 8}
    inputs = {n: learnt(data.matrix, **chosen, iterations=n).inputs for n in (1, 2, 3)}
    assert not torch.equal(inputs[1], inputs[2])
    model = Recommender(EDLAE.paper(**chosen, iterations=3)).fit(data, run=CPU)  # type: ignore[arg-type]
    assert torch.equal(model.network.state_dict()["inputs"], inputs[3])
    assert [list(measured) for measured in model.history] == [["diagonal_gap"]] * 3


def test_updates_end_where_they_begin_to_diverge() -> None:
    data, chosen = training_data(), {"l2": 50.0, "omega": 50.0, "rank": 8}
    for valid in (holdout(data), None):
        model = Recommender(EDLAE.paper(**chosen, iterations=500)).fit(data, valid=valid, run=CPU)  # type: ignore[arg-type]
        gaps = [measured["diagonal_gap"] for measured in model.history]
        assert 2 < len(gaps) < 20
        assert gaps[-1] <= 3 * min(gaps)
        items, _ = model.recommend(holdout(data).histories, k=4)
        assert (block_of(data)[items] == np.arange(BLOCKS)[:, None]).all()


def test_low_rank_comes_back_from_its_folder(tmp_path: Path) -> None:
    model, histories = low_rank(), holdout(training_data()).histories
    model.save(tmp_path / "model")
    again = Recommender.load(tmp_path / "model", device="cpu")
    assert again.spec == model.spec
    np.testing.assert_array_equal(again.score(histories), model.score(histories))
    assert again.network.state_dict().keys() == {"inputs", "outputs"}


def test_the_same_seed_gives_the_same_low_rank_model_and_another_seed_another() -> None:
    histories = holdout(training_data()).histories
    state = torch.get_rng_state()
    scores = low_rank().score(histories)
    np.testing.assert_array_equal(low_rank().score(histories), scores)
    assert not np.array_equal(low_rank(seed=1).score(histories), scores)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (4, 7)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_rank_above_that_of_the_data_is_harmless(shape: tuple[int, int], dtype: Any) -> None:
    ones = csr_matrix(np.ones(shape, np.float32))
    data = Interactions(ones, pd.Index(range(shape[0])), pd.Index(range(shape[1])))
    model = Recommender(EDLAE.paper(rank=50, dtype=dtype)).fit(data, run=CPU)
    assert model.network.state_dict()["inputs"].shape == (shape[1], min(50, shape[1]))
    assert np.isfinite(model.score(ones)).all()


@pytest.mark.parametrize("omega", [0.0, 20.0])
@pytest.mark.parametrize("rank", [0, 4])
def test_an_item_without_users_scores_zero(rank: int, omega: float) -> None:
    bare = csr_matrix(DATA.toarray() * (np.arange(12) != 5))
    data = Interactions(bare, pd.Index(range(60)), pd.Index(range(12)))
    scores = Recommender(EDLAE.paper(l2=5.0, rank=rank, omega=omega)).fit(data, run=CPU).score(bare)
    assert np.isfinite(scores).all()
    full = bare.getnnz(axis=1) > 0
    np.testing.assert_allclose(scores[full, 5], 0, atol=1e-12)
    assert (np.delete(scores[full], 5, axis=1) != 0).mean() > 0.9


@pytest.mark.parametrize("rank", [0, 2])
def test_items_that_always_occur_together_need_a_penalty_or_dropout(rank: int) -> None:
    twins = csr_matrix(np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], np.float32))
    with pytest.raises(TrainingError, match=r"l2 = 0\.0 is too small to invert the items' Gram matrix; raise it"):
        learnt(twins, l2=0.0, dropout=0.0, rank=rank)
    network = learnt(twins, l2=0.0, dropout=0.2, rank=rank, omega=0.0)
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())


def test_memory_is_one_matrix_of_all_pairs_and_the_factors() -> None:
    shape = Shape(29_858, 40_981)
    assert EDLAE.paper().memory(shape) == EASE.paper().memory(shape) == 12 * 40_981**2
    assert EDLAE.paper(dtype="float32").memory(shape) == 4 * 40_981**2
    sides = 8 * 256 * (2 * 29_858 + 8 * 40_981)
    assert EDLAE.paper(rank=256).memory(shape) == 8 * 40_981**2 + sides
    assert EDLAE.paper(rank=256, dtype="float32").memory(shape) == 4 * 40_981**2 + sides
    assert EDLAE.paper(rank=256).memory(Shape(10, 20)) == 8 * 20**2 + 8 * 20 * (2 * 10 + 8 * 20)


@pytest.mark.parametrize("name", ["user_discount", "scaling", "popularity_discount"])
def test_discounts_are_off_by_default_and_for_full_rank_only(name: str) -> None:
    assert getattr(EDLAE.paper(), name) == 0
    assert not torch.allclose(learnt(l2=20.0, **{name: 0.5}).weights, learnt(l2=20.0).weights, rtol=1e-2)
    with pytest.raises(ConfigError, match="are for full rank, not rank = 3; set them to 0, or rank = 0"):
        EDLAE.paper(rank=3, **{name: 0.5})
