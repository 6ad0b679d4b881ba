"""Score fusion: scales for the scores of several models, and a search for their weights."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Scale: TypeAlias = Literal["standard", "rank"]

HEAD = 60
"""Constant of the reciprocal rank; beyond about this rank, a difference of one rank counts little."""

PARTS = 20
"""Denominator of the weights; finer weights would overfit the validation users."""

STEPS = (5, 2, 1)
"""Numbers of twentieths that are moved from one weight to another, in this order."""

GAIN = 1e-4
"""Least gain of the metric for a move; less is noise."""


def standard(scores: Tensor) -> Tensor:
    """Return (s − mean) / standard deviation of each row over all items; equal scores stay equal."""
    centred = scores - scores.mean(dim=1, keepdim=True)
    deviation = centred.square().mean(dim=1, keepdim=True).sqrt()
    return centred.div_(deviation.clamp_min(torch.finfo(scores.dtype).tiny))


def reciprocal_rank(scores: Tensor) -> Tensor:
    """Return 1 / (60 + r) with the rank r of each score in its row, from 1; equal scores share the best rank."""
    ordered, order = scores.sort(dim=1, descending=True)
    positions = torch.arange(1, scores.shape[1] + 1, device=scores.device).expand_as(order)
    starts_tie = torch.ones_like(ordered, dtype=torch.bool)
    starts_tie[:, 1:] = ordered[:, 1:] < ordered[:, :-1]
    rank = torch.where(starts_tie, positions, 0).cummax(dim=1).values
    return torch.empty_like(scores).scatter_(1, order, 1 / (HEAD + rank.to(scores.dtype)))


SCALES: dict[Scale, Callable[[Tensor], Tensor]] = {"standard": standard, "rank": reciprocal_rank}


def best_weights(value: Callable[[tuple[float, ...]], float], n: int, seconds: float = math.inf) -> tuple[float, ...]:
    """Return ``n`` weights with sum 1 and a large ``value``, never below that of the best single model.

    Local search from two starts, the best single model and equal weights: weight is moved from one model to another as
    long as the value rises, in ever smaller steps down to a twentieth. The better result is returned. Two models take
    some 20 evaluations, five models some 300. After ``seconds`` the best weights so far are returned; the single models
    and equal weights are evaluated in any case.
    """
    worths: dict[tuple[int, ...], float] = {}
    end = math.inf

    def worth(twentieths: tuple[int, ...]) -> float:
        if twentieths not in worths:
            is_late = time.monotonic() > end
            worths[twentieths] = -math.inf if is_late else value(tuple(count / PARTS for count in twentieths))
        return worths[twentieths]

    single = [tuple(PARTS * (index == model) for index in range(n)) for model in range(n)]
    equal = tuple(PARTS // n + (model < PARTS % n) for model in range(n))
    started = time.monotonic()
    for start in (*single, equal):
        worth(start)
    end = started + seconds
    ends = [_climbed(start, worth) for start in (max(single, key=worth), equal)]
    return tuple(count / PARTS for count in max(ends, key=worth))


def _climbed(best: tuple[int, ...], worth: Callable[[tuple[int, ...]], float]) -> tuple[int, ...]:
    """Return the local optimum reached by moves to the best neighbour, in ever smaller steps."""
    for step in STEPS:
        while True:
            neighbor = max(_moves(best, step), key=worth, default=best)
            if not worth(neighbor) >= worth(best) + GAIN:
                break
            best = neighbor
    return best


def _moves(shares: tuple[int, ...], step: int) -> Iterator[tuple[int, ...]]:
    """Yield all weights with ``step`` twentieths moved from one model to another."""
    for giver in range(len(shares)):
        for taker in range(len(shares)):
            if giver != taker and shares[giver] >= step:
                yield tuple(count + step * ((model == taker) - (model == giver)) for model, count in enumerate(shares))
