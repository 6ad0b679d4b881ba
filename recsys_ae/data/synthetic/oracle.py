"""The best ranker there can be: it knows what the users of a synthetic data set really like."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.errors import Argument, ConfigError, DataError

CELLS = 2_000_000  # user-item pairs scored at a time: bounds the memory
STARS = 5


@dataclass(frozen=True, eq=False)
class Truth:
    """What the users of a synthetic data set really like.

    Attributes
    ----------
    tastes
        ``(n_users, n_tastes)``: how much of each taste a user has; rows sum to one.
    choice
        ``(n_items, n_tastes)``: how each taste picks items; columns sum to one.
    suits
        ``(n_items, n_tastes)``: how many stars above the average a taste rates an item.
    quality, leniency
        ``(n_items,)`` and ``(n_users,)``: stars that all users add for an item, and a user for all items.
    noise
        The standard deviation, in stars, of a rating before it is rounded to one to five stars.
    mean
        The average rating, before rounding, of an item that suits as well as any other.
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
            # Whole stars: a rating is at least r where the unrounded one is at least half a star below.
            from scipy.special import ndtr  # noqa: PLC0415  its libraries take 7 MiB of every process

            picked *= ndtr((expected - (np.ceil(min_rating) - 0.5)) / self.noise)
        return picked


class Ranking(NamedTuple):
    """Lists of items, best first.

    Attributes
    ----------
    items
        ``(n, k)`` int64 positions; -1 where nothing is left.
    scores
        ``(n, k)``; -inf where there is no item.
    """

    items: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True, eq=False)
class Oracle:
    """Ranks by the true preferences of some users among some items.

    Attributes
    ----------
    users, items
        Positions in the truth of the rows and columns of the histories that are asked about.
    min_rating
        The lowest rating that counts as a hit; None where every interaction does.
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
        found = Ranking(np.empty((len(self.users), k), np.int64), np.empty((len(self.users), k)))
        step = max(1, CELLS // max(1, len(self.items)))
        for start in range(0, len(self.users), step):
            rows = slice(start, start + step)
            scores = self.truth.preferences(self.users[rows], self.items, self.min_rating).astype(np.float64)
            if exclude_seen:
                scores[histories[rows].nonzero()] = -np.inf
            found.items[rows], found.scores[rows] = best(scores, k)
        return found


def best(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and values of the ``k`` largest of each row, equal ones by position; -1 for those at -inf."""
    bound = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
    rows, columns = np.nonzero(scores >= bound)
    order = np.lexsort((-scores[rows, columns], rows))
    sizes = np.bincount(rows, minlength=len(scores))
    # Where several share the k-th value there are more than k; the stable sort has put the later positions last.
    chosen = order[(np.append(0, np.cumsum(sizes)[:-1])[:, None] + np.arange(k)).ravel()]
    items, values = columns[chosen].reshape(-1, k), scores[rows[chosen], columns[chosen]].reshape(-1, k)
    return np.where(np.isneginf(values), -1, items), values
