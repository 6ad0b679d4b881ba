"""Top-k selection compared with a slow stable sort, on scores with many ties."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_ae.ranking.top_k import best_keys, top_k, unpack

KINDS = ["all alike", "three values", "many values", "falling", "rising", "all below zero"]


def _scores(kind: str, n: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(width)
    if kind in ("falling", "rising"):
        row = torch.arange(width).float()
        return (row if kind == "rising" else -row).expand(n, -1).contiguous()
    levels = {"all alike": 0, "three values": 1}.get(kind, 10**6)
    scores = torch.randint(-levels, levels + 1, (n, width), generator=generator).float()
    if kind == "all below zero":
        scores = -scores.abs() - 1
    scores[n // 3 : n // 2, width // 4 : width // 2] = -torch.inf
    scores[-1] = -torch.inf
    return scores


def _slow(scores: Tensor, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    order = np.argsort(-scores.numpy(), axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores.numpy(), order, axis=1), order


def _assert_equal(actual: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    assert [array.dtype for array in actual] == [np.float32, np.int64]
    np.testing.assert_array_equal(actual[0], expected[0])
    np.testing.assert_array_equal(actual[1], expected[1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1, 13, 400, 401])
@pytest.mark.parametrize("k", [1, 2, 7, 30, 100, 400])
def test_the_best_are_those_of_a_stable_sort(kind: str, width: int, k: int) -> None:
    scores = _scores(kind, 12, width)
    before = scores.clone()
    _assert_equal(top_k(scores, min(k, width)), _slow(scores, k))
    assert torch.equal(scores, before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [1, 3, 37, 128, 400])
@pytest.mark.parametrize("k", [1, 5, 60])
def test_blocks_one_after_the_other_give_the_best_of_the_whole(kind: str, block: int, k: int) -> None:
    scores = _scores(kind, 9, 401)
    best = None
    for start in range(0, 401, block):
        best = best_keys(scores[:, start : start + block].contiguous(), k, start, best)
    assert best is not None
    _assert_equal(unpack(best), _slow(scores, k))


def test_a_negative_zero_is_a_zero() -> None:
    scores = torch.tensor([[-0.0, 0.0, -0.0, 1.0, 0.0, -1.0]])
    assert top_k(scores, 5)[1].tolist() == [[3, 0, 1, 2, 4]]


def test_scores_of_every_size_keep_their_order_and_their_bits() -> None:
    line = torch.tensor([torch.inf, 3e38, 1.5, 1.0, 1e-38, 1e-45, 0.0, -1e-45, -1e-38, -1.0, -1.5, -3e38, -torch.inf])
    order = torch.randperm(13, generator=torch.Generator().manual_seed(0))
    values, positions = top_k(line[order].unsqueeze(0), 13)
    assert values[0].tolist() == line.tolist()
    assert order[positions[0].tolist()].tolist() == list(range(13))


def test_what_is_not_a_number_is_not_hidden() -> None:
    """NaN comes first, so that a broken model is noticed, whatever the sign of the NaN."""
    for broken in (torch.nan, -torch.nan):
        scores = torch.arange(400.0).unsqueeze(0)
        scores[0, 17] = torch.tensor(broken)
        values, positions = top_k(scores, 3)
        assert positions.tolist() == [[17, 399, 398]]
        assert np.isnan(values[0, 0])


@pytest.mark.parametrize("k", [1, 30, 150])
def test_keys_are_made_on_the_device_of_the_scores_and_not_on_the_default_one(k: int) -> None:
    scores = _scores("many values", 5, 401)
    with torch.device("meta"):
        best = best_keys(scores[:, 200:].contiguous(), k, 200, best_keys(scores[:, :200].contiguous(), k))
    _assert_equal(unpack(best), _slow(scores, k))


def test_a_wide_block_after_a_short_one_may_hold_scores_below_all_of_the_first() -> None:
    scores = torch.cat([torch.full((2, 3), 9.0), -torch.arange(400.0).expand(2, -1)], dim=1)
    best = best_keys(scores[:, 3:].contiguous(), 5, 3, best_keys(scores[:, :3].contiguous(), 5))
    _assert_equal(unpack(best), _slow(scores, 5))
