"""Significance tests and effect sizes of paired differences, against enumeration, formulas and known cases."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recsys_ae.evaluation.estimate import resampled
from recsys_ae.evaluation.paired_tests import Difference, bootstrap_p, holm, rank_biserial, standardized, wilcoxon_p

GAINS = st.lists(st.integers(-4, 4).map(lambda step: step / 4), min_size=1, max_size=10).map(np.array)


def midranks(values: np.ndarray) -> list[float]:
    """Return ranks from 1, with the mean rank for ties."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]


def enumerated(gains: np.ndarray) -> float:
    """Return the two-sided p-value of the signed-rank test over all signs of the gains that are not 0."""
    differing = gains[gains != 0]
    if len(differing) == 0:
        return 1.0
    ranks = midranks(np.abs(differing))
    observed = sum(rank for rank, gain in zip(ranks, differing, strict=True) if gain > 0)
    sums = [sum(itertools.compress(ranks, signs)) for signs in itertools.product([0, 1], repeat=len(ranks))]
    below = sum(value <= observed + 1e-9 for value in sums) / len(sums)
    above = sum(value >= observed - 1e-9 for value in sums) / len(sums)
    return min(1.0, 2 * min(below, above))


@settings(deadline=None, max_examples=60)
@given(gains=GAINS)
def test_wilcoxon_is_the_enumeration_of_all_signs_for_few_users(gains: np.ndarray) -> None:
    assert wilcoxon_p(gains) == pytest.approx(enumerated(gains), abs=1e-9)


def test_users_without_a_difference_do_not_make_wilcoxon_approximate() -> None:
    gains = np.array([0.0, 0.1, 0.2, 0.3, -0.4, 0.5] + [0.0] * 40)
    assert wilcoxon_p(gains) == pytest.approx(stats.wilcoxon([0.1, 0.2, 0.3, -0.4, 0.5], method="exact").pvalue)


def test_wilcoxon_of_many_users_is_a_normal_deviate() -> None:
    gains = np.random.default_rng(0).normal(0.05, 1, 400)
    ranks = np.array(midranks(np.abs(gains)))
    n = len(gains)
    z = (ranks[gains > 0].sum() - n * (n + 1) / 4) / math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    assert wilcoxon_p(gains) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(gains=GAINS)
def test_rank_biserial_is_the_share_of_favourable_ranks_minus_that_of_others(gains: np.ndarray) -> None:
    differing = gains[gains != 0]
    ranks = midranks(np.abs(differing))
    favourable = sum(rank for rank, gain in zip(ranks, differing, strict=True) if gain > 0)
    others = sum(rank for rank, gain in zip(ranks, differing, strict=True) if gain < 0)
    expected = (favourable - others) / (favourable + others) if len(differing) else 0.0
    assert rank_biserial(gains) == pytest.approx(expected)
    assert -1 <= rank_biserial(gains) <= 1


def test_the_standardized_difference_is_cohens_d_of_pairs() -> None:
    gains = np.array([0.1, -0.2, 0.4, 0.3])
    assert standardized(gains) == pytest.approx(0.15 / math.sqrt(((gains - 0.15) ** 2).sum() / 3))
    assert standardized(np.zeros(5)) == standardized(np.zeros(1)) == 0
    assert math.isnan(standardized(np.full(5, 0.2)))
    assert math.isnan(standardized(np.array([0.2])))


# Bootstrap


def exact_bootstrap(gains: list[float]) -> float:
    """Return the two-sided bootstrap p-value over all resamples of a few users."""
    means = [np.mean(drawn) for drawn in itertools.product(gains, repeat=len(gains))]
    return min(1.0, 2 * min(np.mean([mean <= 1e-12 for mean in means]), np.mean([mean >= -1e-12 for mean in means])))


@pytest.mark.parametrize("gains", [[0.4, 0.1, -0.1], [0.3, 0.2, -0.2, 0.1], [-0.5, 0.1], [0.25, -0.25, 0.0]])
def test_the_bootstrap_draws_users_with_equal_chances(gains: list[float]) -> None:
    zero = pd.DataFrame({"hit@1": [0.0] * len(gains)})
    values = pd.DataFrame({"hit@1": gains})
    _, resamples = resampled(values, minus=zero, n_resamples=20_000, seed=0)
    assert bootstrap_p(resamples[0]) == pytest.approx(exact_bootstrap(gains), abs=0.02)


