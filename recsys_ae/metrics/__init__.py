"""Metrics of top-N lists and of predicted ratings, each as its paper defines it.

h(j) is 1 if the item at rank j is a target, else 0. A user has n targets, and lists are cut after rank k:

=================  ============================================================================================
``recall@k``       hits / min(k, n): 1 is always attainable (Liang et al. 2018)
``recall_all@k``   hits / n: the share of all targets (He et al. 2020, and most others)
``precision@k``    hits / k
``ndcg@k``         sum of h(j) / log2(j + 1), divided by that of a list that begins with min(k, n) targets
``map@k``          sum of h(j) * precision@j, divided by min(k, n)
``map_all@k``      sum of h(j) * precision@j, divided by n (trec_eval's map_cut)
``mrr@k``          1 / rank of the first target, 0 without one
``hit@k``          1 if the list holds a target, else 0
``rmse``           root of the mean squared error of all predicted ratings; smaller is better
``mae``            mean absolute error of all predicted ratings; smaller is better
=================  ============================================================================================

Others need the training data, as a `Catalog`. An item has c training users of N:

=====================  ========================================================================================
``tail_ndcg@k``        ndcg@k with tail items as the only targets: items outside the most popular ones that have
                       80 % of all interactions
``novelty@k``          mean of -log2(c / N) over the list: self-information in bits (Zhou et al. 2010)
``popularity@k``       mean of c / N over the list
``popularity_lift@k``  popularity@k minus the mean of c / N over the history (Abdollahpouri et al. 2019)
``diversity@k``        1 - mean cosine of all pairs of item vectors in the list (Smyth and McClave 2001)
``coverage@k``         share of all items that are in a list at all (Ge et al. 2010); of all lists together
``gini@k``             Gini index of how often items are in a list: 0 if equally often, 1 if one item has all places
                       (Fleder and Hosanagar 2009); of all lists together
=====================  ========================================================================================
"""

from recsys_ae.metrics.catalog import Catalog
from recsys_ae.metrics.hits import per_user, refuse_without_catalog
from recsys_ae.metrics.lists import overall
from recsys_ae.metrics.names import (
    BEYOND,
    DEFAULT,
    DEFINITIONS,
    ERRORS,
    Metric,
    is_overall,
    needs_catalog,
    parse,
    smaller_is_better,
)
from recsys_ae.metrics.ratings import error, errors_per_user

__all__ = [
    "BEYOND",
    "DEFAULT",
    "DEFINITIONS",
    "ERRORS",
    "Catalog",
    "Metric",
    "error",
    "errors_per_user",
    "is_overall",
    "needs_catalog",
    "overall",
    "parse",
    "per_user",
    "refuse_without_catalog",
    "smaller_is_better",
]
