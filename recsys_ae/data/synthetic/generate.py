"""Generator of synthetic ratings in the shape of MovieLens, with known true preferences.

Each user mixes a few latent tastes, and each taste has favourite genres and movies. User ``u`` picks item ``i`` with

    P(i | u) = sum_t tastes[u, t] * choice[t, i],    choice[t, i] ~ popularity[i] * exp(appeal[i, t]),

at most once. The rating depends on how well the item suits the taste, on its quality and on the user's leniency.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.dataset_info import Dataset
from recsys_ae.data.interactions import Ids, Interactions
from recsys_ae.data.synthetic.movie_titles import GENRES, invent_movies
from recsys_ae.data.synthetic.oracle import CELLS, STARS, Oracle, Truth
from recsys_ae.errors import ConfigError, DataError

N_TASTES = 16
CONCENTRATION = 0.08  # of the Dirichlet distribution of a user's tastes: most users have one to three
GENRE_APPEAL, OWN_APPEAL, POPULARITY = 2.5, 1.0, 0.8  # standard deviations of logarithms
MEAN_RATING, SUITS, QUALITY, LENIENCY, NOISE = 3.5, 0.15, 0.3, 0.35, 0.8  # stars; SUITS per unit of appeal
ACTIVITY, LEAST = 0.9, 20  # standard deviation of the logarithm of a user's activity; least items per user
FIRST, YEARS = 1_262_304_000, 8  # users join in the eight years from 2010-01-01 on
BLOCK = 500_000  # interactions drawn at a time; this bounds the memory
DENSE = 32  # users who pick more than 1/32 of the catalog pick from all items at once, the others one by one
ROUNDS = 12


@dataclass(frozen=True, eq=False, kw_only=True)
class Synthetic(Dataset):
    """A generated data set with its true preferences."""

    truth: Truth

    def oracle(self, users: Ids, items: Ids, min_rating: float | None = 4.0) -> Oracle:
        """Return the ranker that knows the true preferences of these users for these items.

        No model can be expected to do better on a random part of their interactions.

        Parameters
        ----------
        users, items
            Ids of the rows and columns of the histories that will be ranked.
        min_rating
            Lowest rating that counts as a hit; None if every interaction does.
        """
        rows = _positions(self.interactions.users, users, "user")
        return Oracle(self.truth, rows, _positions(self.interactions.items, items, "item"), min_rating)


def synthesize(n_users: int = 2_000, n_items: int = 600, n_interactions: int = 100_000, *, seed: int = 0) -> Synthetic:
    """Generate ratings of one to five stars, with movies and timestamps, from a seed.

    The number of interactions is within one per cent of ``n_interactions``. Each user has at least 20 if
    ``n_interactions`` allows it. Time is proportional to the number of interactions; additional memory is bounded.

    Raises
    ------
    ConfigError
        If there are fewer interactions than users, or more than a quarter of all pairs.
    """
    if min(n_users, n_items, seed + 1) < 1:
        raise ConfigError(f"n_users = {n_users}, n_items = {n_items}, seed = {seed}: expected at least 1, 1 and 0")
    if not n_users <= n_interactions <= n_users * n_items // 4:
        raise ConfigError(
            f"n_interactions = {n_interactions:,} does not fit {n_users:,} users and {n_items:,} items; expected at "
            f"least one per user, {n_users:,}, and at most a quarter of all pairs, {n_users * n_items // 4:,}"
        )
    movies, tastes, activity, draws = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(4))
    items, genres = invent_movies(n_items, movies)
    truth = _truth(n_users, genres, tastes)
    counts = _activity(n_users, n_items, n_interactions, activity)
    users = pd.Index(np.arange(1, n_users + 1))
    interactions = _draw(truth, counts, users, pd.Index(items.index.to_numpy()), draws)
    return Synthetic("sample", interactions, items, truth=truth)


def _truth(n_users: int, genres: np.ndarray, rng: np.random.Generator) -> Truth:
    n_items = len(genres)
    # In double precision, so that rounding to single gives the same numbers on every machine.
    by_genre = (genres / genres.sum(axis=1, keepdims=True)) @ rng.normal(size=(len(GENRES), N_TASTES))
    appeal = np.asarray(by_genre * (GENRE_APPEAL / by_genre.std()), np.float32)
    appeal += OWN_APPEAL * rng.standard_normal(size=(n_items, N_TASTES), dtype=np.float32)
    popularity = rng.normal(scale=POPULARITY, size=n_items).astype(np.float32)
    choice = np.exp(appeal + popularity[:, None])
    choice /= choice.sum(axis=0, dtype=np.float64)
    return Truth(
        tastes=rng.dirichlet(np.full(N_TASTES, CONCENTRATION), size=n_users).astype(np.float32),
        choice=choice,
        suits=np.float32(SUITS) * (appeal - appeal.mean(axis=0)),
        quality=rng.normal(scale=QUALITY, size=n_items).astype(np.float32),
        leniency=rng.normal(scale=LENIENCY, size=n_users).astype(np.float32),
        noise=NOISE,
        mean=MEAN_RATING,
    )


def _activity(n_users: int, n_items: int, n_interactions: int, rng: np.random.Generator) -> np.ndarray:
    """Return the number of items that each user picks, ``(n_users,)``: a floor plus a lognormal draw, at most half."""
    floor, cap = min(LEAST, n_interactions // n_users), max(1, n_items // 2)
    activity = np.exp(rng.normal(scale=ACTIVITY, size=n_users))
    n_above_floor = n_interactions - floor * n_users
    scale = n_above_floor / activity.sum()
    for _ in range(50):  # the numbers above the cap are redistributed
        counts: np.ndarray = np.minimum(floor + np.round(scale * activity), cap).astype(np.int64)
        if counts.sum() >= 0.999 * n_interactions:
            break
        scale *= n_above_floor / max(int(counts.sum()) - floor * n_users, 1)
    return counts


def _draw(truth: Truth, counts: np.ndarray, users: Ids, items: Ids, rng: np.random.Generator) -> Interactions:
    """Draw the interactions, one block of users at a time, into the arrays of the matrix."""
    n_items, ends = len(items), np.cumsum(counts)
    ratings, columns = np.empty(ends[-1], np.float32), np.empty(ends[-1], np.int32)
    times, order = np.empty(ends[-1], np.int64), np.empty(ends[-1], np.int64)
    sizes, filled = np.empty(len(counts), np.int64), 0
    # One table for all tastes: the distribution of taste t is shifted to run from t to t + 1.
    table = np.cumsum(truth.choice.T, axis=1, dtype=np.float64)
    table = (table / table[:, -1:] + np.arange(N_TASTES)[:, None]).ravel()
    start = 0
    while start < len(counts):
        n_before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, n_before + BLOCK, side="right")))
        block = np.arange(start, end)
        row, item = _pick(truth, table, block, counts[block], n_items, rng)
        span = slice(filled, filled + len(row))
        expected = _expected_rating(truth, block[row], item)
        ratings[span] = np.clip(np.rint(expected + NOISE * rng.standard_normal(len(row))), 1, STARS)
        columns[span] = item
        times[span], order[span] = _moments(row, rng)
        order[span] += filled
        sizes[block] = np.bincount(row, minlength=len(block))
        filled, start = filled + len(row), end
    indptr = np.append(0, np.cumsum(sizes))
    matrix = csr_matrix((ratings[:filled], columns[:filled], indptr), shape=(len(counts), n_items))
    return Interactions(matrix, users, items, times[:filled], order[:filled])


def _pick(
    truth: Truth, table: np.ndarray, users: np.ndarray, counts: np.ndarray, n_items: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the row in the block and the item of each pick, sorted by both; no pair is repeated."""
    dense = counts * DENSE > n_items
    keys = [_pick_one_by_one(truth, table, users, np.where(dense, 0, counts), n_items, rng)]
    step = max(1, CELLS // n_items)
    for start in range(0, int(dense.sum()), step):
        rows = np.flatnonzero(dense)[start : start + step]
        # The first exponential arrivals, with probabilities as rates, are a weighted draw without replacement.
        rates = truth.tastes[users[rows]].astype(np.float64) @ truth.choice.T.astype(np.float64)
        arrivals = np.argsort(rng.standard_exponential(rates.shape) / rates, axis=1)
        keys.append((rows[:, None] * n_items + arrivals)[np.arange(n_items) < counts[rows, None]])
    key = np.sort(np.concatenate(keys))
    return key // n_items, key % n_items


def _pick_one_by_one(
    truth: Truth, table: np.ndarray, users: np.ndarray, counts: np.ndarray, n_items: int, rng: np.random.Generator
) -> np.ndarray:
    """Pick with replacement and keep each item's first pick, until each user has enough or `ROUNDS` rounds are over."""
    mixture = np.cumsum(truth.tastes[users], axis=1, dtype=np.float64)
    mixture = (mixture / mixture[:, -1:] + np.arange(len(users))[:, None]).ravel()
    finished, key = [], np.empty(0, np.int64)
    missing = counts
    for _ in range(ROUNDS):
        row = np.repeat(np.arange(len(users)), 2 * missing)
        # One look-up in the users' tables gives the taste, one in the tastes' tables the item.
        taste = _look_up(mixture, row, N_TASTES, rng)
        fresh = row * n_items + _look_up(table, taste, n_items, rng)
        key = np.concatenate([key, fresh])
        key = key[np.argsort(key // n_items, kind="stable")]
        key = key[np.sort(np.unique(key, return_index=True)[1])]
        row = key // n_items
        n_picked = np.bincount(row, minlength=len(users))
        position = np.arange(len(key)) - (np.cumsum(n_picked) - n_picked)[row]
        key = key[position < counts[row]]
        missing = np.maximum(counts - n_picked, 0) * (n_picked > 0)
        complete = missing[key // n_items] == 0
        finished.append(key[complete])
        key = key[~complete]
        if len(key) == 0:
            break
    return np.concatenate([*finished, key])


def _look_up(table: np.ndarray, rows: np.ndarray, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one column from each of the distributions ``rows`` of a table of cumulative ones, each ``width`` wide."""
    points = rows + rng.random(len(rows))
    # In order if the table is larger than a cache, so that neighbours read the same part of it.
    order = np.argsort(points) if len(table) > 1_000_000 else slice(None)
    columns = np.empty(len(points), np.int64)
    columns[order] = np.searchsorted(table, points[order], side="right")
    # Rounding may move a number to the end of its range.
    np.clip(columns - rows * width, 0, width - 1, out=columns)
    return columns


def _expected_rating(truth: Truth, user: np.ndarray, item: np.ndarray) -> np.ndarray:
    suits = np.einsum("nt,nt->n", truth.tastes[user], truth.suits[item])
    expected: np.ndarray = truth.mean + suits + truth.quality[item] + truth.leniency[user]
    return expected


def _moments(row: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the time of each interaction in seconds since 1970, and its position when each user's are sorted by time.

    Users rate a movie every few seconds, with breaks of some weeks between sessions.
    """
    n = len(row)
    gaps = 1 + np.exp(rng.normal(3, 0.8, size=n)) + (rng.random(n) < 0.02) * rng.exponential(20 * 86_400, size=n)
    elapsed = np.cumsum(gaps.astype(np.int64))
    starts = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    lengths = np.diff(np.append(starts, n))
    joined = FIRST + rng.integers(YEARS * 365 * 86_400, size=len(starts))
    times = elapsed + np.repeat(joined - elapsed[starts], lengths)
    # The times are in order; their assignment to a user's items is random.
    order = np.empty(n, np.int64)
    order[np.lexsort((rng.random(n), row))] = np.arange(n)
    return times[order], order


def _positions(ids: Ids, requested: Ids, role: str) -> np.ndarray:
    positions = ids.get_indexer(requested)
    if (positions < 0).any():
        raise DataError(
            f"{int((positions < 0).sum()):,} {role} ids are not in this data set, such as {requested[positions < 0][0]}"
        )
    return positions
