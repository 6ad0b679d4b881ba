"""Tests of the synthetic data: shape of MovieLens, agreement with the true preferences, and the oracle."""

import re
import time

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.special import ndtr
from scipy.stats import spearmanr

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.synthetic import generate as synthetic
from recsys_ae.data.synthetic.generate import Synthetic, synthesize
from recsys_ae.data.synthetic.movie_titles import GENRES, invent_movies
from recsys_ae.data.synthetic.oracle import Oracle, Truth, best
from recsys_ae.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def sample() -> Synthetic:
    return synthesize()


def times_of(data: Interactions) -> np.ndarray:
    assert data.timestamps is not None
    return data.timestamps


def movies_of(data: Synthetic) -> pd.DataFrame:
    assert data.items is not None
    return data.items


def same(data: Synthetic, expected: Synthetic) -> bool:
    a, b = data.interactions, expected.interactions
    return (
        abs(a.matrix - b.matrix).nnz == 0
        and np.array_equal(times_of(a), times_of(b))
        and np.array_equal(a.order, b.order)
        and movies_of(data).equals(movies_of(expected))
    )


def test_the_same_seed_gives_the_same_data(sample: Synthetic) -> None:
    assert same(sample, synthesize())


def test_other_seeds_give_other_data(sample: Synthetic) -> None:
    reseeded = synthesize(seed=1)
    assert reseeded.interactions.shape == sample.interactions.shape
    assert abs(reseeded.interactions.matrix - sample.interactions.matrix).nnz > 50_000
    assert (movies_of(reseeded)["title"] != movies_of(sample)["title"]).mean() > 0.9


def test_no_global_random_state_is_touched() -> None:
    np.random.seed(7)  # noqa: NPY002 - the one to stay untouched
    expected = np.random.random(5)  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    synthesize(50, 40, 400)
    assert np.array_equal(np.random.random(5), expected)  # noqa: NPY002


