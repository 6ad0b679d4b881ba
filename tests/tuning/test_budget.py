"""Durations in words, and the clock of a search."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_ae.errors import ConfigError
from recsys_ae.tuning.budget import LEAST_RESERVE, Budget, Durations, seconds_of
from tests.tuning.small import trial_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("1.5h", 5400),
        ("1h30m", 5400),
        (" 2 H 5 m ", 7500),
        ("1d", 86_400),
        (0.5, 0.5),
        (7, 7),
    ],
)
def test_forms_of_durations(text: str | float, seconds: float) -> None:
    assert seconds_of(text) == seconds


@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 99))
def test_parts_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert seconds_of(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize(
    "wrong",
    ["", "10", "m", "10x", "1h 30", "-5m", "0s", "1e3s", "ten minutes", "1.h", "9" * 400 + "d", 0, -1, float("nan"),
     float("inf"), True, None, [5]],
)  # fmt: skip
def test_wrong_durations_are_one_clear_line(wrong: object) -> None:
    with pytest.raises(ConfigError, match="is no duration; expected such as 90s, 10m or 1h30m"):
        seconds_of(wrong)  # type: ignore[arg-type]


@given(st.text(max_size=12))
def test_any_text_is_a_duration_above_0_or_refused(text: str) -> None:
    with suppress(ConfigError):
        assert seconds_of(text) > 0


def test_the_clock_continues_and_leaves_time_for_the_end() -> None:
    budget = Budget(100, spent=60)
    assert budget.left == pytest.approx(28, abs=0.5)
    assert budget.elapsed == pytest.approx(60, abs=0.5)
    assert budget.end_of_look == pytest.approx(time.monotonic() + 38, abs=0.5)
    assert budget.left_for_blend == pytest.approx(38, abs=0.5)
    blending = Budget(100, spent=60, has_blend=True)
    assert blending.left == pytest.approx(20, abs=0.5)
    assert blending.end_of_look == pytest.approx(time.monotonic() + 30, abs=0.5)
    assert budget.deadline == pytest.approx(time.monotonic() + 28, abs=0.5)
    assert Budget(100, began=time.monotonic() - 30).left == pytest.approx(58, abs=0.5)
    assert Budget(5).left == pytest.approx(5 - LEAST_RESERVE, abs=0.5)


def test_without_a_budget_nothing_ends() -> None:
    budget = Budget(None, spent=1e9)
    assert (budget.left, budget.deadline, budget.end_of_look) == (None, None, None)
    assert budget.left_for_blend == float("inf")


def test_durations_scale_with_the_operations_of_the_latest_timed_fit() -> None:
    durations = Durations(is_timed=True)
    trials = [trial_of(1, seconds=9.0), trial_of(2, seconds=4.0), trial_of(3, status="pruned", seconds=1.0)]
    assert durations.predicted("ease", 3e9, trials, {1: 1e9, 2: 1e9}) == pytest.approx(12.2)
    assert durations.predicted("ease", 3e9, trials, {}) == pytest.approx(4.2)
    assert durations.predicted("als", 0, trials, {}) == pytest.approx(0.2)


def test_untimed_durations_do_not_depend_on_the_machine() -> None:
    trials = [trial_of(1, seconds=123.0)]
    one, other = (Durations(is_timed=False).predicted("ease", 6e9, given, {1: 1.0}) for given in (trials, []))
    assert one == other == pytest.approx(0.2 + 6e9 / (0.3 * 1e10))
