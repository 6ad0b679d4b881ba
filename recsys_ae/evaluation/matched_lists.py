"""Top-N lists whose users and items are matched with those of a holdout."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.data.id_matching import match, mismatch, unmatched
from recsys_ae.data.inputs.id_checks import one_form
from recsys_ae.data.parsing import Ids, Series, ids, numbers, refuse, shown
from recsys_ae.data.splits.holdout import Holdout
from recsys_ae.errors import DataError
from recsys_ae.evaluation.evaluated import Evaluated

NO_TARGET = (
    "no list holds a target of its user; lists must be made from the histories of the holdout, without its targets"
)


@dataclass(frozen=True, eq=False)
class MatchedLists:
    """Rows of the lists of evaluated users, sorted by user, and for each user with the best item first.

    Attributes
    ----------
    rows
        Row of the holdout of each row's user, ``(n,)``.
    items
        Position of each row's item, ``(n,)``; beyond the known items for an unknown item, which has its own position.
    keys
        Ranks, or negative scores, ``(n,)``.
    has_ranks
        True if the keys are ranks.
    counts
        Counts of users and rows that are not evaluated, and remarks.
    """

    rows: np.ndarray
    items: np.ndarray
    keys: np.ndarray
    has_ranks: bool
    counts: dict[str, Any]

    @classmethod
    def of(cls, columns: Mapping[str, Series], holdout: Holdout, known: Ids) -> "MatchedLists":
        """Match the ids, and sort the rows of the evaluated users."""
        role = "rank" if "rank" in columns else "score"
        keys = numbers(columns[role], role)
        if role == "rank":
            refuse((keys != np.floor(keys)) | (keys < 0), columns[role], role, "is not a whole number from 0 on")
        users, user_ids, user_remark = one_form(*ids(columns["user"], "user"), "user")
        items, item_ids, item_remark = one_form(*ids(columns["item"], "item"), "item")
        rows_of_ids, positions_of_ids = match(holdout.users, user_ids), match(known, item_ids)
        for known_ids, listed, positions, noun, owner in (
            (holdout.users, user_ids, rows_of_ids, "users of the top-N lists", "the holdout"),
            (known, item_ids, positions_of_ids, "items of the top-N lists", "the training part"),
        ):
            if (positions < 0).all():
                raise DataError(unmatched(known_ids, listed, positions, noun, owner=owner))
        in_lists = np.isin(np.arange(len(holdout.users)), rows_of_ids)
        remarks = (
            *mismatch(user_ids, holdout.users, np.where(in_lists, 0, -1), "users of the holdout", owner="the table"),
            *mismatch(known, item_ids, positions_of_ids, "items of the top-N lists", owner="the training part"),
            *filter(None, (user_remark, item_remark)),
            *_of_joined(user_ids, rows_of_ids),
        )
        own_positions = np.where(positions_of_ids < 0, len(known) + np.arange(len(item_ids)), positions_of_ids)
        rows = rows_of_ids[users]
        keys = keys if role == "rank" else -keys
        order = _sorted(rows, keys)[np.count_nonzero(rows < 0) :]
        counts = {
            "other_users": int(np.count_nonzero(rows_of_ids < 0)),
            "other_rows": int(np.count_nonzero(rows < 0)),
            "missing_users": int(np.count_nonzero(~in_lists)),
            "remarks": remarks,
        }
        return cls(rows[order], own_positions[items[order]], keys[order], role == "rank", counts)

    def cut(self, evaluated: Evaluated, *, exclude_seen: bool) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the positions of the first ``k`` items of each user, and −1 for misses; also all counts."""
        n_users, n_items = evaluated.users.histories.shape
        pairs = self.rows * max(int(self.items.max()) + 1, n_items) + self.items
        histories = evaluated.users.histories
        is_seen, is_target = self._among(histories), self._among(evaluated.users.targets)
        keep = ~is_seen if exclude_seen else np.ones(len(pairs), dtype=bool)
        is_repeated = np.ones(len(pairs), dtype=bool)
        is_repeated[np.unique(pairs, return_index=True)[1]] = False
        rows = self.rows[keep]
        items = np.where(is_repeated | (self.items >= n_items), -1, self.items)[keep]
        lengths = np.bincount(rows, minlength=n_users)
        places = np.arange(len(rows)) - (np.cumsum(lengths) - lengths)[rows]
        top = np.full((n_users, evaluated.k), -1, np.int64)
        in_top = places < evaluated.k
        top[rows[in_top], places[in_top]] = items[in_top]
        available = n_items - (np.diff(histories.indptr) if exclude_seen else 0)
        has_list = np.isin(np.arange(n_users), self.rows)
        return top, {
            **self.counts,
            "remarks": (*self.counts["remarks"], *(() if is_target.any() else (NO_TARGET,))),
            "unknown_items": int(np.count_nonzero(self.items >= n_items)),
            "repeated_items": int(np.count_nonzero(is_repeated[keep])),
            "history_items": int(is_seen.sum()),
            "history_excluded": exclude_seen,
            "users_with_ties": self._users_with(self.keys[1:] == self.keys[:-1]),
            "users_with_gaps": self._users_with_gaps(),
            "short_lists": int(np.count_nonzero(has_list & (lengths < np.minimum(evaluated.k, available)))),
        }

    def _among(self, matrix: csr_matrix) -> np.ndarray:
        """Return True for each row whose user and item are an entry of a matrix with sorted indices, ``(n,)``."""
        width = max(int(self.items.max()) + 1, matrix.shape[1])
        entries = np.repeat(np.arange(matrix.shape[0]) * width, np.diff(matrix.indptr)) + matrix.indices
        if len(entries) == 0:
            return np.zeros(len(self.rows), dtype=bool)
        pairs = self.rows * width + self.items
        return np.asarray(entries[np.minimum(np.searchsorted(entries, pairs), len(entries) - 1)] == pairs)

    def _users_with(self, next_to: np.ndarray) -> int:
        """Return the number of users with two neighbouring rows under a mask, ``(n - 1,)``."""
        same_user = self.rows[1:] == self.rows[:-1]
        return len(np.unique(self.rows[1:][next_to & same_user]))

    def _users_with_gaps(self) -> int:
        if not self.has_ranks:
            return 0
        is_first = np.append(True, self.rows[1:] != self.rows[:-1])
        begins_late = self.rows[is_first & (self.keys > 1)]
        gaps = self.rows[1:][(np.diff(self.keys) > 1) & ~is_first[1:]]
        return len(np.union1d(begins_late, gaps))


def _sorted(rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the order of users, and for each user of keys; equal keys keep their order."""
    order = np.argsort(rows, kind="stable")
    same_user = np.diff(rows[order]) == 0
    # Most tables have each user's items in order; sorting by two keys would take half of the time of the evaluation.
    return order if not (same_user & (np.diff(keys[order]) < 0)).any() else np.lexsort((keys, rows))


def _of_joined(user_ids: Ids, rows: np.ndarray) -> tuple[str, ...]:
    """Return a remark if several users of the table, such as 7 and 007, are the same user of the holdout."""
    known = np.flatnonzero(rows >= 0)
    same = [known[rows[known] == row] for row in np.flatnonzero(np.bincount(rows[known]) > 1)]
    if not same:
        return ()
    pair = f"{shown(user_ids[same[0][0]])} and {shown(user_ids[same[0][1]])}"
    return (f"{len(same):,} users have several ids in the table, such as {pair}: their lists are joined",)