def test_the_bootstrap_agrees_with_its_interval_and_with_the_normal_deviate() -> None:
    rng = np.random.default_rng(3)
    for shift in (0.0, 0.05, 0.1, 0.2):
        gains = rng.normal(shift, 1, 500)
        estimates, resamples = resampled(pd.DataFrame({"hit@1": gains}), n_resamples=4_000, seed=1)
        numbers = estimates["hit@1"]
        p = bootstrap_p(resamples[0])
        normal = 2 * stats.norm.sf(abs(numbers.mean / numbers.standard_error))
        assert p == pytest.approx(normal, abs=0.03)
        assert abs(p - 0.05) < 0.005 or (p < 0.05) == (numbers.low > 0 or numbers.high < 0)


def test_equal_models_are_not_significant_and_a_constant_gain_is_as_far_as_the_resamples_tell() -> None:
    assert bootstrap_p(np.zeros(1_000)) == 1
    assert bootstrap_p(np.full(999, 0.1)) == bootstrap_p(np.full(999, -0.1)) == 2 / 1_000
    assert math.isnan(bootstrap_p(np.empty(0)))


def test_both_tests_reject_a_true_null_hypothesis_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    rejected = np.zeros(2)
    for seed in range(300):
        gains = rng.normal(0, 0.2, 60) * (rng.random(60) < 0.6)
        _, resamples = resampled(pd.DataFrame({"hit@1": gains}), n_resamples=300, seed=seed)
        rejected += [bootstrap_p(resamples[0]) < 0.05, wilcoxon_p(gains) < 0.05]
    assert (rejected / 300 > 0.015).all()
    assert (rejected / 300 < 0.1).all()


# Holm


def slow_holm(p_values: list[float]) -> list[float]:
    """Return the smallest level at which the step-down procedure rejects each hypothesis."""
    m, adjusted = len(p_values), []
    for value in p_values:
        smaller = sorted(other for other in p_values if other <= value)
        steps = [(m - sum(other < step for other in p_values)) * step for step in smaller]
        adjusted.append(min(1.0, max(steps)))
    return adjusted


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_its_definition(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(slow_holm(p_values))


def test_holm_of_a_known_example_and_of_values_that_are_missing() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([math.nan, 0.02, 0.03])[1:] == pytest.approx([0.04, 0.04])
    assert math.isnan(holm([math.nan, 0.02])[0])
    assert holm([]) == []


# Difference


def difference(gains: list[float], errors: bool = False) -> Difference:
    values = pd.DataFrame({"hit@1": gains})
    estimates, resamples = resampled(values, n_resamples=500, seed=0)
    return Difference.of(estimates["hit@1"], resamples[0], -np.array(gains) if errors else np.array(gains))


def test_shares_count_users_and_add_up() -> None:
    found = difference([0.1, 0.2, -0.1, 0.0, 0.0])
    assert (found.better, found.worse, found.equal) == pytest.approx((0.4, 0.2, 0.4))
    assert found.better + found.worse + found.equal == pytest.approx(1)


def test_rounding_errors_are_no_differences_and_break_no_ties() -> None:
    assert 0.3 - 0.1 != 0.4 - 0.2
    found = difference([0.3 - 0.1, 0.2 - 0.4, 0.1 + 0.2 - 0.3])
    assert (found.better, found.worse, found.equal) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert found.rank_biserial == 0


def test_effect_sizes_are_positive_for_the_better_model_if_smaller_is_better() -> None:
    found = difference([-0.1, -0.2, -0.1, 0.05], errors=True)
    assert found.estimate.mean < 0
    assert found.standardized > 0
    assert found.rank_biserial > 0
    assert (found.better, found.worse) == (0.75, 0.25)


def test_a_single_user_has_no_bootstrap_and_json_has_no_nan() -> None:
    found = difference([0.2]).as_dict()
    assert found["p_bootstrap"] is found["p_bootstrap_holm"] is found["standardized"] is found["low"] is None
    assert (found["p_wilcoxon"], found["better"], found["mean"]) == (1, 1, 0.2)
