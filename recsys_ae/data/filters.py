"""Explicit steps that leave interactions out; each records in ``steps`` what it removed."""

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


@dataclass(frozen=True)
class MinRating:
    """Keep the interactions rated at least ``rating``, as 1.0 each if ``binary``."""

    rating: float
    binary: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rating) and self.rating > 0):
            raise ConfigError(Argument("rating", self.rating), " must be a finite number above 0")

    def __call__(self, data: Interactions) -> Interactions:
        """Return what is left."""
        # Ratings are float32: 4.1 as such is less than 4.1.
        kept = _keep(data, data.matrix.data >= np.float32(self.rating), f"rating >= {self.rating:g}")
        if not self.binary:
            return kept
        matrix = kept.matrix.copy()
        matrix.data = np.ones_like(matrix.data)
        return dataclasses.replace(kept, matrix=matrix)


@dataclass(frozen=True)
class MinInteractions:
    """Keep users and items with at least so many interactions.

    Once: the items first, then the users with what is left (Liang et al. 2018), after which an item may have fewer
    again. With ``repeat`` both, until all that are left have enough: the (user, item)-core.
    """

    user: int = 0
    item: int = 0
    repeat: bool = False

    def __post_init__(self) -> None:
        if min(self.user, self.item) < 0 or max(self.user, self.item) == 0:
            expected = ": expected no number below 0 and at least one above 0"
            raise ConfigError(Argument("user", self.user), " and ", Argument("item", self.item), expected)

    def __call__(self, data: Interactions) -> Interactions:
        """Return what is left."""
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
    """Apply filters in their order.

    Raises
    ------
    DataError
        When nothing is left, with the filter that took the last interaction and what each one removed.
    """
    if data.nnz == 0:
        raise DataError("there are no interactions to filter")
    known = len(data.steps)
    for step in filters:
        data = step(data)
        if data.nnz == 0:
            done = data.steps[known:]
            took = next((one for one in done if one.after[0] == 0), None)
            raise DataError(
                f"no interaction is left after the filter {took.name if took else step!r}; "
                f"{'; '.join(map(str, done)) or 'it recorded no step'}"
            )
    return data


def report(data: Interactions) -> pd.DataFrame:
    """Return a table of what each step in ``data.steps`` left and removed, the source in the first row."""
    steps = data.steps or (Step("", data.counts, data.counts),)
    start = ("source", *steps[0].before, 0, 0, 0)
    rows = [
        (step.name, *step.after, *(b - a for b, a in zip(step.before, step.after, strict=True))) for step in data.steps
    ]
    kinds = ("interactions", "users", "items")
    return pd.DataFrame([start, *rows], columns=["step", *kinds, *(f"removed_{kind}" for kind in kinds)])


def _frequent(positions: np.ndarray, least: int) -> np.ndarray:
    """Return for each entry whether its value occurs at least ``least`` times."""
    frequent: np.ndarray = np.bincount(positions)[positions] >= least
    return frequent


def _keep(data: Interactions, keep: np.ndarray, name: str) -> Interactions:
    """Return the interactions where ``keep`` holds, of the users and items that have any left."""
    taken = data.take(keep)
    users = np.flatnonzero(np.diff(taken.matrix.indptr))
    items = np.flatnonzero(np.bincount(taken.matrix.indices, minlength=data.shape[1]))
    # The columns that are left keep their order, so the matrix stays canonical.
    columns = np.searchsorted(items, taken.matrix.indices)
    indptr = np.append(0, taken.matrix.indptr[1:][users])
    matrix = csr_matrix((taken.matrix.data, columns, indptr), shape=(len(users), len(items)))
    left = dataclasses.replace(taken, matrix=matrix, users=data.users[users], items=data.items[items])
    return dataclasses.replace(left, steps=(*data.steps, Step(name, data.counts, left.counts)))