@pytest.mark.parametrize(
    ("n_users", "n_items", "n_interactions"),
    [(2_000, 600, 100_000), (1, 8, 2), (30, 4, 30), (40, 40, 400), (500, 3_000, 30_000), (3_000, 100, 60_000)],
)
def test_the_sizes_asked_for_come_out(n_users: int, n_items: int, n_interactions: int) -> None:
    data = synthesize(n_users, n_items, n_interactions).interactions
    assert data.shape == (n_users, n_items)
    assert data.nnz == pytest.approx(n_interactions, rel=0.01, abs=1)
    picked = np.diff(data.matrix.indptr)
    assert picked.min() >= min(20, n_interactions // n_users)
    assert picked.max() <= max(1, n_items // 2)


def test_no_user_picks_an_item_twice_and_rows_are_sorted(sample: Synthetic) -> None:
    matrix = sample.interactions.matrix
    key = sample.interactions.rows.astype(np.int64) * matrix.shape[1] + matrix.indices
    assert (np.diff(key) > 0).all()


@pytest.mark.parametrize(("n_users", "n_items", "n"), [(2_000, 600, 1_999), (10, 20, 51), (0, 20, 5), (10, 0, 5)])
def test_sizes_that_do_not_fit_are_refused(n_users: int, n_items: int, n: int) -> None:
    with pytest.raises(ConfigError, match="expected"):
        synthesize(n_users, n_items, n)


def test_popularity_and_activity_have_long_tails(sample: Synthetic) -> None:
    popularity = np.sort(np.diff(sample.interactions.matrix.tocsc().indptr))[::-1]
    assert 0.45 < popularity[:120].sum() / popularity.sum() < 0.75
    assert popularity[0] > 20 * np.median(popularity[-150:])
    activity = np.diff(sample.interactions.matrix.indptr)
    assert activity.min() >= 20
    assert activity.mean() > 1.15 * np.median(activity)
    assert activity.max() > 5 * np.median(activity)


def test_ratings_are_whole_stars_in_the_shape_of_movielens(sample: Synthetic) -> None:
    stars, counts = np.unique(sample.interactions.matrix.data, return_counts=True)
    assert stars.tolist() == [1, 2, 3, 4, 5]
    assert counts.argmax() == 3
    assert 0.5 < counts[3:].sum() / counts.sum() < 0.7


def test_ratings_agree_with_taste_quality_and_leniency(sample: Synthetic) -> None:
    data, truth = sample.interactions, sample.truth
    users, items, stars = data.rows, data.matrix.indices, data.matrix.data
    suits = (truth.tastes[users] * truth.suits[items]).sum(axis=1)
    for cause in (suits, truth.quality[items], truth.leniency[users]):
        assert spearmanr(cause, stars).statistic > 0.15
    expected = truth.mean + suits + truth.quality[items] + truth.leniency[users]
    inside = (expected > 2.5) & (expected < 3.5)  # where few are cut off at one or five stars
    assert stars[inside].mean() == pytest.approx(expected[inside].mean(), abs=0.05)


@pytest.mark.parametrize("n_items", [30, 400])
def test_users_pick_in_proportion_to_their_preferences(n_items: int) -> None:
    """Check the probabilities on users with one pick each, for whom no item has been picked before.

    The smaller catalog is drawn at once, the larger one item by item.
    """
    data = synthesize(20_000, n_items, 20_000)
    expected = (data.truth.tastes @ data.truth.choice.T).sum(axis=0)
    shares = np.diff(data.interactions.matrix.tocsc().indptr)
    assert data.interactions.nnz == 20_000
    assert (np.abs(shares - expected) < 5 * np.sqrt(expected) + 2).all()


def test_both_ways_of_picking_draw_from_the_same_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = synthesize(4_000, 100, 40_000)
    monkeypatch.setattr(synthetic, "DENSE", 0)
    one_by_one = synthesize(4_000, 100, 40_000)
    assert np.array_equal(at_once.truth.tastes, one_by_one.truth.tastes)
    assert one_by_one.interactions.nnz == pytest.approx(40_000, rel=0.01)
    first, second = (np.diff(data.interactions.matrix.tocsc().indptr) for data in (at_once, one_by_one))
    assert abs(at_once.interactions.matrix - one_by_one.interactions.matrix).nnz > 20_000
    assert (np.abs(first - second) < 5 * np.sqrt(first + second) + 2).all()


def test_each_users_ratings_stand_together_in_the_order_of_time(sample: Synthetic) -> None:
    data = sample.interactions
    file = np.argsort(data.order)
    assert np.array_equal(np.sort(data.order), np.arange(data.nnz))
    users, times = data.rows[file], times_of(data)[file]
    assert (np.diff(users) >= 0).all()
    assert (np.diff(times)[np.diff(users) == 0] > 0).all()
    starts = times[np.append(True, np.diff(users) > 0)]
    assert starts.min() > 1_262_000_000
    assert 6 * 365 < (starts.max() - starts.min()) / 86_400 < 8 * 365


def test_time_tells_nothing_about_which_items_come_first(sample: Synthetic) -> None:
    data = sample.interactions
    popularity = np.diff(data.matrix.tocsc().indptr)[data.matrix.indices]
    file = np.argsort(data.order)
    first = file[np.append(True, np.diff(data.rows[file]) > 0)]
    assert popularity[first].mean() == pytest.approx(popularity.mean(), rel=0.25)


def test_movies_have_genres_years_and_titles_that_agree() -> None:
    movies, has = invent_movies(3_000, np.random.default_rng(0))
    assert movies.index.tolist() == list(range(1, 3_001))
    assert movies["year"].dtype == "Int64"
    assert movies["title"].is_unique
    words = {name: set((genre.adjectives + " " + genre.nouns).split()) for name, genre in GENRES.items()}
    for (title, year, genres), row in zip(movies.itertuples(index=False), has, strict=True):
        assert 1 <= len(genres) <= 3
        assert genres == tuple(np.array(list(GENRES))[row])
        assert all(GENRES[genre].first <= year <= GENRES[genre].last for genre in genres)
        assert title.endswith(f" ({year})")
        allowed = set().union(*(words[genre] for genre in genres))
        used = set(re.findall(r"[A-Z][a-z]+", title)) & set().union(*words.values())
        assert used <= allowed
    shares = pd.Series([genre for genres in movies["genres"] for genre in genres]).value_counts()
    assert shares.index[0] == "Drama"
    assert set(shares.index) == set(GENRES)


def test_users_keep_to_a_few_tastes_that_have_their_genres(sample: Synthetic) -> None:
    tastes = np.sort(sample.truth.tastes, axis=1)[:, ::-1]
    assert tastes[:, 0].mean() > 0.5
    assert tastes[:, :3].sum(axis=1).mean() > 0.9
    assert np.allclose(sample.truth.tastes.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(sample.truth.choice.sum(axis=0), 1, atol=1e-5)
    titles = movies_of(sample)["genres"]
    has = np.array([[genre in genres for genre in GENRES] for genres in titles])
    # Share of each genre in the picks of a taste, compared with its share in all picks.
    picks = (sample.truth.choice.T @ has) / (sample.interactions.matrix.astype(bool) @ has).mean(axis=0)
    assert (picks.max(axis=1) > 2 * np.median(picks, axis=1)).mean() > 0.8


def ndcg(items: np.ndarray, targets: csr_matrix) -> float:
    """Return the mean NDCG of top-N lists; N is the number of columns of ``items``."""
    rows = np.arange(len(items))[:, None]
    hits = np.where(items >= 0, targets.toarray()[rows, items], 0) > 0
    discounts = 1 / np.log2(np.arange(2, items.shape[1] + 2))
    ideal = np.append(0, np.cumsum(discounts))[np.minimum(np.diff(targets.indptr), items.shape[1])]
    return float(((hits * discounts).sum(axis=1)[ideal > 0] / ideal[ideal > 0]).mean())


def ranked(scores: np.ndarray, histories: csr_matrix, k: int = 100) -> np.ndarray:
    scores = scores.astype(float)
    scores[histories.nonzero()] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def test_popularity_a_model_and_the_oracle_stand_apart(sample: Synthetic) -> None:
    """Check that models learn from the data, but neither at once nor perfectly."""
    liked = sample.interactions.take(sample.interactions.matrix.data >= 4)
    rng = np.random.default_rng(0)
    users = rng.permutation(2_000)
    train, held = liked.select_users(users[400:]), liked.select_users(users[:200])
    target = rng.random(held.nnz) < 0.2
    histories, targets = held.take(~target).matrix, held.take(target).matrix
    matrix = (train.matrix > 0).astype(np.float64)
    inverse = np.linalg.inv((matrix.T @ matrix).toarray() + 200 * np.eye(600))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    popular = np.tile(matrix.sum(axis=0), (200, 1))
    reached = {
        "popularity": ndcg(ranked(popular, histories), targets),
        "ease": ndcg(ranked((histories > 0) @ weights, histories), targets),
        "oracle": ndcg(sample.oracle(held.users, held.items).recommend(histories, 100).items, targets),
    }
    assert 0.2 < reached["popularity"] < 0.3
    assert 0.45 < reached["oracle"] < 0.6
    assert 0.8 < reached["ease"] / reached["oracle"] < 0.95


def test_the_oracle_ranks_by_the_true_preferences(sample: Synthetic) -> None:
    data, truth = sample.interactions, sample.truth
    oracle = data.select_users(np.array([7, 3, 1_999]))
    users, items = oracle.users, data.items[::-1][:300]
    empty = csr_matrix(np.zeros((3, 300), np.float32))
    for least, bound in ((None, None), (1, None), (4.0, 3.5), (3.2, 3.5), (5, 4.5)):
        ranking = sample.oracle(users, items, least).recommend(empty, 300)
        for row, user in enumerate(users - 1):
            chosen = truth.choice[items - 1].astype(float) @ truth.tastes[user].astype(float)
            if bound is not None:
                stars = (
                    truth.mean + truth.suits[items - 1].astype(float) @ truth.tastes[user] + truth.quality[items - 1]
                )
                chosen = chosen * ndtr((stars + truth.leniency[user] - bound) / truth.noise)
            assert np.allclose(ranking.scores[row], np.sort(chosen)[::-1], rtol=1e-4)
            assert np.allclose(chosen[ranking.items[row]], ranking.scores[row], rtol=1e-4)


def test_the_oracle_leaves_out_the_seen_and_marks_empty_places(sample: Synthetic) -> None:
    data = sample.interactions
    oracle = data.select_users(np.arange(50))
    ranking = sample.oracle(oracle.users, oracle.items).recommend(oracle.matrix, 1_000)
    seen = oracle.matrix.toarray() > 0
    assert ranking.items.shape == (50, 600)
    for row in range(50):
        listed = ranking.items[row][ranking.items[row] >= 0]
        assert sorted(listed.tolist()) == np.flatnonzero(~seen[row]).tolist()
    assert np.array_equal(ranking.items < 0, np.isneginf(ranking.scores))
    everything = sample.oracle(oracle.users, oracle.items).recommend(oracle.matrix, 600, exclude_seen=False)
    assert (everything.items >= 0).all()


def test_the_oracle_answers_the_same_in_one_block_or_many(sample: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = sample.interactions.select_users(np.arange(100))
    oracle = sample.oracle(asked.users, asked.items)
    whole = oracle.recommend(asked.matrix, 20)
    monkeypatch.setattr("recsys_ae.data.synthetic.oracle.CELLS", 600 * 7)
    blocks = oracle.recommend(asked.matrix, 20)
    assert (whole.items == blocks.items).mean() > 0.999
    assert np.allclose(whole.scores, blocks.scores, rtol=1e-5)


def test_equal_scores_are_ordered_by_position() -> None:
    scores = np.array([[1.0, 2.0, 2.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0], [-np.inf, 1.0, -np.inf, -np.inf, -np.inf]])
    items, values = best(scores, 2)
    assert items.tolist() == [[1, 2], [0, 1], [1, -1]]
    assert values.tolist() == [[2, 2], [0, 0], [1, -np.inf]]
    items, _ = best(scores, 5)
    assert items.tolist() == [[1, 2, 4, 0, 3], [0, 1, 2, 3, 4], [1, -1, -1, -1, -1]]


def test_the_oracle_refuses_what_it_cannot_know(sample: Synthetic) -> None:
    data = sample.interactions
    with pytest.raises(DataError, match="1 user ids are not in this data set, such as 9999"):
        sample.oracle(pd.Index([1, 9_999]), data.items)
    with pytest.raises(DataError, match="item ids are not in this data set"):
        sample.oracle(data.users, pd.Index(["x"]))
    with pytest.raises(ConfigError, match="min_rating"):
        sample.oracle(data.users, data.items, 6)
    oracle = sample.oracle(data.users[:3], data.items)
    with pytest.raises(DataError, match="3 users"):
        oracle.recommend(data.matrix, 10)
    with pytest.raises(ConfigError, match="k = 0"):
        oracle.recommend(data.matrix[:3], 0)


def test_the_oracle_prefers_what_users_like_to_what_they_only_pick() -> None:
    truth = Truth(
        tastes=np.ones((1, 1)),
        choice=np.array([[0.6], [0.4]]),
        suits=np.array([[-1.5], [1.5]]),
        quality=np.zeros(2),
        leniency=np.zeros(1),
        noise=0.5,
        mean=3.0,
    )
    one = np.zeros(1, np.int64)
    history = csr_matrix(np.zeros((1, 2), np.float32))
    assert Oracle(truth, one, np.arange(2), None).recommend(history, 2).items.tolist() == [[0, 1]]
    assert Oracle(truth, one, np.arange(2), 4.0).recommend(history, 2).items.tolist() == [[1, 0]]


def cpu_seconds(*size: int) -> float:
    started = time.process_time()
    synthesize(*size)
    return time.process_time() - started


def test_a_million_interactions_are_as_many_with_a_long_tail() -> None:
    data = synthesize(20_000, 5_000, 1_000_000).interactions
    assert data.nnz == pytest.approx(1_000_000, rel=0.01)
    popularity = np.sort(np.diff(data.matrix.tocsc().indptr))[::-1]
    assert popularity[:1_000].sum() / popularity.sum() > 0.5


def test_ten_times_the_interactions_cost_ten_times_the_work_and_not_a_hundred() -> None:
    # Times are compared with each other, so that the speed of the machine does not matter.
    synthesize(200, 100, 2_000)
    assert cpu_seconds(20_000, 5_000, 1_000_000) < 50 * cpu_seconds(6_000, 1_600, 100_000)
