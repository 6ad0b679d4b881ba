"""Metrics beyond accuracy: compared with values by hand and with slow references."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsys_ae import metrics
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.metrics import BEYOND, Catalog, overall, per_user
from recsys_ae.metrics.catalog import HEAD
from recsys_ae.metrics.names import DEFINITIONS

N_ITEMS = 9


def sparse(rows: list[list[int]], n_items: int = N_ITEMS) -> csr_matrix:
    dense = np.zeros((len(rows), n_items), np.float32)
    for row, items in enumerate(rows):
        dense[row, items] = 1
    return csr_matrix(dense)


def cases() -> st.SearchStrategy[tuple[list[list[int]], list[list[int]], list[list[int]], list[list[int]]]]:
    """Return training rows, lists, targets and histories of some users."""
    row = st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=6)
    users = st.integers(1, 5)
    return users.flatmap(
        lambda n: st.tuples(
            st.lists(row, min_size=1, max_size=12), *(st.lists(row, min_size=n, max_size=n) for _ in range(3))
        )
    )


def array(lists: list[list[int]], k: int = 6) -> np.ndarray:
    return np.array([[*items, *[-1] * (k - len(items))] for items in lists])


def tail_of(train: list[list[int]]) -> set[int]:
    """Return the items outside the most popular ones that have 80 % of the interactions, one by one."""
    counts = [sum(item in row for row in train) for item in range(N_ITEMS)]
    order = sorted(range(N_ITEMS), key=lambda item: (-counts[item], item))
    head, seen = set(), 0
    for item in order:
        if seen < HEAD * sum(counts):
            head.add(item)
            seen += counts[item]
    return set(range(N_ITEMS)) - head


def slow(  # noqa: PLR0911  one for each metric
    kind: str, train: list[list[int]], ranked: list[int], targets: list[int], history: list[int]
) -> float:
    """Return a metric of one list by its definition."""
    counts = [sum(item in row for row in train) for item in range(N_ITEMS)]
    shares = [count / len(train) for count in counts]
    if not targets or (kind != "tail_ndcg" and not ranked):
        return math.nan
    if kind == "novelty":
        return float(np.mean([-math.log2(max(shares[item], 1 / len(train))) for item in ranked]))
    if kind == "popularity":
        return float(np.mean([shares[item] for item in ranked]))
    if kind == "popularity_lift":
        if not history:
            return math.nan
        return float(np.mean([shares[item] for item in ranked]) - np.mean([shares[item] for item in history]))
    if kind == "diversity":
        columns = sparse(train).toarray().T
        cosines = []
        for one, other in itertools.combinations(ranked, 2):
            lengths = np.linalg.norm(columns[one]) * np.linalg.norm(columns[other])
            cosines.append(columns[one] @ columns[other] / lengths if lengths else 0.0)
        return 1 - float(np.mean(cosines)) if cosines else math.nan
    tail = tail_of(train)
    wanted = set(targets) & tail
    if not wanted:
        return math.nan
    gain = sum(1 / math.log2(rank + 1) for rank, item in enumerate(ranked, start=1) if item in wanted)
    return gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(6, len(wanted)) + 1))


@settings(max_examples=150, deadline=None)
@given(cases())
def test_the_values_are_those_of_the_definitions(case: Any) -> None:
    train, lists, targets, histories = case
    kinds = ["novelty", "popularity", "popularity_lift", "diversity", "tail_ndcg"]
    measured = per_user(
        array(lists), sparse(targets), [f"{kind}@6" for kind in kinds],
        catalog=Catalog(sparse(train)), histories=sparse(histories),
    )  # fmt: skip
    for kind in kinds:
        expected = [slow(kind, train, *of_user) for of_user in zip(lists, targets, histories, strict=True)]
        np.testing.assert_allclose(measured[f"{kind}@6"], expected, rtol=1e-5, atol=1e-6, err_msg=kind)


@settings(max_examples=100, deadline=None)
@given(cases(), st.integers(1, 6))
def test_metrics_of_all_lists_are_those_of_the_definitions(case: Any, k: int) -> None:
    _, lists, _, _ = case
    measured = overall(array(lists), N_ITEMS, [f"coverage@{k}", f"gini@{k}"])
    counts = [sum(item in items[:k] for items in lists) for item in range(N_ITEMS)]
    assert measured[f"coverage@{k}"] == sum(count > 0 for count in counts) / N_ITEMS
    total = sum(counts)
    differences = sum(abs(one - other) for one in counts for other in counts)
    expected = differences / (2 * N_ITEMS * total) * N_ITEMS / (N_ITEMS - 1) if total else 0.0
    assert measured[f"gini@{k}"] == pytest.approx(expected)


def test_a_list_by_hand() -> None:
    train = [[0, 1], [0, 2], [0, 1], [0]]
    lists, targets, histories = [[1, 0]], [[2]], [[0]]
    catalog = Catalog(sparse(train))
    measured = per_user(
        array(lists), sparse(targets), ["novelty@2", "popularity@2", "popularity_lift@2", "diversity@2", "novelty@1"],
        catalog=catalog, histories=sparse(histories),
    )  # fmt: skip
    assert {name: values.item() for name, values in measured.items()} == pytest.approx(
        {"novelty@2": 0.5, "popularity@2": 0.75, "popularity_lift@2": -0.25, "novelty@1": 1.0,
         "diversity@2": 1 - 2 / math.sqrt(8)}
    )  # fmt: skip
    assert catalog.tail.tolist() == [False, False, *[True] * 7]


def test_a_cut_off_counts_in_every_metric_and_training_data_change_no_accuracy() -> None:
    train, lists, targets, histories = (
        sparse([[0, 1], [0, 2], [0, 1], [0]]),
        array([[1, 0, 2]]),
        sparse([[0]]),
        sparse([[0]]),
    )
    names = ["popularity@1", "popularity_lift@1", "ndcg@1", "ndcg@2"]
    measured = per_user(lists, targets, names, catalog=Catalog(train), histories=histories)
    assert measured["popularity@1"].tolist() == [0.5]
    assert measured["popularity_lift@1"].tolist() == [-0.5]
    accuracy = per_user(lists, targets, ["ndcg@1", "ndcg@2"])
    assert {name: measured[name].tolist() for name in accuracy} == {name: accuracy[name].tolist() for name in accuracy}


def test_lists_of_one_item_have_no_diversity_and_all_alike_have_none() -> None:
    train = sparse([[0, 1], [0, 1]])
    measured = per_user(array([[0], [0, 1]]), sparse([[1], [2]]), ["diversity@6"], catalog=Catalog(train))
    np.testing.assert_allclose(measured["diversity@6"], [math.nan, 0.0], atol=1e-6)


def test_given_vectors_decide_what_is_alike() -> None:
    vectors = np.zeros((N_ITEMS, 2), np.float32)
    vectors[[0, 1]], vectors[2] = [3, 0], [0, 5]
    catalog = Catalog(sparse([[0]]), vectors)
    measured = per_user(array([[0, 1], [0, 2], [0, 5]]), sparse([[1]] * 3), ["diversity@6"], catalog=catalog)
    np.testing.assert_allclose(measured["diversity@6"], [0, 1, 1], atol=1e-6)
    with pytest.raises(DataError, match="expected a row for each of the 9 items"):
        Catalog(sparse([[0]]), vectors[:4])


def test_projections_have_nearly_the_cosines_of_the_columns() -> None:
    generator = np.random.default_rng(0)
    dense = (generator.random((3000, N_ITEMS)) < generator.random(N_ITEMS) * 0.5).astype(np.float32)
    dense[:, 1] = dense[:, 0]
    vectors = Catalog(csr_matrix(dense)).vectors
    lengths = np.linalg.norm(dense, axis=0)
    exact = dense.T @ dense / np.outer(lengths, lengths)
    assert np.abs(vectors @ vectors.T - exact).max() < 0.35
    assert np.abs((vectors @ vectors.T - exact).mean()) < 0.05
    assert vectors[0] @ vectors[1] == pytest.approx(1, abs=1e-5)


def test_up_to_128_users_the_cosines_are_exact() -> None:
    dense = (np.random.default_rng(0).random((128, N_ITEMS)) < 0.3).astype(np.float32)
    vectors = Catalog(csr_matrix(dense)).vectors
    np.testing.assert_allclose(vectors, (dense / np.linalg.norm(dense, axis=0)).T, rtol=1e-6)


def test_projections_use_every_user_and_are_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics.catalog, "BLOCK", 100)
    dense = np.zeros((2000, N_ITEMS), np.float32)
    dense[0, 0] = dense[-1, 1] = dense[150, 2] = 1
    vectors = Catalog(csr_matrix(dense)).vectors
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0, 0, 0, 0, 0, 0], rtol=1e-5)
    np.testing.assert_array_equal(vectors, Catalog(csr_matrix(dense)).vectors)


@pytest.mark.parametrize("name", [*BEYOND, "map_all@7"])
def test_every_metric_has_a_name_and_a_definition(name: str) -> None:
    kind = metrics.parse(name).kind
    assert DEFINITIONS[kind].startswith(f"{kind}@k = ")
    assert f"``{kind}@k``" in (metrics.__doc__ or "")
    assert not metrics.smaller_is_better(name)


@pytest.mark.parametrize(
    ("names", "given", "said"),
    [
        (["novelty@3"], {}, "metric 'novelty@3' needs the training data; give them as catalog"),
        (["popularity_lift@3"], {"catalog": Catalog(sparse([[0]]))}, "needs the histories of the users"),
        (["coverage@3"], {}, "metric 'coverage@3' is of all lists together"),
        (["rmse"], {}, "metric 'rmse' needs predicted ratings"),
        (["novelti@3"], {}, "did you mean 'novelty'"),
        (["diversity"], {}, "needs a whole number as its cut-off"),
    ],
)
def test_what_cannot_be_measured_is_said(names: list[str], given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        per_user(array([[0, 1, 2]]), sparse([[1]]), names, **given)


def test_metrics_of_each_user_are_not_of_all_together() -> None:
    with pytest.raises(ConfigError, match="'ndcg@3' has a value for each user; compute it with per_user"):
        overall(array([[0]]), N_ITEMS, ["ndcg@3"])


def test_an_item_that_all_lists_share_has_the_whole_index() -> None:
    measured = overall(np.zeros((7, 1), int), N_ITEMS, ["gini@1", "coverage@1"])
    assert measured == {"gini@1": 1.0, "coverage@1": 1 / N_ITEMS}
    everything = overall(np.arange(N_ITEMS)[:, None], N_ITEMS, ["gini@1", "coverage@1"])
    assert everything == {"gini@1": 0.0, "coverage@1": 1.0}


def test_one_item_and_two_items() -> None:
    assert overall(np.zeros((3, 1), int), 1, ["coverage@1", "gini@1"]) == {"coverage@1": 1.0, "gini@1": 0.0}
    assert overall(np.array([[0], [0], [0], [1]]), 2, ["coverage@1", "gini@1"]) == {"coverage@1": 1.0, "gini@1": 0.5}
