"""Oracle: the best possible ranking on synthetic data, from the users' true preferences."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.errors import Argument, ConfigError, DataError

CELLS = 2_000_000  # user-item pairs scored at a time; this bounds the memory
STARS = 5


@dataclass(frozen=True, eq=False)
class Truth:
    """True preferences of the users of a synthetic data set.

    Attributes
    ----------
    tastes
        Share of each taste in each user, ``(n_users, n_tastes)``; rows sum to one.
    choice
        Probabilities with which each taste picks items, ``(n_items, n_tastes)``; columns sum to one.
    suits
        Stars above the average that each taste gives to each item, ``(n_items, n_tastes)``.
    quality, leniency
        Stars that all users add for an item, ``(n_items,)``, and that a user adds for all items, ``(n_users,)``.
    noise
        Standard deviation, in stars, of a rating before it is rounded to one to five stars.
    mean
        Average rating before rounding, of an item that suits the tastes as well as the average item.
    """

    tastes: np.ndarray
    choice: np.ndarray
    suits: np.ndarray
    quality: np.ndarray
    leniency: np.ndarray
    noise: float
    mean: float

    def preferences(self, users: np.ndarray, items: np.ndarray, min_rating: float | None) -> np.ndarray:
        """Return P(item is picked) x P(rating is at least ``min_rating``), ``(n_users, n_items)``, up to a factor."""
        tastes = self.tastes[users]
        picked: np.ndarray = tastes @ self.choice[items].T
        if min_rating is not None and min_rating > 1:
            expected = self.mean + tastes @ self.suits[items].T + self.quality[items] + self.leniency[users, None]
            # Ratings are rounded to stars: a rating is at least r if it is at least r - 0.5 before rounding.
            from scipy.special import ndtr  # noqa: PLC0415  its libraries take 7 MiB in every process

            picked *= ndtr((expected - (np.ceil(min_rating) - 0.5)) / self.noise)
        return picked


class Ranking(NamedTuple):
    """Top-N lists of items, best first.

    Attributes
    ----------
    items
        Positions of the items, ``(n, k)`` int64; -1 if no item is left.
    scores
        Scores, ``(n, k)``; -inf if there is no item.
    """

    items: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True, eq=False)
class Oracle:
    """Ranker by the true preferences of some users for some items.

    Attributes
    ----------
    users, items
        Positions in ``truth`` of the rows and columns of the histories.
    min_rating
        Lowest rating that counts as a hit; None if every interaction does.
    """

    truth: Truth
    users: np.ndarray
    items: np.ndarray
    min_rating: float | None = 4.0

    def __post_init__(self) -> None:
        if self.min_rating is not None and not self.min_rating <= STARS:
            raise ConfigError(Argument("min_rating", self.min_rating), f" is above the highest rating, {STARS}")

    def recommend(self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True) -> Ranking:
        """Return the ``k`` best items for each row of the users' histories; equal scores are ordered by position."""
        if histories.shape != (len(self.users), len(self.items)):
            raise DataError(
                f"the histories have shape {histories.shape}, but the oracle is for {len(self.users):,} users and "
                f"{len(self.items):,} items; make an oracle for the users and items of the histories"
            )
        if k < 1:
            raise ConfigError(Argument("k", k), " must be at least 1")
        k = min(k, len(self.items))
        ranking = Ranking(np.empty((len(self.users), k), np.int64), np.empty((len(self.users), k)))
        step = max(1, CELLS // max(1, len(self.items)))
        for start in range(0, len(self.users), step):
            rows = slice(start, start + step)
            scores = self.truth.preferences(self.users[rows], self.items, self.min_rating).astype(np.float64)
            if exclude_seen:
                scores[histories[rows].nonzero()] = -np.inf
            ranking.items[rows], ranking.scores[rows] = best(scores, k)
        return ranking


def best(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and values of the ``k`` largest scores of each row, ties by position; -1 for scores of -inf."""
    bound = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
    rows, columns = np.nonzero(scores >= bound)
    order = np.lexsort((-scores[rows, columns], rows))
    sizes = np.bincount(rows, minlength=len(scores))
    # Ties at the k-th value give more than k entries; the stable sort has put later positions last.
    chosen = order[(np.append(0, np.cumsum(sizes)[:-1])[:, None] + np.arange(k)).ravel()]
    items, values = columns[chosen].reshape(-1, k), scores[rows[chosen], columns[chosen]].reshape(-1, k)
    return np.where(np.isneginf(values), -1, items), values
