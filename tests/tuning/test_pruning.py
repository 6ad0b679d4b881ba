"""End of trainings: only at the same epoch of an equally long plan, paired over the users."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_ae.nn.history import VALIDATION, History
from recsys_ae.tuning.pruning import Curve, Rival, Values, curve_arrays, curve_of, difference, reason_to_stop
from tests.tuning.small import METRIC, values_of

GOOD, BAD = values_of(0.5, 0.6, 0.7, 0.8), values_of(0.3, 0.41, 0.5, 0.59)


def history_of(*values: float, metric: str = METRIC) -> History:
    return History.replayed([{f"{VALIDATION}{metric}": value} for value in values], metric)


def rival_of(values: dict[int, Values], epochs: int = 32) -> Rival:
    return Rival(3, Curve(epochs, values))


def asked(curve: Curve, history: History, rival: Rival | None = None, best: float | None = None, **how: object) -> str:
    metric = str(how.get("metric", METRIC))
    return reason_to_stop(curve, history, metric, rival, best, is_default=bool(how.get("is_default"))) or ""


def test_epochs_at_which_trainings_are_compared() -> None:
    assert Curve(100).rungs == [12, 25, 50]
    assert Curve(32).rungs == [4, 8, 16]
    assert Curve(10).rungs == [5]
    assert Curve(7).rungs == [4]
    assert Curve(6).rungs == []
    assert Curve(1).rungs == []


def test_a_training_that_is_worse_for_the_same_users_at_the_same_epoch_ends() -> None:
    reason = asked(Curve(32, {4: BAD}), history_of(0.3, 0.3, 0.3, 0.45), rival_of({4: GOOD}))
    assert reason == "after 4 of 32 epochs 0.2000 ± 0.0041 worse than trial 3"


@pytest.mark.parametrize(
    "rival",
    [
        rival_of({4: GOOD}, epochs=33),  # another plan, by whose schedule the learning rate differs
        rival_of({8: GOOD}),  # another epoch
        rival_of({}),
        None,
    ],
)
def test_trainings_that_cannot_be_compared_go_on(rival: Rival | None) -> None:
    assert asked(Curve(32, {4: BAD}), history_of(0.3, 0.3, 0.3, 0.45), rival) == ""


@pytest.mark.parametrize("length", [1, 2, 3, 5, 9, 32])
def test_between_the_rungs_nothing_ends(length: int) -> None:
    history = history_of(*[0.1] * length)
    assert asked(Curve(32, {4: BAD}), history, rival_of({4: GOOD}), best=0.9) == ""


def test_a_training_without_values_at_the_rung_is_not_compared() -> None:
    assert asked(Curve(32), history_of(0.3, 0.3, 0.3, 0.45), rival_of({4: GOOD})) == ""


def test_a_difference_within_one_standard_error_is_no_reason() -> None:
    noisy = values_of(0.9, 0.1, 0.7, 0.8)  # 0.025 worse, standard error 0.19
    assert asked(Curve(32, {4: noisy}), history_of(0.6, 0.6, 0.6, 0.625), rival_of({4: GOOD})) == ""


def test_smaller_errors_are_better() -> None:
    history = history_of(0.5, 0.5, 0.5, 0.5, metric="rmse")
    assert asked(Curve(32, {4: BAD}), history, rival_of({4: GOOD}), metric="rmse") == ""
    assert "0.2000 ± 0.0041 worse" in asked(Curve(32, {4: GOOD}), history, rival_of({4: BAD}), metric="rmse")


def test_users_without_targets_do_not_count() -> None:
    gain, error = difference(values_of(1, 2, math.nan, 4), values_of(0.5, 1.0, 7, math.nan), METRIC)
    assert gain == pytest.approx(0.75)
    assert error == pytest.approx(0.25)
    assert difference(values_of(math.nan), values_of(1), METRIC)[0] == 0
    one = difference(values_of(1, math.nan), values_of(3, 1), METRIC)
    assert one[0] == -2
    assert math.isnan(one[1])


def test_one_user_is_no_evidence() -> None:
    assert asked(Curve(32, {4: values_of(0.1)}), history_of(0.1, 0.1, 0.1, 0.1), rival_of({4: values_of(0.9)})) == ""


def test_a_doubling_of_the_epochs_gains_what_the_last_one_gained() -> None:
    # 0.30 after 2 epochs, 0.40 after 4: three doublings to 32 epochs reach 0.70
    assert asked(Curve(32), history_of(0.30, 0.30, 0.30, 0.40), best=0.69) == ""
    assert asked(Curve(32), history_of(0.30, 0.30, 0.30, 0.40), best=0.71) == (
        "after 4 of 32 epochs at 0.4000, too far from the best, 0.7100"
    )


def test_a_first_trial_has_slack() -> None:
    history = history_of(0.30, 0.30, 0.30, 0.40)
    assert asked(Curve(32), history, best=0.73, is_default=True) == ""
    assert asked(Curve(32), history, best=0.73) != ""
    assert asked(Curve(32), history, best=0.74, is_default=True) != ""


def test_errors_that_fall_reach_a_smaller_one() -> None:
    history = history_of(1.2, 1.2, 1.2, 1.1, metric="rmse")  # reaches 0.8
    assert asked(Curve(32), history, best=0.81, metric="rmse") == ""
    assert "at 1.1000, too far from the best, 0.7900" in asked(Curve(32), history, best=0.79, metric="rmse")


@given(st.lists(st.floats(0, 1) | st.just(math.nan), min_size=2, max_size=32), st.floats(0.01, 1))
def test_a_training_ahead_of_all_goes_on(values: list[float], best: float) -> None:
    values[-1] = best
    assert asked(Curve(32), history_of(*values), best=best) == ""


def test_curves_are_saved_and_read() -> None:
    curve = Curve(16, {2: BAD, 4: GOOD}, GOOD, 4, BAD, 5)
    again = curve_of(16, curve_arrays(curve))
    assert again.at.keys() == {2, 4}
    assert (again.best_epoch, again.latest_epoch) == (4, 5)
    assert np.array_equal(again.best, GOOD)  # type: ignore[arg-type]
    assert np.array_equal(again.latest, BAD)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["best", "epoch_x", "epoch_²", "other_2", "epoch_2"])
def test_other_arrays_are_no_curve(name: str) -> None:
    with pytest.raises(ValueError, match=name.partition("_")[0]):
        curve_of(16, {name: np.array(["a"]) if name == "epoch_2" else GOOD})
