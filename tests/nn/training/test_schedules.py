"""Schedules at every update of the paper's run."""

import itertools
import math

import pytest

from recsys_ae.models.mult_vae import MultVAE
from recsys_ae.nn.training.schedules import decay, warm_up

UPDATES = 46_800  # ML-20M: 200 epochs of 234 batches


def test_f07_f12_beta_is_the_papers_at_every_update_and_never_above_its_cap() -> None:
    """β = min(0.2, t / 200,000) per update, not per epoch, and without a rise to 1 before the cap."""
    spec = MultVAE.paper()
    betas = [warm_up(t, spec.anneal * UPDATES, spec.beta) for t in range(UPDATES)]
    assert betas == pytest.approx([min(0.2, t / 200_000) for t in range(UPDATES)], rel=1e-12, abs=0)
    assert max(betas) == 0.2
    assert all(after >= before for before, after in itertools.pairwise(betas))


def test_no_warm_up_is_the_cap_from_the_start() -> None:
    assert [warm_up(t, 0, 0.3) for t in range(3)] == [0.3] * 3


def test_a_warm_up_over_the_whole_run_never_quite_gets_there() -> None:
    assert [warm_up(t, 4, 1.0) for t in range(4)] == [0, 0.25, 0.5, 0.75]
    assert warm_up(4, 4, 1.0) == 1


def test_a_constant_rate_stays() -> None:
    assert {decay("constant", t, 10) for t in range(11)} == {1}


def test_falling_rates_start_whole_end_at_nothing_and_never_rise() -> None:
    linear = [decay("linear", t, 10) for t in range(11)]
    cosine = [decay("cosine", t, 10) for t in range(11)]
    assert linear == pytest.approx([1 - t / 10 for t in range(11)])
    assert cosine == pytest.approx([(1 + math.cos(math.pi * t / 10)) / 2 for t in range(11)])
    assert cosine[5] == pytest.approx(0.5)
    assert cosine[10] == pytest.approx(0)
