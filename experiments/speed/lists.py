"""Timing of top-N lists and of their evaluation, interleaved with implicit's lists."""

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import shapes
from fits import SEED, implicit_als, sample
from scipy.sparse import csr_matrix
from timing import REPEATS, in_turn, ratio, seconds_of

from recsys_ae import Recommender, Run, evaluate

TOP = 100
METRICS = ("recall@20", "recall@50", "ndcg@100", "precision@20", "map@20", "mrr@20", "hit@20")
FEW = 256  # users that are ranked to estimate the time for more


def top_n(model: Recommender, data: shapes.Data, run: Run, budget: float, width: int) -> dict[str, Any]:
    """Time the lists of training users, without seen items; a quarter of the seconds limits the number of users.

    For comparison implicit ranks the same users by ``width`` random factors, which need as many multiply-adds per user
    and item as the model.
    """
    device, few = run.torch_device, sample(data.train, FEW).matrix
    model.recommend(few, TOP)
    taken = seconds_of(lambda: model.recommend(few, TOP), device)
    histories = sample(data.train, max(FEW, int(budget / (4 * REPEATS) / taken * FEW))).matrix
    works: list[Callable[[], object]] = [lambda: model.recommend(histories, TOP)]
    if width and device.type == "cpu":
        works.append(_implicit(histories, width, run))
    seconds, *rivals = in_turn(*works, device=device)
    users = histories.shape[0]
    timings: dict[str, Any] = {"users_per_second": users / statistics.median(seconds), "users": users, "k": TOP}
    for rival in rivals:
        rate = users / statistics.median(rival)
        timings["implicit"] = {"users_per_second": rate, "factors": width, "ratio": ratio(seconds, rival)}
    return timings


def evaluation(model: Recommender, data: shapes.Data, run: Run, most: int) -> dict[str, Any]:
    """Time the evaluation of test users by seven metrics, interleaved with the lists alone, which are part of it."""
    n = min(most, len(data.test.users))
    test = data.test.select(np.arange(n))
    works = (lambda: evaluate(model, test, METRICS), lambda: model.recommend(test.histories, TOP))
    seconds, ranking = in_turn(*works, device=run.torch_device)
    added = ratio(seconds, ranking) - 1
    return {"users_per_second": n / statistics.median(seconds), "users": n, "beside_ranking": added}


def _implicit(histories: csr_matrix, factors: int, run: Run) -> Callable[[], object]:
    rng = np.random.default_rng(SEED)
    model = implicit_als(factors, run)
    model.user_factors, model.item_factors = (
        rng.standard_normal((n, factors), dtype=np.float32) for n in histories.shape
    )
    users = np.arange(histories.shape[0])
    return lambda: model.recommend(users, histories, N=TOP, filter_already_liked_items=True)
