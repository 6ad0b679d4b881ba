"""Hyper-parameters: declaration, description, building and checks."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from recsys_ae.errors import ConfigError
from recsys_ae.spec import hyper
from recsys_ae.spec.hyper import Hyper, build, describe, flatten, hp, nearest, validate


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Configuration with a hyper-parameter of every type."""

    reads: ClassVar[Literal["words", "numbers"]] = "words"

    latent: int = hp(8, "size of the code", low=1, high=64, search=("log", 2, 32))
    rate: float = hp(0.5, "share dropped", low=0, high=0.99)
    hidden: tuple[int, ...] = hp((), "widths", low=1)
    kind: Literal["plain", "fancy"] = hp("plain", "kind of recipe")
    limit: int | None = hp(None, "maximum number; none is no limit", low=1)
    shuffle: bool = hp(True, "shuffle the rows each time")
    monitor: str = hp("ndcg@100", "validation metric")

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class RicherRecipe(Recipe):
    """Configuration that inherits, overrides and adds hyper-parameters."""

    reads: ClassVar[Literal["words", "numbers"]] = "numbers"

    rate: float = hp(0.1, "another default", low=0, high=1)
    extra: float = hp(2.0, "anything")


def test_describe_tells_all_that_was_declared_in_its_order() -> None:
    hypers = list(describe(Recipe))
    assert [member.name for member in hypers] == ["latent", "rate", "hidden", "kind", "limit", "shuffle", "monitor"]
    assert hypers[0] == Hyper("latent", int, 8, "size of the code", 1, 64, ("log", 2, 32))
    assert hypers[1].search is None
    assert hypers[2].type == tuple[int, ...]
    assert hypers[3].choices == ("plain", "fancy")
    assert all(member.choices == () for member in hypers if member.name != "kind")


def test_a_child_describes_what_it_inherits_with_its_own_defaults() -> None:
    defaults = {member.name: member.default for member in describe(RicherRecipe)}
    assert defaults["rate"] == 0.1
    assert defaults["extra"] == 2.0
    assert defaults["latent"] == 8


def test_what_belongs_to_the_class_is_no_hyper_parameter() -> None:
    assert (Recipe.reads, RicherRecipe().reads) == ("words", "numbers")
    assert "reads" not in flatten(RicherRecipe())
    assert "reads" not in {member.name for member in describe(RicherRecipe)}
    with pytest.raises(ConfigError, match="RicherRecipe has no hyper-parameter 'reads'"):
        build(RicherRecipe, {"reads": "numbers"})


def test_flatten_and_build_are_inverse_also_through_json() -> None:
    recipe = Recipe(latent=3, hidden=(5, 4), kind="fancy", limit=7, shuffle=False)
    values = flatten(recipe)
    assert values["hidden"] == [5, 4]
    assert build(Recipe, values) == recipe
    assert build(Recipe, json.loads(json.dumps(values))) == recipe


def test_build_fills_in_defaults() -> None:
    assert build(Recipe, {"latent": 3}) == Recipe(latent=3)


def test_an_unknown_name_suggests_the_nearest_and_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"Recipe has no hyper-parameter 'latnt'; did you mean 'latent'\? known: lat"):
        build(Recipe, {"latnt": 3})
    with pytest.raises(ConfigError, match=r"no hyper-parameter 'zzz'; known: latent, rate, hidden, kind, limit, sh"):
        build(Recipe, {"zzz": 3})


def test_nearest_ends_a_message() -> None:
    assert nearest("mult_va", ["ease", "mult_vae"]) == "; did you mean 'mult_vae'? known: ease, mult_vae"
    assert nearest("xyz", ["ease"]) == "; known: ease"


@pytest.mark.parametrize("value", [1, 64])
def test_bounds_are_inclusive(value: int) -> None:
    assert Recipe(latent=value).latent == value


