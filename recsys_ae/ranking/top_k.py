"""Exact top-k selection, with equal scores in the order of position.

A score and its position are packed into one integer, a key, which sorts by score and then by position. Keys are never
equal, so the result does not depend on the algorithm. Keys of all scores would cost more than the matrix product before
them. But a run of neighbouring scores holds one of the k best only if its largest score is among the k best of the
runs. So keys are computed only for the largest score of each run, and for all scores of k runs.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

LAST = 2**31 - 1
"""Largest position that fits in a key."""

LEAST = torch.iinfo(torch.int64).min
"""Number below all keys."""


def top_k(scores: Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` largest scores of each row and their positions, ``(n, k)`` float32 and int64, largest first."""
    return unpack(best_keys(scores, k))


def best_keys(scores: Tensor, k: int, start: int = 0, previous: Tensor | None = None) -> Tensor:
    """Return the keys of the ``k`` best scores of each row, ``(n, k)`` int64 in no order; all keys if there are fewer.

    Parameters
    ----------
    scores
        ``(n, width)`` float32 of consecutive items. ``start`` is the position of the first one.
    previous
        Best keys of all items before ``start``, as this function returned them.
    """
    width = scores.shape[1]
    size = math.isqrt(width // max(1, k))
    if size < 2:
        keys = _keys(scores, torch.arange(start, start + width, device=scores.device))
    else:
        starts = torch.arange(0, width, size, device=scores.device)
        heads = functional.max_pool1d(scores.unsqueeze(1), size, ceil_mode=True).squeeze(1)
        runs = _keys(heads, start + starts)
        # A run whose largest score is below all k previous keys holds none of the best.
        full = previous is not None and previous.shape[1] == k
        n = k if previous is None or not full else int((runs > previous.amin(dim=1, keepdim=True)).sum(dim=1).max())
        runs = _largest(runs, min(n, k, runs.shape[1]))
        positions = (_positions(runs) - start).unsqueeze(2) + torch.arange(size, device=scores.device)
        positions = positions.flatten(1)
        keys = _keys(scores.gather(1, positions.clamp_max(width - 1)), positions + start)
        keys.masked_fill_(positions >= width, LEAST)
    if previous is not None:
        keys = torch.cat([previous, keys], dim=1)
    return _largest(keys, min(k, keys.shape[1]))


def unpack(keys: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores and positions of keys, ``(n, k)`` float32 and int64, sorted with the largest first."""
    ordered = np.sort(keys.cpu().numpy(), axis=1)[:, ::-1]
    bits = (ordered >> 32).astype(np.int32)
    return (bits ^ ((bits >> 31) & LAST)).view(np.float32), LAST - (ordered & LAST)


def _keys(scores: Tensor, positions: Tensor) -> Tensor:
    """Pack the order of each score above the reversed position; −0 becomes 0, and NaN is above all numbers."""
    bits = torch.where(scores.isnan(), torch.nan, scores).add_(0.0).view(torch.int32)
    # The bits of negative floats, read as integers, sort backwards; flipping them restores the order.
    ordered = bits.bitwise_right_shift(31).bitwise_and_(LAST).bitwise_xor_(bits)
    return ordered.to(torch.int64).bitwise_left_shift_(32).add_(LAST).sub_(positions)


def _positions(keys: Tensor) -> Tensor:
    return LAST - (keys & LAST)


def _largest(keys: Tensor, k: int) -> Tensor:
    return keys if k == keys.shape[1] else keys.topk(k, dim=1, sorted=False).values
