"""Checks of data and memory before a fit: unsuitable data are refused with a way out, before a model is built."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Never

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys_ae import Interactions, Recommender, Run
from recsys_ae.errors import DataError, TrainingError
from recsys_ae.nn import capacity
from recsys_ae.nn.model import Shape, Spec
from recsys_ae.recommender.preflight import check

CPU = Run(device="cpu")


@dataclass(frozen=True, kw_only=True)
class Unbuilt(Spec):
    """Model that must not be built."""

    def build(self, shape: Shape) -> Never:
        raise AssertionError("was built")


@dataclass(frozen=True, kw_only=True)
class Rating(Unbuilt):
    """Model of ratings."""

    feedback: ClassVar[Literal["implicit", "explicit"]] = "explicit"


@dataclass(frozen=True, kw_only=True)
class Hungry(Unbuilt):
    """Model that needs 3 GiB for each item and 1 byte for each user."""

    def memory(self, shape: Shape) -> int:
        return 3 * 2**30 * shape.width + shape.n_rows


def data(values: list[float], **ids: Any) -> Interactions:
    """Return interactions of five users and four items; the first and the third user have none."""
    users, items = np.array([1, 1, 3, 3, 4])[: len(values)], np.array([0, 3, 1, 2, 3])[: len(values)]
    matrix = csr_matrix((np.array(values, np.float32), (users, items)), shape=(5, 4))
    names = {"users": pd.Index([10, 20, 30, 40, 50]), "items": pd.Index(["a", "b", "c", "d"]), **ids}
    return Interactions(matrix, names["users"], names["items"])


def assert_refused(spec: Spec, train: Interactions, error: type[Exception], message: str) -> None:
    """Assert that ``check`` and ``fit`` refuse the data with this message."""
    with pytest.raises(error) as caught:
        check(spec, train, CPU)
    assert str(caught.value) == message
    with pytest.raises(error) as caught:
        Recommender(spec).fit(train, run=CPU)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [1.0, 3.5, -2.0])
def test_ratings_that_do_not_differ_are_no_ratings(value: float) -> None:
    message = (
        f"all 5 ratings are {value:g}, so there is nothing to predict; Rating needs ratings that differ: "
        "name the column of the ratings, and do not set min_rating"
    )
    assert_refused(Rating(), data([value] * 5), DataError, message)
    assert_refused(Rating(), data([value]), DataError, message.replace("5 ratings", "1 ratings"))


def test_ratings_may_be_negative_where_ratings_are_read() -> None:
    check(Rating(), data([-1, -1, -1, -1, 0]), CPU)
    check(Rating(), data([4, 5, 4, 4, 4]), CPU)


def test_the_same_value_throughout_is_what_interactions_are() -> None:
    check(Unbuilt(), data([1] * 5), CPU)
    check(Unbuilt(), data([0, 0.5, 0, 2, 1e9]), CPU)


def test_negative_values_are_refused_naming_the_first_user_and_item() -> None:
    message = (
        "2 of 5 values are negative, the first -3 of user 40 and item 'c'; Unbuilt reads values as "
        "counts of interactions: keep only ratings above a threshold with min_rating"
    )
    assert_refused(Unbuilt(), data([1, 2, 0, -3, -0.5]), DataError, message)


@pytest.mark.parametrize(
    ("place", "user", "item"), [(0, "20", "'a'"), (1, "20", "'d'"), (2, "40", "'b'"), (4, "50", "'d'")]
)
def test_users_without_interactions_do_not_shift_the_names(place: int, user: str, item: str) -> None:
    values = [1.0] * 5
    values[place] = -1
    with pytest.raises(DataError, match=f"1 of 5 values are negative, the first -1 of user {user} and item {item};"):
        check(Unbuilt(), data(values), CPU)


def test_ids_are_shown_as_what_they_are() -> None:
    train = data([-1, 1, 1, 1, 1], users=pd.Index(["10", "20", "30", "40", "50"]), items=pd.Index([1, 2, 3, 4]))
    with pytest.raises(DataError, match="of user '20' and item 1;"):
        check(Unbuilt(), train, CPU)


def test_too_little_memory_is_refused_with_both_numbers_and_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda device: int(2.25 * 2**30))
    message = (
        "Hungry needs 12.0 GiB for 5 users and 4 items, and 2.2 GiB are free; keep fewer items (min_item_users), "
        "compute with dtype = 'float32', or use elsa, which needs memory for items × latent only"
    )
    assert_refused(Hungry(), data([1] * 5), TrainingError, message)


@pytest.mark.parametrize("free", [12 * 2**30 + 5, 2**60, None])
def test_just_enough_memory_is_enough_and_an_unknown_amount_is_tried(
    free: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda device: free)
    check(Hungry(), data([1] * 5), CPU)


def test_one_byte_too_few_is_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda device: 12 * 2**30 + 4)
    with pytest.raises(TrainingError):
        check(Hungry(), data([1] * 5), CPU)


def test_the_memory_of_the_device_that_is_fitted_on_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    devices: list[str] = []
    monkeypatch.setattr(capacity, "free_memory", lambda device: devices.append(str(device)))
    check(Hungry(), data([1] * 5), CPU)
    assert devices == ["cpu"]


def test_a_refused_fit_leaves_what_was_fitted_before_whole() -> None:
    from recsys_ae.models import Popularity

    model = Recommender(Popularity()).fit(data([1] * 5), run=CPU)
    before = model.score(data([1] * 5).matrix)
    with pytest.raises(DataError, match="1 of 5 values are negative"):
        model.fit(data([1, -1, 1, 1, 1]), run=CPU)
    np.testing.assert_array_equal(model.score(data([1] * 5).matrix), before)


def test_a_network_that_does_not_fit_is_refused_with_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    from recsys_ae.models import MultVAE

    monkeypatch.setattr(capacity, "free_memory", lambda device: 100)
    with pytest.raises(TrainingError, match=r"mult_vae needs .* for moments of adam: .*sampled_items = 5000"):
        check(MultVAE.paper(), data([1] * 5), CPU)
    with pytest.raises(TrainingError) as caught:
        check(MultVAE.paper(sampled_items=2), data([1] * 5), CPU)
    assert "sampled_items" not in str(caught.value)
