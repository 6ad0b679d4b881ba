"""Evaluation of top-N lists that another system recommended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.id_matching import match, mismatch, unmatched
from recsys_ae.data.inputs.frames import as_frame
from recsys_ae.data.inputs.id_checks import one_form
from recsys_ae.data.parsing import Column, Ids, Series, column_of, ids, listing, numbers, refuse, shown
from recsys_ae.data.splits.holdout import Holdout
from recsys_ae.data.table_rows import Missing, refuse_missing
from recsys_ae.errors import Argument, ConfigError, DataError, UnsupportedError
from recsys_ae.evaluation.evaluated import Evaluated
from recsys_ae.evaluation.list_counts import ListCounts
from recsys_ae.evaluation.report import Report
from recsys_ae.metrics import DEFAULT, per_user, smaller_is_better

NO_TARGET = (
    "no list holds a target of its user; lists must be made from the histories of the holdout, without its targets"
)


def evaluate_lists(  # noqa: PLR0913  one argument for each column and each setting
    frame: Any,
    holdout: Holdout,
    metrics: Sequence[str] = DEFAULT,
    *,
    user: Column = "user",
    item: Column = "item",
    rank: Column | None = None,
    score: Column | None = None,
    missing: Missing = "error",
    exclude_seen: bool = True,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Evaluate the top-N lists of another system on the users and items of a holdout.

    The users and metrics are those of `evaluate`, so that the reports can be compared. Ids are matched by the rules of
    `recsys_ae.data.id_matching`: ``7``, ``"7"`` and ``7.0`` are the same id. ``report.lists`` counts what was noticed:

    - users without a list count as empty lists, and rows of other users are ignored;
    - items that are not in the training data, and repeated items, keep their places and count as misses;
    - items of the history are removed with ``exclude_seen``, and the items after them move up; otherwise they are
      misses, because a holdout has no pair in both history and targets;
    - equal ranks or scores keep the order of the table, and gaps between ranks are closed;
    - lists that end before the largest cut-off are evaluated as they are.

    Parameters
    ----------
    frame
        Table with a row for each recommended item: a DataFrame of pandas or polars, an Arrow table, or a mapping of
        names to columns.
    holdout
        Users with fold-in histories and targets, such as ``split.test``. It must know the ids of its items
        (``holdout.items``), as those of a split do.
    metrics
        Names of metrics of top-N lists.
    user, item
        Names or positions of the columns of ids.
    rank, score
        Name or position of the column of ranks, whose smallest is the best, or of scores, whose largest is the best.
        The default is the column ``rank``, else ``score``.
    missing
        Raise an error for a row without a user, item, rank or score (NaN), or skip and count such rows.
    exclude_seen, n_resamples, seed
        As for `evaluate`.

    Returns
    -------
    Report
        Metrics as those of `evaluate`, and the counts in ``report.lists``.

    Raises
    ------
    DataError
        If a column is missing or holds other values than ids or finite numbers, or if no user or no item is known.
    ConfigError
        If a metric is unknown, or both ``rank`` and ``score`` are given.
    UnsupportedError
        If rmse or mae is among the metrics.
    """
    evaluated = Evaluated.of(holdout, metrics)
    errors = list(filter(smaller_is_better, metrics))
    if errors:
        raise UnsupportedError(
            f"top-N lists hold no predicted ratings, so {', '.join(errors)} cannot be computed; choose metrics of "
            "top-N lists"
        )
    if holdout.items is None:
        raise DataError("the holdout has no ids of items; take it from a split, such as split.test, or set its items")
    columns = _columns(as_frame(frame), user, item, rank, score)
    n_rows = len(columns["user"])
    columns = _present(columns, missing)
    lists = _Lists.of(columns, evaluated.users, holdout.items)
    top, counts = lists.cut(evaluated, exclude_seen=exclude_seen)
    n_skipped = n_rows - len(columns["user"])
    return evaluated.report(
        per_user(top, evaluated.users.targets, metrics),
        exclude_seen=exclude_seen,
        n_resamples=n_resamples,
        seed=seed,
        lists=ListCounts(rows=n_rows, skipped_rows=n_skipped, **counts),
    )


def _columns(
    frame: pd.DataFrame, user: Column, item: Column, rank: Column | None, score: Column | None
) -> dict[str, Series]:
    """Return the columns of users and items, and that of ranks or scores."""
    if rank is not None and score is not None:
        raise ConfigError(Argument("rank", rank), " and ", Argument("score", score), ": expected one of them")
    if rank is None and score is None:
        rank, score = ("rank", None) if "rank" in frame else (None, "score" if "score" in frame else None)
    columns = {"user": column_of(frame, user, "user"), "item": column_of(frame, item, "item")}
    if rank is not None:
        return {**columns, "rank": column_of(frame, rank, "rank")}
    if score is None:
        raise DataError(
            "top-N lists need ranks or scores; set ",
            Argument("rank"),
            " or ",
            Argument("score"),
            f" to the name of the column; the columns are: {listing(frame.columns)}",
        )
    return {**columns, "score": column_of(frame, score, "score")}


def _present(columns: dict[str, Series], missing: Missing) -> dict[str, Series]:
    """Return the rows without missing values; raise an error for the first other row unless ``missing`` skips it."""
    if missing not in ("error", "skip"):
        raise ConfigError(Argument("missing", missing), ": expected one of error, skip")
    gaps = {role: column.isna().to_numpy(dtype=bool) for role, column in columns.items()}
    if missing == "error":
        for role, column in columns.items():
            refuse_missing(gaps[role], column, role)
    keep = ~np.any(list(gaps.values()), axis=0)
    if not keep.any():
        raise DataError(f"the top-N lists have no row with a {', '.join(columns)}; they have {len(keep):,} rows")
    return columns if keep.all() else {role: column[keep] for role, column in columns.items()}


@dataclass(frozen=True, eq=False)
class _Lists:
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
    def of(cls, columns: dict[str, Series], holdout: Holdout, known: Ids) -> "_Lists":
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
