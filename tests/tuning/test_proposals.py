"""Settings that are proposed: within range, new, and the same for the same trials."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.tuning.proposals import propose
from recsys_ae.tuning.ranges import Range, Space
from recsys_ae.tuning.trial import Trial
from tests.tuning.small import METRIC, trial_of

SPACE = Space(
    "test",
    {"frozen": 3},
    {
        "penalty": Range("log", 1e-3, 1e3),
        "rate": Range("linear", 0, 1),
        "size": Range("int", 1, 9, is_whole=True),
        "kind": Range("choice", choices=("a", None, True, (1, 2), ())),
        "strength": Range("linear", 2, 3, only_if=("kind", "a")),
    },
    {"free": Range("linear", 0, 1)},
    {"frozen": 3, "penalty": 0.0, "rate": 0.5, "size": 5, "kind": None, "strength": 2.0, "free": 0.0, "other": "x"},
)


def proposed(trials: Sequence[Trial] = (), number: int = 2, space: Space = SPACE, **how: Any) -> dict[str, Any] | None:
    given = {"running": (), "metric": METRIC, "seed": 0, **how}
    return propose(space, trials, given["running"], given["metric"], seed=given["seed"], number=number)


def series(n: int, space: Space = SPACE, value: Any = lambda number: number / 100) -> list[Trial]:
    """Return trials, each of which tried what was proposed after the others."""
    trials = [trial_of(1, "test", value(1), is_default=True, settings=dict(space.frozen))]
    for number in range(2, n + 1):
        tried = proposed(trials, number, space)
        if tried is None:
            return trials
        trials.append(trial_of(number, "test", value(number), settings=json.loads(json.dumps(tried))))
    return trials


def assert_within(tried: Mapping[str, Any]) -> None:
    assert tried["frozen"] == 3
    assert 1e-3 <= tried["penalty"] <= 1e3
    assert 0 <= tried["rate"] <= 1
    assert tried["size"] in range(1, 10)
    assert type(tried["size"]) is int
    assert tried["kind"] in ("a", None, True, [1, 2], [])
    assert ("strength" in tried) == (tried["kind"] == "a")
    assert not {"free", "other"} & tried.keys()
    for name in ("penalty", "rate"):
        assert tried[name] == float(f"{tried[name]:.4g}")


def test_proposals_are_within_their_ranges_and_new() -> None:
    tried = [trial.settings for trial in series(25)[1:]]
    for one in tried:
        assert_within(one)
    assert len({json.dumps(one) for one in tried}) == len(tried) == 24
    kinds = {json.dumps((proposed(seed=seed) or {}).get("kind")) for seed in range(30)}
    assert kinds == {'"a"', "null", "true", "[1, 2]", "[]"}


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "penalty": st.floats(-1e9, 1e9), "rate": st.floats(-9, 9), "size": st.integers(-9, 99) | st.none(),
                "kind": st.sampled_from(["a", None, "unknown", [1, 2], 7]), "free": st.floats(0, 1),
            },
        ),
        max_size=9,
    ),
    st.sampled_from(["complete", "pruned", "failed", "refused", "stopped"]),
)  # fmt: skip
def test_trials_outside_the_ranges_or_without_values_do_no_harm(tried: list[dict[str, Any]], status: Any) -> None:
    value = None if status in ("failed", "refused") else 0.5
    trials = [trial_of(number, "test", value, settings=one, status=status) for number, one in enumerate(tried, 1)]
    one = proposed(trials, 50)
    assert one is not None
    assert_within(one)
    assert proposed(trials, 50) == one


def test_the_same_trials_give_the_same_proposal_whatever_happened_between() -> None:
    trials = series(9)
    one = proposed(trials, 10)
    series(4)
    proposed(trials, 11, seed=5)
    assert proposed([dataclasses.replace(trial, seconds=9.0, elapsed=7.0) for trial in trials], 10) == one


def test_the_number_and_the_seed_matter() -> None:
    trials = series(3)
    found = [proposed(trials, number, seed=seed) for number, seed in [(4, 0), (5, 0), (4, 1)]]
    assert len({json.dumps(one) for one in found}) == 3


@pytest.mark.parametrize("n", [1, 3, 12])
def test_every_setting_of_a_small_space_is_tried_once(n: int) -> None:
    space = Space("test", {}, {"size": Range("int", 1, n, is_whole=True)}, {}, {"size": 1})
    trials = series(n + 5, space)
    assert [trial.number for trial in trials] == list(range(1, n + 1))
    assert {trial.settings.get("size", 1) for trial in trials} == set(range(1, n + 1))


def test_choices_with_a_condition_are_all_tried() -> None:
    searched = {
        "on": Range("choice", choices=(False, True)),
        "n": Range("int", 1, 3, only_if=("on", True), is_whole=True),
    }
    space = Space("test", {}, searched, {}, {"on": False, "n": 1})
    tried = [(one.settings.get("on", False), one.settings.get("n")) for one in series(9, space)]
    assert sorted(tried, key=str) == [(False, None), (True, 1), (True, 2), (True, 3)]


def test_a_space_without_ranges_is_exhausted_by_its_default() -> None:
    assert proposed([trial_of(1, "test")], space=Space("test", {}, {}, {}, {"x": 1})) is None


def test_settings_that_run_now_are_not_proposed_again() -> None:
    space = Space("test", {}, {"kind": Range("choice", choices=("a", "b", "c"))}, {}, {"kind": "a"})
    assert proposed([trial_of(1, "test")], space=space, running=[{"kind": "b"}]) == {"kind": "c"}


def test_free_values_make_no_new_setting() -> None:
    space = Space("test", {}, {"kind": Range("choice", choices=(1, 2))}, {"free": Range("linear", 0, 1)},
                  {"kind": 1, "free": 0.0})  # fmt: skip
    assert proposed([trial_of(1, "test"), trial_of(2, "test", settings={"kind": 2, "free": 0.3})], space=space) is None


@pytest.mark.parametrize(("metric", "sign"), [("ndcg@100", 1), ("rmse", -1)])
def test_proposals_approach_the_better_values(metric: str, sign: int) -> None:
    space = Space("test", {}, {"rate": Range("linear", 0, 1)}, {}, {"rate": 0.5})
    rates = [number / 20 for number in range(21)]
    trials = [trial_of(n, "test", sign * -abs(rate - 0.9), settings={"rate": rate}) for n, rate in enumerate(rates, 1)]
    found = [proposed(trials, number, space, metric=metric) for number in range(30, 42)]
    assert sum(one["rate"] > 0.75 for one in found if one is not None) >= 9
