"""Metrics of top-N lists and of predicted ratings, each as its paper defines it.

h(j) is 1 if the item at rank j is a target, else 0. A user has n targets, and lists are cut after rank k:

=================  ============================================================================================
``recall@k``       hits / min(k, n): 1 is always attainable (Liang et al. 2018)
``recall_all@k``   hits / n: the share of all targets (He et al. 2020, and most others)
``precision@k``    hits / k
``ndcg@k``         sum of h(j) / log2(j + 1), divided by that of a list that begins with min(k, n) targets
``map@k``          sum of h(j) * precision@j, divided by min(k, n)
``mrr@k``          1 / rank of the first target, 0 without one
``hit@k``          1 if the list holds a target, else 0
``rmse``           root of the mean squared error of all predicted ratings; smaller is better
``mae``            mean absolute error of all predicted ratings; smaller is better
=================  ============================================================================================
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.spec.hyper import nearest

DEFAULT = ("recall@20", "recall@50", "ndcg@100")
"""Metrics that papers on implicit feedback report."""

ERRORS = ("rmse", "mae")
"""Errors of predicted ratings. They are computed over all ratings, and are not means over users."""

BLOCK = 2048
"""Users per block: their targets fit in the cache, and memory stays bounded."""


@dataclass(frozen=True)
class Metric:
    """A kind of metric and its cut-off, the rank after which lists are cut; 0 for errors of ratings."""

    kind: str
    k: int

    def __str__(self) -> str:
        return f"{self.kind}@{self.k}" if self.k else self.kind


def parse(name: str) -> Metric:
    """Parse a name such as ``"ndcg@100"`` or ``"rmse"``.

    Raises
    ------
    ConfigError
        If there is no such metric, or if its cut-off is missing, superfluous, or not a whole number from 1 on.
    """
    kind, at, k = name.partition("@")
    if kind in ERRORS:
        if at:
            raise ConfigError(f"metric {name!r} takes no cut-off; write {kind!r}")
        return Metric(kind, 0)
    if kind not in KINDS:
        names = nearest(kind, (*KINDS, *ERRORS))
        raise ConfigError(
            f"there is no metric {name!r}{names}; all but {' and '.join(ERRORS)} need a cut-off, as in 'ndcg@100'"
        )
    if not at or not re.fullmatch(r"-?[0-9]{1,9}", k):
        raise ConfigError(f"metric {name!r} needs a whole number as its cut-off, as in '{kind}@20'")
    if int(k) < 1:
        raise ConfigError(f"metric {name!r} has the cut-off {int(k)}; it must be at least 1")
    return Metric(kind, int(k))


def smaller_is_better(name: str) -> bool:
    """Return True for errors of ratings, and False for metrics of top-N lists."""
    return name in ERRORS


def per_user(top: np.ndarray, targets: csr_matrix, metrics: Sequence[str] = DEFAULT) -> dict[str, np.ndarray]:
    """Compute metrics of each user's top-N list.

    Parameters
    ----------
    top
        Item positions ``(n, k)``, best first, and -1 where the list ends early. A row holds no item twice. There must
        be as many columns as the largest cut-off, or as items.
    targets
        ``(n, n_items)``. Every stored entry is a target, whatever its value.
    metrics
        Names of metrics of lists. For errors of ratings see `errors_per_user` and `error`.

    Returns
    -------
    dict
        The values ``(n,)`` float64 of each metric, NaN for users without targets.

    Raises
    ------
    ConfigError
        If a metric is unknown or an error of ratings.
    DataError
        If ``top`` has the wrong type or shape, an item out of range, or an item twice in a row.
    """
    parsed = {name: parse(name) for name in metrics}
    for name in filter(smaller_is_better, parsed):
        raise ConfigError(f"metric {name!r} needs predicted ratings, not top-N lists; compute it with errors_per_user")
    top = np.asarray(top)
    if not targets.has_canonical_format:
        targets = targets.copy()
        targets.sum_duplicates()
    _refuse_misfits(top, targets, max((metric.k for metric in parsed.values()), default=0))
    values = {name: np.empty(len(top)) for name in parsed}
    for start in range(0, len(top), BLOCK):
        block = slice(start, min(start + BLOCK, len(top)))
        hits, counts = _hits(top[block], targets, start)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of users without targets
            for name, metric in parsed.items():
                measured = KINDS[metric.kind](hits[:, : metric.k], counts, metric.k)
                values[name][block] = np.where(counts > 0, measured, np.nan)
    return values


def errors_per_user(
    predicted: np.ndarray, targets: csr_matrix, metrics: Sequence[str] = ERRORS
) -> dict[str, np.ndarray]:
    """Compute the errors of each user's predicted ratings.

    Parameters
    ----------
    predicted
        Predicted ratings ``(m,)``, in the order of ``targets.data``.
    targets
        True ratings ``(n, n_items)``, of which ``m`` are stored.
    metrics
        ``"rmse"``, ``"mae"``, or both.

    Returns
    -------
    dict
        The errors ``(n,)`` float64 of each metric, NaN for users without targets.

    Raises
    ------
    DataError
        If there is not one finite prediction for each target.
    """
    predicted = np.asarray(predicted, np.float64)
    if predicted.shape != targets.data.shape:
        raise DataError(
            f"predicted ratings have the shape {predicted.shape}; expected ({targets.nnz},), one for each target"
        )
    bad = int(np.count_nonzero(~np.isfinite(predicted)))
    if bad:
        raise DataError(f"{bad:,} of {len(predicted):,} predicted ratings are not finite; check the model")
    difference, counts = predicted - targets.data, np.diff(targets.indptr)
    rows = np.repeat(np.arange(len(counts)), counts)
    values = {}
    for name in metrics:
        losses = np.square(difference) if name == "rmse" else np.abs(difference)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of users without targets
            mean = np.bincount(rows, losses, minlength=len(counts)) / counts
        values[name] = np.sqrt(mean) if name == "rmse" else mean
    return values


def error(name: str, predicted: np.ndarray, actual: np.ndarray) -> float:
    """Return the error ``"rmse"`` or ``"mae"`` over all ratings; both arrays are ``(m,)``."""
    difference = np.asarray(predicted, np.float64) - actual
    return float(np.sqrt(np.square(difference).mean()) if name == "rmse" else np.abs(difference).mean())


def _refuse_misfits(top: np.ndarray, targets: csr_matrix, k: int) -> None:
    n_users, n_items = targets.shape
    if top.ndim != 2 or len(top) != n_users or not np.issubdtype(top.dtype, np.integer):
        raise DataError(
            f"top-N lists have the type {top.dtype} and the shape {top.shape}; expected whole numbers of the shape "
            f"({n_users}, k), one row per user"
        )
    if top.shape[1] < min(k, n_items):
        raise DataError(f"top-N lists hold {top.shape[1]} items, too few for the cut-off {k}; recommend at least {k}")
    if top.size and not (top.min() >= -1 and top.max() < n_items):
        raise DataError(
            f"top-N lists hold item positions from {top.min()} to {top.max()}; expected -1 to {n_items - 1}"
        )


def _hits(top: np.ndarray, targets: csr_matrix, start: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the hits ``(n, k)`` bool of users from ``start`` on, and their numbers of targets ``(n,)``."""
    n, width = len(top), targets.shape[1] + 1
    bounds = targets.indptr[start : start + n + 1]
    counts = np.diff(bounds).astype(np.int64)
    # Each (row, item) becomes one number, ascending through the rows. Column 0 is for -1, which is never a target.
    entries = np.repeat(np.arange(n) * width, counts) + targets.indices[bounds[0] : bounds[-1]] + 1
    if len(entries) == 0:
        return np.zeros(top.shape, dtype=bool), counts
    recommended = np.arange(n)[:, None] * width + top + 1
    nearest_entries = np.minimum(np.searchsorted(entries, recommended), len(entries) - 1)
    hits = entries[nearest_entries] == recommended
    if (np.bincount(nearest_entries[hits], minlength=1) > 1).any():
        raise DataError("a top-N list holds an item twice, which would count as two hits; recommend each item once")
    return hits, counts


