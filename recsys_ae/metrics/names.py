"""Names of metrics: what each one is, and how it is written."""

import re
from dataclasses import dataclass

from recsys_ae.errors import ConfigError
from recsys_ae.spec.hyper import nearest

DEFAULT = ("recall@20", "recall@50", "ndcg@100")
"""Metrics that papers on implicit feedback report."""

ERRORS = ("rmse", "mae")
"""Errors of predicted ratings. They are computed over all ratings, and are not means over users."""

OVERALL = ("coverage", "gini")
"""Kinds that are computed from the lists of all users together."""

BEYOND = (
    "tail_ndcg@100", "novelty@20", "popularity@20", "popularity_lift@20", "diversity@20", "coverage@20", "gini@20",
)  # fmt: skip
"""Metrics beyond accuracy."""

DEFINITIONS = {
    "recall": "recall@k = hits / min(k, number of targets)",
    "recall_all": "recall_all@k = hits / number of targets",
    "precision": "precision@k = hits / k",
    "ndcg": "ndcg@k = discounted gain of the hits, 1 / log2(rank + 1), / that of the best possible list",
    "map": "map@k = sum of precision@rank of the hits / min(k, number of targets)",
    "map_all": "map_all@k = sum of precision@rank of the hits / number of targets",
    "mrr": "mrr@k = 1 / rank of the first hit, 0 without one",
    "hit": "hit@k = 1 with a hit, else 0",
    "tail_ndcg": "tail_ndcg@k = ndcg@k of the targets outside the most popular items that have 80 % of interactions",
    "novelty": "novelty@k = mean self-information of the items in bits, -log2(users of the item / users)",
    "popularity": "popularity@k = mean share of the training users of the items",
    "popularity_lift": "popularity_lift@k = popularity@k - mean popularity of the history's items",
    "diversity": "diversity@k = 1 - mean cosine similarity of all pairs of items",
    "coverage": "coverage@k = share of all items that are in a list",
    "gini": "gini@k = Gini index of how often items are in a list: 0 is equally often, 1 is always the same",
    "rmse": "rmse = root of the mean squared error of all predicted ratings; smaller is better",
    "mae": "mae = mean absolute error of all predicted ratings; smaller is better",
}
"""Definition of each kind on one line; its keys are the kinds."""
NEED_CATALOG = ("tail_ndcg", "novelty", "popularity", "popularity_lift", "diversity")
"""Kinds that need the training data."""


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
    if kind not in DEFINITIONS:
        names = nearest(kind, DEFINITIONS)
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


def is_overall(name: str) -> bool:
    """Return True for a metric of the lists of all users together, which has no value for each user."""
    return parse(name).kind in OVERALL


def needs_catalog(name: str) -> bool:
    """Return True for a metric that needs the training data."""
    return parse(name).kind in NEED_CATALOG
