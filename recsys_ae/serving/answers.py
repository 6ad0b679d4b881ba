"""Recommendations for tables of histories with the ids of the caller, as an endpoint asks for them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.id_matching import match
from recsys_ae.data.parsing import listing, shown
from recsys_ae.errors import ConfigError, DataError, RecsysError
from recsys_ae.recommender.recommender import Recommender

LOGGER = logging.getLogger("recsys_ae.serving")
DEFAULTS: Mapping[str, Any] = {"k": 10, "exclude_seen": True, "allow": [], "deny": []}
"""Parameters of a request."""
USER, ITEM, ITEMS, RATING = "user", "item", "items", "rating"


@dataclass(frozen=True, eq=False)
class Histories:
    """Histories of a request: ids of the rows, input of the model, and all interactions, ``(n, n_items)``."""

    users: "pd.Index[Any]"
    liked: csr_matrix
    seen: csr_matrix
    n_unknown: int


class Answers:
    """Recommendations of a model for tables of histories.

    Parameters
    ----------
    model
        Fitted recommender.
    threshold
        Lowest rating that was a training interaction; lower ratings only exclude their items. None if there was none.
    """

    def __init__(self, model: Recommender, threshold: float | None = None) -> None:
        self.model, self.threshold = model, threshold

    @classmethod
    def of(cls, model: Recommender) -> "Answers":
        """Return the answers of a model with the threshold of its data recipe, if it has one."""
        try:
            return cls(model, model.recipe.threshold)
        except RecsysError:  # fitted on data in memory
            return cls(model)

    def table(self, frame: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return recommendations for a table of histories.

        Parameters
        ----------
        frame
            Either a row for each interaction, with the columns ``user``, ``item`` and maybe ``rating``; a user without
            an item has no history. Or a row for each user, with ``user`` and ``items``, a list. Ids have any form
            (``7``, ``"7"``, ``7.0``); items that the model does not know are counted in the log.
        params
            ``k``, the number of items; ``exclude_seen``, False to recommend items of the history, too; ``allow`` and
            ``deny``, lists of the only items to recommend, or of items not to recommend.

        Returns
        -------
        DataFrame
            For the first form ``user``, ``rank``, ``item`` and ``score``, users in the order of their first rows. For
            the second one a row for each of the table's, with ``user`` and the lists ``items`` and ``scores``. Users
            without a history get the most popular items.

        Raises
        ------
        DataError
            If a column is missing or holds other values, or the model does not know an item of ``allow`` or ``deny``.
        ConfigError
            If a parameter is unknown or out of bounds.
        """
        options = _options(params)
        _refuse_other_columns(frame)
        is_wide = ITEMS in frame
        histories = self._of_lists(frame) if is_wide else self._of_rows(frame)
        if histories.n_unknown:
            LOGGER.warning("skipped %d interactions, because the model does not know their items", histories.n_unknown)
        seen = options["exclude_seen"]
        found = self.model.recommend(
            histories.liked,
            options["k"],
            users=histories.users if self.model.knows_users else None,
            exclude_seen=seen,
            exclude=histories.seen if seen else None,
            allow=self._positions(options["allow"]),
            deny=self._positions(options["deny"]),
        )
        if not is_wide:
            return self.model.to_frame(found, histories.users)
        rows = zip(found.items, found.scores, strict=True)
        lists = [(self.model.items[items[items >= 0]].tolist(), scores[items >= 0].tolist()) for items, scores in rows]
        return pd.DataFrame(
            {
                USER: histories.users,
                ITEMS: pd.Series([items for items, _ in lists], dtype=object),
                "scores": pd.Series([scores for _, scores in lists], dtype=object),
            }
        )

    def _positions(self, ids: Sequence[Any]) -> np.ndarray | None:
        return self.model.positions(ids) if len(ids) else None

    def _of_rows(self, frame: pd.DataFrame) -> Histories:
        """Return the history of each user of a table of interactions; users are in the order of their first rows."""
        _refuse_missing(frame[USER], USER)
        rows, users = pd.factorize(frame[USER].to_numpy(dtype=object))
        has_item = frame[ITEM].notna().to_numpy(dtype=bool)
        items = frame[ITEM].to_numpy(dtype=object)[has_item]
        ratings = None
        if RATING in frame:
            ratings = self._ratings(frame[RATING])[has_item]
        return self._histories(pd.Index(users).infer_objects(), rows[has_item], items, ratings)

    def _of_lists(self, frame: pd.DataFrame) -> Histories:
        """Return the history of each row of a table of lists."""
        _refuse_missing(frame[USER], USER)
        lists = [_listed(value, row) for row, value in enumerate(frame[ITEMS])]
        rows = np.repeat(np.arange(len(lists)), [len(items) for items in lists])
        items = np.array([*(item for items in lists for item in items), None], dtype=object)[:-1]
        return self._histories(pd.Index(frame[USER].to_numpy(dtype=object)).infer_objects(), rows, items, None)

    def _histories(
        self, users: "pd.Index[Any]", rows: np.ndarray, items: np.ndarray, ratings: np.ndarray | None
    ) -> Histories:
        columns = match(self.model.items, list(items)) if len(items) else np.zeros(0, np.int64)
        known = columns >= 0
        shape = len(users), len(self.model.items)
        if ratings is None and self.model.spec.feedback == "explicit":
            raise DataError(f"{self.model.spec.name()} reads ratings; give the column {RATING}")
        values = np.ones(len(rows), np.float32) if ratings is None else ratings
        seen = _last(rows[known], columns[known], values[known], shape)
        liked = seen.copy()
        if self.threshold is not None and ratings is not None:
            liked.data = np.where(liked.data >= self.threshold, 1.0, 0.0).astype(np.float32)
            liked.eliminate_zeros()
        elif self.model.spec.feedback == "implicit" and ratings is None:
            liked.data[:] = 1.0
        return Histories(users, liked, seen, int((~known).sum()))

    def _ratings(self, column: "pd.Series[Any]") -> np.ndarray:
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float32)
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if len(wrong):
            raise DataError(f"{RATING} in row {wrong[0] + 1} is not a number: {shown(column.iloc[wrong[0]])}")
        return numbers


