"""Checks of numbers, shares and times that several splits use."""

import pandas as pd
import pytest

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.checks import active, known_times, number_of, shares
from recsys_ae.errors import DataError


def small(times: list[int] | None) -> Interactions:
    frame = pd.DataFrame({"user": [1, 2, 2], "item": [7, 7, 8]})
    if times is None:
        return Interactions.from_frame(frame)
    return Interactions.from_frame(frame.assign(time=times), timestamp="time")


@pytest.mark.parametrize(("value", "n"), [(0, 0), (1, 1), (7, 7), (0.5, 5), (0.1, 1), (0.96, 10), (99, 99)])
def test_a_number_of_users_is_a_number_or_a_rounded_share(value: float, n: int) -> None:
    actual = number_of("n_valid", value, 10, least=0)
    assert actual == n
    assert isinstance(actual, int)


@pytest.mark.parametrize("value", [-1, 0.0, 1.0, 1.5, -0.5, 0.01])
def test_a_number_of_users_below_zero_a_share_out_of_bounds_and_a_share_of_nobody_are_refused(value: float) -> None:
    with pytest.raises(DataError) as refused:
        number_of("n_valid", value, 10, least=0)
    assert str(refused.value) == (
        f"n_valid = {value} is neither a number of users, at least 0, nor a share between 0 and 1 that holds one of "
        "the 10 users"
    )


def test_a_number_of_users_has_a_least_value() -> None:
    assert number_of("n_test", 3, 1_000, least=3) == 3
    with pytest.raises(DataError, match=r"^n_test = 2 is .* at least 3, .* one of the 1,000 users$"):
        number_of("n_test", 2, 1_000, least=3)


def test_shares_leave_something_to_train_on() -> None:
    shares(test=0.5, valid=0.49)
    shares(test=0.5, valid=0)
    for test, valid in ((0.5, 0.5), (0.7, 0.6)):
        with pytest.raises(DataError) as refused:
            shares(test=test, valid=valid)
        assert str(refused.value) == (
            f"test and validation together are {test + valid:g} of the data; lower one to leave data for training"
        )


@pytest.mark.parametrize("wrong", [{"test": 0}, {"test": 1}, {"valid": 1}, {"valid": -0.1}, {"fold_in": 0}])
def test_a_share_is_between_0_and_1_and_only_that_of_validation_may_be_0(wrong: dict[str, float]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(DataError, match=rf"^{name} = {value} is not a share between 0 and 1$"):
        shares(**wrong)


def test_times_are_known_for_all_interactions() -> None:
    assert known_times(small([3, 1, 2])).tolist() == [3, 1, 2]
    assert known_times(small([1, 1, 1])).tolist() == [1, 1, 1]
    with pytest.raises(DataError) as refused:
        known_times(small([3, 0, 2]))
    assert str(refused.value) == (
        "1 of 3 timestamps are 0, which means unknown; remove those interactions, or choose a split without time"
    )
    with pytest.raises(DataError) as refused:
        known_times(small(None))
    assert str(refused.value) == (
        "the data have no timestamps; set timestamp when a file is read, or choose another split"
    )


def test_users_without_interactions_are_removed_and_counted() -> None:
    data = small([3, 1, 2])
    assert active(data) is data
    with_idle = data.take(data.matrix.indices == 1)
    without = active(with_idle)
    assert without.users.tolist() == [2]
    (*_, step) = without.steps
    assert (step.name, step.before, step.after) == ("users without interactions", with_idle.counts, without.counts)
    with pytest.raises(DataError, match=r"^the data have no interactions to split$"):
        active(data.take(data.matrix.indices == 2))
