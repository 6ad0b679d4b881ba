"""Scales of scores, and the search for weights."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from recsys_ae.ranking.score_fusion import GAIN, SCALES, best_weights, reciprocal_rank, standard


def test_standard_scores_have_mean_0_and_deviation_1_in_every_row() -> None:
    scores = torch.randn(5, 40, generator=torch.Generator().manual_seed(0)) * 7 - 30
    actual, dense = standard(scores).numpy(), scores.double().numpy()
    expected = (dense - dense.mean(axis=1, keepdims=True)) / dense.std(axis=1, keepdims=True)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_ranks_count_what_is_better_and_equals_share_the_best() -> None:
    scores = torch.tensor([[0.5, 2.0, 0.5, -1.0, 2.0, 0.5], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
    expected = 1 / (60 + torch.tensor([[3.0, 1, 3, 6, 1, 3], [1, 1, 1, 1, 1, 1]]))
    torch.testing.assert_close(reciprocal_rank(scores), expected, rtol=1e-7, atol=0)


@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_keeps_the_order_of_every_row_and_leaves_the_scores_alone(scale: str) -> None:
    scores = torch.randn(4, 300, generator=torch.Generator().manual_seed(1)).round(decimals=2)
    before = scores.clone()
    actual = SCALES[scale](scores)  # type: ignore[index]
    assert torch.equal(scores, before)
    assert torch.equal(actual.argsort(dim=1, stable=True), scores.argsort(dim=1, stable=True))
    assert ((actual[:, 1:] == actual[:, :-1]) == (scores[:, 1:] == scores[:, :-1])).all()


@pytest.mark.parametrize("scale", SCALES)
def test_rows_of_equal_scores_of_one_item_and_no_rows_are_finite(scale: str) -> None:
    for scores in (torch.full((2, 7), 0.1), torch.zeros(2, 7), torch.tensor([[3.0]]), torch.empty(0, 7)):
        actual = SCALES[scale](scores)  # type: ignore[index]
        assert actual.shape == scores.shape
        assert actual.isfinite().all()
        assert (actual == actual[:, :1]).all()


def counted(
    value: Callable[[np.ndarray], float],
) -> tuple[Callable[[tuple[float, ...]], float], list[tuple[float, ...]]]:
    evaluated: list[tuple[float, ...]] = []

    def wrapped(weights: tuple[float, ...]) -> float:
        evaluated.append(weights)
        return value(np.array(weights))

    return wrapped, evaluated


@pytest.mark.parametrize(
    "best",
    [(0.3, 0.7), (1.0, 0.0), (0.5, 0.5), (0.05, 0.95), (0.2, 0.3, 0.5), (0.5, 0.5, 0.0), (0.0, 1.0, 0.0), (0.1,) * 10],
)
def test_the_best_mix_of_twentieths_is_found(best: tuple[float, ...]) -> None:
    value, evaluated = counted(lambda weights: -float(np.square(weights - best).sum()))
    assert best_weights(value, len(best)) == pytest.approx(best)
    assert len(evaluated) == len(set(evaluated))  # no weights are evaluated twice
    assert all(sum(weights) == pytest.approx(1) and min(weights) >= 0 for weights in evaluated)


def test_the_effort_is_what_is_said() -> None:
    for best, most in (((0.35, 0.65), 25), ((0.4, 0.3, 0.2, 0.05, 0.05), 350)):
        value, evaluated = counted(lambda weights, best=best: -float(np.square(weights - best).sum()))  # type: ignore[misc]
        best_weights(value, len(best))
        assert len(evaluated) <= most


def test_what_is_found_is_never_worse_than_one_alone() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 3, 6):
        noise: dict[tuple[float, ...], float] = {}
        actual = best_weights(lambda weights: noise.setdefault(weights, rng.random()), n)  # noqa: B023
        assert noise[actual] >= max(value for weights, value in noise.items() if max(weights) == 1)


def test_a_gain_within_the_noise_moves_nothing() -> None:
    assert best_weights(lambda weights: 0.3 + 0.00005 * min(weights), 2) == (0.5, 0.5)  # the best start
    assert best_weights(lambda weights: 0.3 * weights[0] ** 0.0001 if weights[0] else 0.0, 2) == (1.0, 0.0)
    assert best_weights(lambda weights: 0.3 - 0.00005 * abs(weights[0] - 0.8), 2) == (1.0, 0.0)


def test_the_search_begins_from_the_best_single_model_and_from_equal_weights() -> None:
    """Every other mix is worth nothing, so no move leads to these."""
    for start in ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.35, 0.35, 0.3)):
        assert best_weights(lambda weights, start=start: float(weights == start), 3) == start  # type: ignore[misc]


def test_a_gain_as_small_as_the_least_one_counts() -> None:
    assert best_weights(lambda weights: GAIN * (weights == (0.75, 0.25)), 2) == (0.75, 0.25)
    assert best_weights(lambda weights: 0.99 * GAIN * (weights == (0.75, 0.25)), 2) == (1.0, 0.0)


def test_a_model_may_give_all_that_is_left_of_its_weight() -> None:
    """Only moves of five twentieths and of one lead from equal weights to the best mix."""
    path = {(0.35, 0.35, 0.3): 0.1, (0.6, 0.35, 0.05): 0.2, (0.65, 0.35, 0.0): 0.3}
    assert best_weights(lambda weights: path.get(weights, 0.0), 3) == (0.65, 0.35, 0.0)


def test_ranks_have_the_precision_and_the_device_of_the_scores() -> None:
    scores = torch.tensor([[3.0, 1.0, 2.0], [-5.0, -5.0, -9.0]])
    assert reciprocal_rank(scores.double()).dtype is torch.float64
    with torch.device("meta"):
        actual = reciprocal_rank(scores)
    torch.testing.assert_close(actual, 1 / torch.tensor([[61.0, 63, 62], [61, 61, 63]]))


def test_more_models_than_twentieths_are_weighed_too() -> None:
    actual = best_weights(lambda weights: -sum(weight * weight for weight in weights), 23)
    assert sorted(actual) == pytest.approx([0.0] * 3 + [0.05] * 20)
