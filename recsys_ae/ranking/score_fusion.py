"""Mixing the scores of several models: bringing them to one scale, and finding the weights."""

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Scale: TypeAlias = Literal["standard", "rank"]

HEAD = 60
"""How many ranks the head of a list is: below it a rank more or less makes little difference."""

PARTS = 20
"""Weights are whole twentieths: finer ones fit the users they are chosen on rather than their taste."""

STEPS = (5, 2, 1)
"""How many twentieths are tried to be moved from one weight to another, one after the other."""

GAIN = 1e-4
"""What a move must add to the metric; less is noise."""


def standard(scores: Tensor) -> Tensor:
    """Return (s − mean) / standard deviation of each row over all items; equal scores stay equal."""
    centred = scores - scores.mean(dim=1, keepdim=True)
    deviation = centred.square().mean(dim=1, keepdim=True).sqrt()
    return centred.div_(deviation.clamp_min(torch.finfo(scores.dtype).tiny))


def reciprocal_rank(scores: Tensor) -> Tensor:
    """Return 1 / (60 + r) with the rank r of each score in its row, 1 for the largest; equals share the best rank."""
    ordered, order = scores.sort(dim=1, descending=True)
    place = torch.arange(1, scores.shape[1] + 1, device=scores.device).expand_as(order)
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[:, 1:] = ordered[:, 1:] < ordered[:, :-1]
    rank = torch.where(first, place, 0).cummax(dim=1).values
    return torch.empty_like(scores).scatter_(1, order, 1 / (HEAD + rank.to(scores.dtype)))


SCALES: dict[Scale, Callable[[Tensor], Tensor]] = {"standard": standard, "rank": reciprocal_rank}


def best_weights(value: Callable[[tuple[float, ...]], float], n: int) -> tuple[float, ...]:
    """Return ``n`` weights with sum 1 whose value is large, never below that of one model alone.

    From the best model alone, and once more from all alike, weight is moved from one model to another as long as that
    gains something, in ever smaller steps down to a twentieth; the better end counts. Of two models some 20 mixes are
    measured, of five some 300.
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
    """Move to the best neighbour again and again, in ever smaller steps."""
    for step in STEPS:
        while True:
            found = max(_moves(best, step), key=worth, default=best)
            if not worth(found) >= worth(best) + GAIN:
                break
            best = found
    return best


def _moves(parts: tuple[int, ...], step: int) -> Iterator[tuple[int, ...]]:
    """Yield all ways to move ``step`` parts from one place to another."""
    for giver in range(len(parts)):
        for taker in range(len(parts)):
            if giver != taker and parts[giver] >= step:
                yield tuple(part + step * ((place == taker) - (place == giver)) for place, part in enumerate(parts))
