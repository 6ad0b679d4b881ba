"""Filters of interactions by rating and by minimum counts; each records in ``steps`` what it removed."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions, Step
from recsys_ae.errors import Argument, ConfigError, DataError

Filter: TypeAlias = Callable[[Interactions], Interactions]


class NothingLeftError(DataError):
    """A filter has removed the last interaction."""


@dataclass(frozen=True)
class MinRating:
    """Keep interactions with a rating of at least ``rating``; if ``binary``, each becomes 1.0."""

    rating: float
    binary: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rating) and self.rating > 0):
            raise ConfigError(Argument("rating", self.rating), " must be a finite number above 0")

    def __call__(self, data: Interactions) -> Interactions:
        """Return the interactions that are kept."""
        # Ratings are float32, and 4.1 as float32 is less than 4.1.
        filtered = _keep(data, data.matrix.data >= np.float32(self.rating), f"rating >= {self.rating:g}")
        if not self.binary:
            return filtered
        matrix = filtered.matrix.copy()
        matrix.data = np.ones_like(matrix.data)
        return dataclasses.replace(filtered, matrix=matrix)


@dataclass(frozen=True)
class MinInteractions:
    """Keep users and items with a minimum number of interactions.

    By default each filter runs once, first on items, then on users (Liang et al. 2018); an item may then have fewer
    interactions than ``item`` again. With ``repeat`` both run until every user and item has enough: the
    (user, item)-core.
    """

    user: int = 0
    item: int = 0
    repeat: bool = False

    def __post_init__(self) -> None:
        if min(self.user, self.item) < 0 or max(self.user, self.item) == 0:
            expected = ": expected no number below 0 and at least one above 0"
            raise ConfigError(Argument("user", self.user), " and ", Argument("item", self.item), expected)

    def __call__(self, data: Interactions) -> Interactions:
        """Return the interactions that are kept."""
        if self.repeat:
            name = f"users with >= {self.user} and items with >= {self.item} interactions, repeatedly"
            return _keep(data, self._core(data), name)
        if self.item:
            data = _keep(data, _frequent(data.matrix.indices, self.item), f"items with >= {self.item} interactions")
        if self.user:
            data = _keep(data, _frequent(data.rows, self.user), f"users with >= {self.user} interactions")
        return data

    def _core(self, data: Interactions) -> np.ndarray:
        keep = np.ones(data.nnz, dtype=bool)
        rows, columns = data.rows, data.matrix.indices
        while True:
            fits = _frequent(columns, self.item) & _frequent(rows, self.user)
            if fits.all():
                return keep
            keep[keep] = fits
            rows, columns = rows[fits], columns[fits]


def apply(data: Interactions, *filters: Filter) -> Interactions:
    """Apply filters in order.

    Raises
    ------
    DataError
        If no interaction is left; the message names the filter that removed the last one, and lists all steps.
    """
    if data.nnz == 0:
        raise DataError("there are no interactions to filter")
    n_earlier_steps = len(data.steps)
    for filter_ in filters:
        data = filter_(data)
        if data.nnz == 0:
            steps = data.steps[n_earlier_steps:]
            culprit = next((step for step in steps if step.after[0] == 0), None)
            raise NothingLeftError(
                f"no interaction is left after the filter {culprit.name if culprit else filter_!r}; relax the filters "
                f"({'; '.join(map(str, steps)) or 'it recorded no step'})"
            )
    return data


def report(data: Interactions) -> pd.DataFrame:
    """Return a table of the counts that each step in ``data.steps`` left and removed; its first row is the source."""
    steps = data.steps or (Step("", data.counts, data.counts),)
    start = ("source", *steps[0].before, 0, 0, 0)
    rows = [
        (step.name, *step.after, *(b - a for b, a in zip(step.before, step.after, strict=True))) for step in data.steps
    ]
    kinds = ("interactions", "users", "items")
    return pd.DataFrame([start, *rows], columns=["step", *kinds, *(f"removed_{kind}" for kind in kinds)])


def _frequent(positions: np.ndarray, least: int) -> np.ndarray:
    """Return a mask of the entries whose value occurs at least ``least`` times."""
    frequent: np.ndarray = np.bincount(positions)[positions] >= least
    return frequent


def _keep(data: Interactions, keep: np.ndarray, name: str) -> Interactions:
    """Return the interactions under the mask ``keep``, without users and items that have none left."""
    taken = data.take(keep)
    users = np.flatnonzero(np.diff(taken.matrix.indptr))
    items = np.flatnonzero(np.bincount(taken.matrix.indices, minlength=data.shape[1]))
    # The remaining columns keep their order, so the matrix stays canonical.
    columns = np.searchsorted(items, taken.matrix.indices)
    indptr = np.append(0, taken.matrix.indptr[1:][users])
    matrix = csr_matrix((taken.matrix.data, columns, indptr), shape=(len(users), len(items)))
    filtered = dataclasses.replace(taken, matrix=matrix, users=data.users[users], items=data.items[items])
    return dataclasses.replace(filtered, steps=(*data.steps, Step(name, data.counts, filtered.counts)))
