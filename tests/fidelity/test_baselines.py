"""ALS, BPR and item kNN against their formulas, written out densely, and against implicit itself."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import logsumexp, softmax

from recsys_ae.models.als import ALS
from recsys_ae.models.bpr import BPR, BPRNetwork
from recsys_ae.models.item_knn import ItemKNN
from recsys_ae.nn.model import Model, Shape, Spec
from recsys_ae.nn.runtime import Run
from tests.nn.small import rows_of

Float = NDArray[np.float64]


def counts(n: int, width: int, seed: int) -> csr_matrix:
    """Return values of 0.25 to 4; nobody has the last item, and everybody something."""
    rng = np.random.default_rng(seed)
    dense = rng.choice([0.25, 0.5, 1, 2, 4], (n, width)) * (rng.random((n, width)) < 0.3)
    dense[:, 0] += dense.sum(axis=1) == 0
    dense[:, -1] = 0
    return csr_matrix(dense.astype(np.float32))


DATA, STRANGERS = counts(60, 14, seed=1), counts(9, 14, seed=2)


def learnt(spec: Spec, data: csr_matrix = DATA, **run: int) -> Model:
    network = spec.build(Shape(*data.shape))
    assert network.learn(rows_of(data), Run(device="cpu", **run)) == []  # type: ignore[arg-type]
    return network


def scores(network: Model, histories: csr_matrix) -> NDArray[np.float32]:
    with torch.inference_mode():
        return network(rows_of(histories)).numpy()  # type: ignore[no-any-return]


# ALS


def _als_user(factors: Float, values: Float, alpha: float, l2: float) -> Float:
    """(VᵀCV + λI)⁻¹ VᵀCp (Hu, Koren, Volinsky 2008, eq. 4)."""
    confidence = np.where(values != 0, np.abs(alpha * values), 1)
    preference = (values > 0).astype(np.float64)
    left = factors.T @ np.diag(confidence) @ factors + l2 * np.eye(factors.shape[1])
    return np.linalg.solve(left, factors.T @ (confidence * preference))


@pytest.mark.parametrize("alpha", [0.5, 5.0])
def test_als_solves_each_user_by_the_formula(alpha: float) -> None:
    network = learnt(ALS(latent=5, l2=0.7, alpha=alpha))
    factors = network.item_vectors().double().numpy()
    expected = [_als_user(factors, row, alpha, 0.7) for row in STRANGERS.toarray().astype(np.float64)]
    with torch.inference_mode():
        found = network.encode(rows_of(STRANGERS)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(scores(network, STRANGERS), expected @ factors.T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_als_scores_users_like_implicit(sign: int) -> None:
    """In histories a negative value is a dislike, for which implicit has rules of its own."""
    from implicit.cpu.als import AlternatingLeastSquares

    histories = STRANGERS.copy()
    histories.data[::3] *= sign
    network = learnt(ALS(latent=5, l2=0.7, alpha=3.0, iterations=6), seed=4)
    theirs = AlternatingLeastSquares(5, 0.7, 3.0, iterations=6, num_threads=1, random_state=4)
    theirs.fit(DATA, show_progress=False)
    items, expected = theirs.recommend(
        np.arange(9), histories, N=14, filter_already_liked_items=False, recalculate_user=True
    )
    found = np.take_along_axis(scores(network, histories), items.astype(np.int64), axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(network.item_vectors().numpy(), theirs.item_factors)


def test_als_ends_where_items_and_users_solve_each_other() -> None:
    """At the end of the alternation each item's factors are the solution for the users' vectors, too."""
    network = learnt(ALS(latent=3, l2=2.0, alpha=4.0, iterations=300))
    factors = network.item_vectors().double().numpy()
    table = DATA.toarray().astype(np.float64)
    users = np.array([_als_user(factors, row, 4.0, 2.0) for row in table])
    again = np.array([_als_user(users, column, 4.0, 2.0) for column in table.T])
    assert np.abs(factors).max() > 0.3
    np.testing.assert_allclose(again, factors, atol=2e-4)


# BPR


def _bpr_user(factors: Float, bias: Float, history: Float, l2: float) -> Float:
    """Return the s of the largest mean of ln softmax(Vs + b) over the history, less λ/2 ‖s‖²."""
    mean = factors[history != 0].mean(axis=0)

    def loss(s: Float) -> tuple[float, Float]:
        logits = factors @ s + bias
        value = logsumexp(logits) - s @ mean - bias[history != 0].mean() + l2 / 2 * s @ s
        return float(value), factors.T @ softmax(logits) - mean + l2 * s

    found: Float = minimize(loss, np.zeros(factors.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return found


@pytest.mark.parametrize("user_l2", [0.01, 0.2, 1.0])
def test_bpr_finds_the_vector_of_the_largest_likelihood(user_l2: float) -> None:
    network = learnt(BPR(latent=5, lr=0.3, iterations=60, user_l2=user_l2))
    assert isinstance(network, BPRNetwork)
    factors, bias = network.item_factors.double().numpy(), network.item_bias.double().numpy()
    assert np.linalg.norm(factors, axis=1).max() > 0.5
    expected = np.array([_bpr_user(factors, bias, row, user_l2) for row in STRANGERS.toarray()])
    with torch.inference_mode():
        found = network.encode(rows_of(STRANGERS)).numpy()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())
    np.testing.assert_allclose(scores(network, STRANGERS), expected @ factors.T + bias, atol=5e-3)


def test_bpr_has_the_items_of_implicit() -> None:
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    network = learnt(BPR(latent=5, lr=0.1, l2=0.02, iterations=7), seed=3)
    theirs = BayesianPersonalizedRanking(5, 0.1, 0.02, iterations=7, num_threads=1, random_state=3)
    theirs.fit(DATA, show_progress=False)
    assert isinstance(network, BPRNetwork)
    np.testing.assert_array_equal(network.item_factors.numpy(), theirs.item_factors[:, :5])
    np.testing.assert_array_equal(network.item_bias.numpy(), theirs.item_factors[:, 5])


def test_bpr_ranks_what_was_touched_above_what_was_not() -> None:
    """The probability that it does so, which is what its updates raise (eq. 3 and section 4.1.1), nears 1."""
    network = learnt(BPR(latent=10, lr=0.2, l2=0.0, iterations=200, user_l2=0.001))
    table, touched = scores(network, DATA), DATA.toarray() != 0
    wins = [np.mean(row[own][:, None] > row[~own]) for row, own in zip(table, touched, strict=True)]
    assert np.mean(wins) > 0.9


# Item kNN


def _similarities(data: csr_matrix, spec: ItemKNN) -> Float:
    """Return all similarities of items: dense, without neighbourhoods, and 0 on the diagonal."""
    x = data.toarray().astype(np.float64)
    n_items = x.shape[1]
    idf = np.log(n_items) - np.log(1 + (x != 0).sum(axis=1))
    if spec.weighting == "cosine":
        weighted = x
    elif spec.weighting == "tfidf":
        weighted = np.sqrt(x) * idf[:, None]
    else:
        size = 1 - spec.b + spec.b * x.sum(axis=0) / x.sum(axis=0).mean()
        with np.errstate(invalid="ignore"):
            weighted = np.nan_to_num(x * (spec.k1 + 1) / (spec.k1 * size + x)) * idf[:, None]
    if spec.weighting != "bm25":
        weighted = weighted / np.maximum(np.linalg.norm(weighted, axis=0), 1e-300)
    result: Float = weighted.T @ weighted
    np.fill_diagonal(result, 0)
    return result


def _largest(table: Float, k: int) -> Float:
    result = np.zeros_like(table)
    for row, values in enumerate(table):
        best = np.argsort(-values)[:k]
        result[row, best] = values[best]
    return result


SPECS = [
    ItemKNN(weighting="cosine"),
    ItemKNN(weighting="tfidf"),
    ItemKNN(weighting="bm25"),
    ItemKNN(weighting="bm25", k1=20.0, b=0.1),
]


@pytest.mark.parametrize("k", [1, 4, 13, 500])
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_knn_adds_up_the_largest_similarities(spec: ItemKNN, k: int) -> None:
    spec = ItemKNN(weighting=spec.weighting, neighbors=k, k1=spec.k1, b=spec.b)
    expected = STRANGERS.toarray() @ _largest(_similarities(DATA, spec), k)
    found = scores(learnt(spec), STRANGERS)
    assert (expected > 0).any()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
@pytest.mark.filterwarnings("ignore:Method expects CSR input")
def test_knn_scores_unseen_items_like_implicit(weighting: str) -> None:
    """Its K counts the item itself, which is its own nearest neighbour here; ours counts the others."""
    from implicit import nearest_neighbours as implicit

    made = {
        "cosine": implicit.CosineRecommender(K=6, num_threads=1),
        "tfidf": implicit.TFIDFRecommender(K=6, num_threads=1),
        "bm25": implicit.BM25Recommender(K=6, K1=1.2, B=0.75, num_threads=1),
    }
    theirs = made[weighting]
    theirs.fit(DATA, show_progress=False)
    assert (np.diff(theirs.similarity.toarray()[:-1].argmax(axis=1)) == 1).all()
    table = scores(learnt(ItemKNN(weighting=weighting, neighbors=5)), STRANGERS)  # type: ignore[arg-type]
    for user in range(STRANGERS.shape[0]):
        items, expected = theirs.recommend(user, STRANGERS[user], N=14)
        unseen = ~np.isin(items, STRANGERS[user].indices)
        assert unseen.any()
        np.testing.assert_allclose(table[user, items[unseen]], expected[unseen], rtol=1e-5, atol=1e-6)