def _last(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> csr_matrix:
    """Return the matrix of the entries; of several for the same place the last one counts."""
    pairs = rows.astype(np.int64) * shape[1] + columns
    _, from_end = np.unique(pairs[::-1], return_index=True)
    kept = len(pairs) - 1 - from_end
    return csr_matrix((values[kept], (rows[kept], columns[kept])), shape=shape)


def _options(params: Mapping[str, Any] | None) -> dict[str, Any]:
    given = {name: value for name, value in (params or {}).items() if value is not None}
    unknown = [name for name in given if name not in DEFAULTS]
    if unknown:
        raise ConfigError(f"the parameter {unknown[0]} is unknown; expected one of {', '.join(DEFAULTS)}")
    options = {**DEFAULTS, **given}
    if isinstance(options["k"], bool) or int(options["k"]) != options["k"] or options["k"] < 1:
        raise ConfigError(f"k is {options['k']}; expected a whole number of at least 1")
    return {**options, "k": int(options["k"])}


def _refuse_other_columns(frame: pd.DataFrame) -> None:
    there = f"the columns are: {listing(frame.columns)}"
    if USER not in frame or (ITEM in frame) == (ITEMS in frame):
        raise DataError(f"expected the column {USER} and one of {ITEM} and {ITEMS}; {there}")
    if len(frame) == 0:
        raise DataError("the table has no rows")


def _refuse_missing(column: "pd.Series[Any]", name: str) -> None:
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise DataError(f"{name} in row {missing[0] + 1} is missing")


def _listed(value: Any, row: int) -> list[Any]:
    """Return the items of a row; a missing value is an empty history."""
    if isinstance(value, list | tuple | np.ndarray):
        return list(value)
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124  only NaN differs from itself
        return []
    raise DataError(f"{ITEMS} in row {row + 1} is no list: {shown(value)}")
