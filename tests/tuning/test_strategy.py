"""Which trial is next: the defaults, cheapest first, and then the models that may still win."""

import dataclasses

import pytest

from recsys_ae.models import EASE
from recsys_ae.tuning.ranges import Range, Space
from recsys_ae.tuning.strategy import Plan, Position, next_trial
from recsys_ae.tuning.trial import Proposal, Trial
from tests.tuning.small import METRIC, SHAPE, STATS, position_of, proposal_of, trial_of

MODELS = ("mult_dae", "ease", "popularity", "als")
SECONDS = {"popularity": 0.1, "ease": 1.0, "als": 2.0, "mult_dae": 30.0}


def default_of(number: int, model: str, value: float | None = 0.5, **others: object) -> Trial:
    return trial_of(number, model, value, is_default=True, **others)


def following(position: Position) -> Proposal | None:
    return next_trial(position, len(position.trials) + len(position.running) + 1)


def order(position: Position, n: int, value: float = 0.5) -> list[str]:
    """Return the models of the next trials, all of which have the same value."""
    models = []
    for _ in range(n):
        proposal = following(position)
        if proposal is None:
            break
        models.append(proposal.model)
        ended = trial_of(proposal.number, proposal.model, value, settings=proposal.settings,
                         is_default=proposal.is_default)  # fmt: skip
        position = dataclasses.replace(position, trials=[*position.trials, ended])
    return models


def test_the_defaults_come_first_and_the_cheapest_of_them_first() -> None:
    position = position_of(MODELS, seconds=SECONDS)
    assert order(position, 4) == ["popularity", "ease", "als", "mult_dae"]
    first = following(position)
    assert first == proposal_of("popularity", 1, is_default=True)


def test_frozen_values_belong_to_the_default() -> None:
    proposal = following(position_of(["ease"], overrides={"ease": {"l2": 7}}))
    assert proposal == proposal_of("ease", 1, is_default=True, l2=7)


def test_an_expensive_default_waits_until_the_cheap_models_had_their_share() -> None:
    seconds = {"ease": 1.0, "mult_dae": 30.0}
    early = position_of(["ease", "mult_dae"], [default_of(1, "ease")], seconds=seconds, left=90, budget=100)
    assert (following(early) or early).model == "ease"  # type: ignore[union-attr]
    late = dataclasses.replace(early, left=55)
    assert following(late) == proposal_of("mult_dae", 2, is_default=True)


def test_an_expensive_default_does_not_wait_when_nothing_else_is_left() -> None:
    trials = [default_of(1, "popularity")]
    position = position_of(["popularity", "mult_dae"], trials, seconds={"mult_dae": 30.0}, left=90, budget=100)
    assert following(position) == proposal_of("mult_dae", 2, is_default=True)


def test_a_closed_form_that_is_predicted_not_to_fit_is_not_started() -> None:
    assert following(position_of(["ease"], seconds={"ease": 10.0}, left=9, budget=100)) is None
    assert following(position_of(["ease"], seconds={"ease": 10.0}, left=11, budget=100)) is not None
    tuned = position_of(["ease"], [default_of(1, "ease")], seconds={"ease": 10.0}, left=9, budget=100)
    assert following(tuned) is None


def test_a_training_starts_for_the_epochs_that_fit() -> None:
    position = position_of(["mult_dae"], seconds={"mult_dae": 30.0}, left=11, budget=100)
    assert following(position) is not None
    assert following(dataclasses.replace(position, left=9)) is None
    assert following(dataclasses.replace(position, left=0)) is None


def test_a_model_out_of_reach_gets_no_trials_until_the_others_are_exhausted() -> None:
    trials = [default_of(1, "ease", 0.5), default_of(2, "als", 0.3)]
    position = position_of(["ease", "als"], trials, overrides={"ease": {"l2": {"choices": [EASE().l2, 1, 2, 3]}}})
    assert order(position, 5, 0.3) == ["ease", "ease", "ease", "als", "als"]


def test_the_margin_shrinks_with_trials_without_success() -> None:
    behind = [default_of(1, "ease", 0.500), default_of(2, "als", 0.489)]  # 2.2 % behind; the margin is 4 %
    position = position_of(["ease", "als"], behind, seconds={"ease": 99.0})
    assert following(position).model == "als"  # type: ignore[union-attr]  # much cheaper
    failed = [trial_of(number, "als", 0.4, settings={"l2": float(number)}) for number in range(3, 10)]
    later = dataclasses.replace(position, trials=[*behind, *failed])
    assert following(later).model == "ease"  # type: ignore[union-attr]


def test_of_equal_models_the_cheaper_one_comes_next() -> None:
    trials = [default_of(1, "ease"), default_of(2, "als")]
    assert following(position_of(["ease", "als"], trials, seconds={"ease": 3.0})).model == "als"  # type: ignore[union-attr]


def test_failed_models_are_not_tried_again() -> None:
    failed = default_of(1, "als", None, status="failed", reason="no")
    position = position_of(["als", "popularity"], [failed, default_of(2, "popularity")])
    assert following(position) is None
    assert following(position_of(["als"], [failed])) is None


def test_everything_tried_ends_the_search() -> None:
    position = position_of(["ease", "popularity"], overrides={"ease": {"l2": {"choices": [1.0, 2.0]}}})
    assert sorted(order(position, 9)) == ["ease", "ease", "ease", "popularity"]


def test_values_of_0_do_not_end_the_search() -> None:
    assert following(position_of(["ease"], [default_of(1, "ease", 0.0)])) is not None


def test_errors_are_compared_the_other_way_round() -> None:
    space = Space("autorec", {}, {"l2": Range("log", 1, 9)}, {}, {"l2": 1.0})
    plan = Plan({"autorec": space, "als": dataclasses.replace(space, model="als")}, "rmse", 0, SHAPE, 200, STATS)
    trials = [default_of(1, "autorec", 0.8), default_of(2, "als", 1.2)]
    position = Position(plan, trials, [], None, None, lambda proposal: 1.0)
    assert position.best() == -0.8
    assert next_trial(position, 3).model == "autorec"  # type: ignore[union-attr]


def test_running_defaults_are_not_started_twice() -> None:
    position = dataclasses.replace(position_of(["ease"]), running=[proposal_of("ease", 1, is_default=True)])
    assert following(position) is None


@pytest.mark.parametrize("number", [3, 4])
def test_the_next_trial_is_the_same_without_a_budget(number: int) -> None:
    trials = [default_of(1, "ease"), default_of(2, "als", 0.49)]
    position = position_of(["ease", "als"], trials)
    slower = dataclasses.replace(position, trials=[dataclasses.replace(trial, seconds=99.0) for trial in trials])
    assert next_trial(position, number) == next_trial(slower, number)


def test_operations_grow_with_the_epochs() -> None:
    plan = Plan({"mult_dae": Space.of("mult_dae")}, METRIC, 0, SHAPE, 200, STATS)
    few, many = (plan.operations(proposal_of("mult_dae", epochs=epochs)) for epochs in (5, 50))
    assert 5 * few < many < 11 * few
    assert plan.is_trained("mult_dae")