@pytest.mark.parametrize(
    ("name", "value", "bounds"),
    [
        ("latent", 0, "1 to 64"),
        ("latent", 65, "1 to 64"),
        ("rate", -1e-9, "0 to 0.99"),
        ("rate", 1.0, "0 to 0.99"),
        ("hidden", (4, 0), "at least 1"),
        ("limit", 0, "at least 1"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_the_bounds(name: str, value: Any, bounds: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(Recipe, {name: value})
    assert str(caught.value) == f"{name} = {value!r} is out of bounds; expected {bounds}"


def test_bounds_are_said_in_words() -> None:
    words = {member.name: hyper.bounds(member) for member in describe(Recipe)}
    assert words["latent"] == "1 to 64"
    assert words["hidden"] == "at least 1"
    assert words["monitor"] == ""
    assert hyper.bounds(Hyper("x", float, 0.0, "", high=2)) == "at most 2"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400])
@pytest.mark.parametrize("name", ["rate", "extra"])
def test_a_number_that_is_not_finite_is_refused_with_and_without_bounds(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name} = .* must be a finite number"):
        build(RicherRecipe, {name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("latent", 2.0, "latent = 2.0 must be of type int, not float"),
        ("latent", "2", "latent = '2' must be of type int, not str"),
        ("latent", None, "latent = None must be of type int, not NoneType"),
        ("latent", np.float32(2), "latent = .* must be of type int, not float32"),
        ("rate", "0.5", "rate = '0.5' must be of type float, not str"),
        ("rate", 1j, "rate = 1j must be of type float, not complex"),
        ("hidden", 5, "hidden = 5 must be a list of int"),
        ("hidden", "55", "hidden = '55' must be a list of int"),
        ("hidden", (5, 2.5), "hidden = 2.5 must be of type int, not float"),
        ("kind", "other", "kind = 'other' is not one of 'plain', 'fancy'"),
        ("kind", 1, "kind = 1 is not one of 'plain', 'fancy'"),
        ("kind", ["plain"], r"kind = \['plain'\] is not one of 'plain', 'fancy'"),
        ("limit", "many", "limit = 'many' must be of type int, not str"),
        ("shuffle", 1, "shuffle = 1 must be of type bool, not int"),
        ("monitor", 5, "monitor = 5 must be of type str, not int"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        build(Recipe, {name: value})


@pytest.mark.parametrize("name", ["latent", "rate", "limit", "monitor"])
def test_a_truth_value_is_no_number_and_no_text(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} = True must be of type"):
        build(Recipe, {name: True})


def test_a_truth_value_is_no_element_either() -> None:
    with pytest.raises(ConfigError, match="hidden = True must be of type int, not bool"):
        Recipe(hidden=(True,))


def test_a_whole_number_serves_as_a_float_and_becomes_one() -> None:
    recipe = Recipe(rate=0)
    assert type(recipe.rate) is float
    assert recipe == Recipe(rate=0.0)


def test_numbers_of_numpy_become_those_of_python() -> None:
    values = {
        "latent": np.int64(3),
        "rate": np.float32(0.25),
        "hidden": [np.int32(4), np.uint8(5)],
        "limit": np.int16(6),
        "kind": np.str_("fancy"),
    }
    recipe = build(Recipe, values)
    assert [type(value) for value in (recipe.latent, recipe.rate, *recipe.hidden, recipe.limit, recipe.kind)] == [
        int, float, int, int, int, str,
    ]  # fmt: skip
    assert recipe == Recipe(latent=3, rate=0.25, hidden=(4, 5), limit=6, kind="fancy")
    assert json.loads(json.dumps(flatten(recipe))) == flatten(recipe)


def test_an_optional_value_may_be_missing() -> None:
    assert Recipe(limit=None).limit is None
    assert Recipe(limit=4).limit == 4


def test_equal_choices_make_equal_configurations_that_cannot_be_changed() -> None:
    assert Recipe(hidden=[5, 4]) == Recipe(hidden=(5, 4))  # type: ignore[arg-type]
    assert hash(Recipe(rate=0)) == hash(Recipe(rate=0.0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().latent = 9  # type: ignore[misc]
