"""Score fusion: scales for the scores of several models, and a search for their weights."""

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
    place = torch.arange(1, scores.shape[1] + 1, device=scores.device).expand_as(order)
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[:, 1:] = ordered[:, 1:] < ordered[:, :-1]
    rank = torch.where(first, place, 0).cummax(dim=1).values
    return torch.empty_like(scores).scatter_(1, order, 1 / (HEAD + rank.to(scores.dtype)))


SCALES: dict[Scale, Callable[[Tensor], Tensor]] = {"standard": standard, "rank": reciprocal_rank}


def best_weights(value: Callable[[tuple[float, ...]], float], n: int) -> tuple[float, ...]:
    """Return ``n`` weights with sum 1 and a large ``value``, never below that of the best single model.

    Local search from two starts, the best single model and equal weights: weight is moved from one model to another as
    long as the value rises, in ever smaller steps down to a twentieth. The better result is returned. Two models take
    some 20 evaluations, five models some 300.
    """
    known: dict[tuple[int, ...], float] = {}

    def worth(parts: tuple[int, ...]) -> float:
        if parts not in known:
            known[parts] = value(tuple(part / PARTS for part in parts))
        return known[parts]

    alone = [tuple(PARTS * (one == place) for one in range(n)) for place in range(n)]
    alike = tuple(PARTS // n + (place < PARTS % n) for place in range(n))
    ends = [_climbed(start, worth) for start in (max(alone, key=worth), alike)]
    return tuple(part / PARTS for part in max(ends, key=worth))


def _climbed(best: tuple[int, ...], worth: Callable[[tuple[int, ...]], float]) -> tuple[int, ...]:
    """Return the local optimum reached by moves to the best neighbour, in ever smaller steps."""
    for step in STEPS:
        while True:
            found = max(_moves(best, step), key=worth, default=best)
            if not worth(found) >= worth(best) + GAIN:
                break
            best = found
    return best


def _moves(parts: tuple[int, ...], step: int) -> Iterator[tuple[int, ...]]:
    """Yield all weights with ``step`` twentieths moved from one model to another."""
    for giver in range(len(parts)):
        for taker in range(len(parts)):
            if giver != taker and parts[giver] >= step:
                yield tuple(part + step * ((place == taker) - (place == giver)) for place, part in enumerate(parts))
