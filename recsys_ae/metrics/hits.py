"""Metrics of each user's top-N list."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.errors import Argument, ConfigError, DataError
from recsys_ae.metrics import beyond
from recsys_ae.metrics.beyond import Lists
from recsys_ae.metrics.catalog import Catalog
from recsys_ae.metrics.names import DEFAULT, is_overall, needs_catalog, parse, smaller_is_better

BLOCK = 2048
"""Users per block: their targets fit in the cache, and memory stays bounded."""


def per_user(
    top: np.ndarray,
    targets: csr_matrix,
    metrics: Sequence[str] = DEFAULT,
    *,
    catalog: Catalog | None = None,
    histories: csr_matrix | None = None,
) -> dict[str, np.ndarray]:
    """Compute metrics of each user's top-N list.

    Parameters
    ----------
    top
        Item positions ``(n, k)``, best first, and -1 where the list ends early. A row holds no item twice. There must
        be as many columns as the largest cut-off, or as items.
    targets
        ``(n, n_items)``. Every stored entry is a target, whatever its value.
    metrics
        Names of metrics of lists. For errors of ratings see `errors_per_user` and `error`, for metrics of all lists
        together `overall`.
    catalog
        The items in the training data, which some metrics need.
    histories
        ``(n, n_items)``, which popularity_lift needs.

    Returns
    -------
    dict
        The values ``(n,)`` float64 of each metric, NaN for users for whom it is not defined: without targets, and for
        tail_ndcg without targets in the tail.

    Raises
    ------
    ConfigError
        If a metric is unknown, an error of ratings or of all lists together, or needs what is not given.
    DataError
        If ``top`` has the wrong type or shape, an item out of range, or an item twice in a row.
    """
    parsed = {name: parse(name) for name in metrics}
    _refuse_others(metrics, histories)
    refuse_without_catalog(metrics, catalog)
    top = np.asarray(top)
    if not targets.has_canonical_format:
        targets = targets.copy()
        targets.sum_duplicates()
    _refuse_misfits(top, targets, max((metric.k for metric in parsed.values()), default=0))
    values = {name: np.empty(len(top)) for name in parsed}
    for start in range(0, len(top), BLOCK):
        block = slice(start, min(start + BLOCK, len(top)))
        hits, counts = _hits(top[block], targets, start)
        lists = None if catalog is None else Lists.of(top[block], hits, targets[block], catalog, histories, block)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of users without targets
            for name, metric in parsed.items():
                if lists is None or metric.kind in KINDS:
                    measured = KINDS[metric.kind](hits[:, : metric.k], counts, metric.k)
                else:
                    measured = beyond.KINDS[metric.kind](lists, metric.k)
                values[name][block] = np.where(counts > 0, measured, np.nan)
    return values


def refuse_without_catalog(metrics: Sequence[str], catalog: Catalog | None) -> None:
    """Raise a `ConfigError` if a metric needs the training data, and they are not given."""
    for name in filter(needs_catalog, metrics if catalog is None else ()):
        raise ConfigError(f"metric {name!r} needs the training data; give them as ", Argument("catalog"))


def _refuse_others(metrics: Sequence[str], histories: csr_matrix | None) -> None:
    for name in metrics:
        if smaller_is_better(name):
            problem = " needs predicted ratings, not top-N lists; compute it with errors_per_user"
        elif is_overall(name):
            problem = " is of all lists together, not of each user; compute it with overall"
        elif parse(name).kind == "popularity_lift" and histories is None:
            raise ConfigError(f"metric {name!r} needs the histories of the users; give them as ", Argument("histories"))
        else:
            continue
        raise ConfigError(f"metric {name!r}{problem}")


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


def _map_all(hits: np.ndarray, counts: np.ndarray, _k: int) -> np.ndarray:
    """Return the sum of h(j) * precision@j over n, as trec_eval does."""
    precisions = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((hits * precisions).sum(axis=1) / counts)


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
    "map_all": _map_all,
    "mrr": _mrr,
    "hit": _hit,
}
"""Function of each kind: of the hits ``(n, k)``, the numbers of targets ``(n,)``, and k."""