def _recall(hits: np.ndarray, counts: np.ndarray, k: int) -> np.ndarray:
    """Return hits / min(k, n), so that 1 is always attainable (Liang et al. 2018)."""
    return np.asarray(hits.sum(axis=1) / np.minimum(counts, k))


def _recall_all(hits: np.ndarray, counts: np.ndarray, _k: int) -> np.ndarray:
    """Return hits / n, the share of all targets (He et al. 2020)."""
    return np.asarray(hits.sum(axis=1) / counts)


def _precision(hits: np.ndarray, _counts: np.ndarray, k: int) -> np.ndarray:
    """Return hits / k."""
    return np.asarray(hits.sum(axis=1) / k)


def _ndcg(hits: np.ndarray, counts: np.ndarray, k: int) -> np.ndarray:
    """Return the discounted gain, sum of h(j) / log2(j + 1), over that of the best possible list."""
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.append(0.0, np.cumsum(discounts))[np.minimum(counts, k)]
    return np.asarray((hits * discounts[: hits.shape[1]]).sum(axis=1) / ideal)


def _map(hits: np.ndarray, counts: np.ndarray, k: int) -> np.ndarray:
    """Return the sum of h(j) * precision@j over min(k, n)."""
    precisions = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((hits * precisions).sum(axis=1) / np.minimum(counts, k))


def _mrr(hits: np.ndarray, _counts: np.ndarray, _k: int) -> np.ndarray:
    """Return 1 / rank of the first target, or 0 without one."""
    return np.asarray(hits.any(axis=1) / (hits.argmax(axis=1) + 1))


def _hit(hits: np.ndarray, _counts: np.ndarray, _k: int) -> np.ndarray:
    """Return 1 if the list holds a target, else 0."""
    return np.asarray(hits.any(axis=1), dtype=np.float64)


KINDS: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "recall": _recall,
    "recall_all": _recall_all,
    "ndcg": _ndcg,
    "precision": _precision,
    "map": _map,
    "mrr": _mrr,
    "hit": _hit,
}
"""Function of each kind: of the hits ``(n, k)``, the numbers of targets ``(n,)``, and k."""
