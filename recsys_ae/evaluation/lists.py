"""Evaluation of top-N lists that another system recommended."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.data.inputs.frames import as_frame
from recsys_ae.data.parsing import Column, Series, column_of, listing
from recsys_ae.data.splits.holdout import Holdout
from recsys_ae.data.table_rows import Missing, refuse_missing
from recsys_ae.errors import Argument, ConfigError, DataError, UnsupportedError
from recsys_ae.evaluation.evaluated import Evaluated
from recsys_ae.evaluation.list_counts import ListCounts
from recsys_ae.evaluation.matched_lists import MatchedLists
from recsys_ae.evaluation.report import Report
from recsys_ae.metrics import (
    DEFAULT,
    Catalog,
    is_overall,
    overall,
    per_user,
    refuse_without_catalog,
    smaller_is_better,
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
    catalog: Catalog | None = None,
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
    exclude_seen, n_resamples, seed, catalog
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
    refuse_without_catalog(metrics, catalog)
    lists, n_rows, n_skipped = _matched(frame, evaluated, (user, item, rank, score), missing)
    top, counts = lists.cut(evaluated, exclude_seen=exclude_seen)
    of_all = [name for name in metrics if is_overall(name)]
    users = evaluated.users
    of_each = [name for name in metrics if name not in of_all]
    return evaluated.report(
        per_user(top, users.targets, of_each, catalog=catalog, histories=users.histories),
        exclude_seen=exclude_seen,
        n_resamples=n_resamples,
        seed=seed,
        lists=ListCounts(rows=n_rows, skipped_rows=n_skipped, **counts),
        overall=overall(top, users.targets.shape[1], of_all),
    )


def first_items(
    frame: Any,
    holdout: Holdout,
    rows: Sequence[int],
    k: int,
    *,
    user: Column = "user",
    item: Column = "item",
    rank: Column | None = None,
    score: Column | None = None,
    missing: Missing = "error",
    exclude_seen: bool = True,
) -> np.ndarray:
    """Return the first ``k`` items of some users in the top-N lists of another system, as `evaluate_lists` reads them.

    Parameters
    ----------
    frame, user, item, rank, score, missing, exclude_seen
        As for `evaluate_lists`.
    holdout
        Users and items.
    rows
        Rows of the holdout; their users have targets.

    Returns
    -------
    np.ndarray
        Positions of the items, ``(len(rows), k)``; −1 for unknown and repeated ones and after the end of a list.
    """
    evaluated = Evaluated.of(holdout, [f"hit@{k}"])
    top, _ = _matched(frame, evaluated, (user, item, rank, score), missing)[0].cut(evaluated, exclude_seen=exclude_seen)
    places = np.cumsum(np.diff(holdout.targets.indptr) > 0) - 1
    found: np.ndarray = top[places[np.asarray(rows, np.int64)]]
    return found


def _matched(
    frame: Any, evaluated: Evaluated, places: tuple[Column, Column, Column | None, Column | None], missing: Missing
) -> tuple[MatchedLists, int, int]:
    """Return the lists of the evaluated users, and the numbers of all rows and of the skipped ones."""
    holdout = evaluated.users
    if holdout.items is None:
        raise DataError("the holdout has no ids of items; take it from a split, such as split.test, or set its items")
    columns = _columns(as_frame(frame), *places)
    n_rows = len(columns["user"])
    columns = _present(columns, missing)
    return MatchedLists.of(columns, holdout, holdout.items), n_rows, n_rows - len(columns["user"])


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
