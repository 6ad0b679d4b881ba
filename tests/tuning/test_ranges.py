"""Tuning ranges: complete for every model, overridden and frozen by users, and wrong entries."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from recsys_ae import models
from recsys_ae.errors import ConfigError
from recsys_ae.spec.hyper import build, describe
from recsys_ae.tuning import tune
from recsys_ae.tuning.ranges import FIXED, Range, Space, checked, grid, read
from tests.tuning.small import split_of

EVERY = [name for name in models.names() if name != "blend"]


@pytest.mark.parametrize("model", EVERY)
def test_each_hyper_parameter_has_a_range_or_a_reason(model: str) -> None:
    for one in describe(models.spec_class(model)):
        assert one.search is not None or one.name in FIXED, one.name


def test_no_reason_is_left_over() -> None:
    without = {one.name for model in models.names() for one in describe(models.spec_class(model)) if one.search is None}
    assert set(FIXED) == without


@pytest.mark.parametrize("model", EVERY)
def test_every_value_of_a_range_is_allowed(model: str) -> None:
    space = Space.of(model)
    for name, found in {**space.searched, **space.free}.items():
        for value in found.choices or (found.low, found.high):
            build(models.spec_class(model), {name: round(value) if found.is_whole else value})


def test_a_condition_counts_by_the_value_of_another_hyper_parameter() -> None:
    space = Space.of("edlae")
    assert not space.searched["omega"].counts({"rank": 0})
    assert space.searched["omega"].counts({"rank": 16})
    assert space.searched["user_discount"].counts({"rank": 0})
    assert Range("linear", 0, 1, only_if=("kind", "cosine")).counts({"kind": "cosine"})
    assert not Range("linear", 0, 1, only_if=("kind", "cosine")).counts({"kind": "constant"})
    assert Range("linear", 0, 1).counts({})


def test_users_override_and_freeze() -> None:
    entries = {"l2": {"low": 5, "high": 50}, "popularity_discount": 0.1}
    space = Space.of("edlae", {**entries, "iterations": {"low": 2, "high": 4, "log": True}})
    assert space.searched["l2"] == Range("log", 5.0, 50.0)  # as the model's own range
    assert space.searched["iterations"] == Range("log", 2.0, 4.0, only_if=("rank", True), is_whole=True)
    assert space.frozen == {"popularity_discount": 0.1}
    assert space.defaults["popularity_discount"] == 0.1
    assert not space.free
    assert Space.of("edlae", {"l2": {"low": 0, "high": 9, "log": False}}).searched["l2"].kind == "linear"


def test_what_is_not_tuned_is_tuned_by_a_range() -> None:
    space = Space.of("mult_dae", {"epochs": {"low": 5, "high": 10}, "hidden": {"choices": [[], [8], [16, 8]]}})
    assert space.searched["epochs"] == Range("linear", 5.0, 10.0, is_whole=True)
    assert space.searched["hidden"].choices == ((), (8,), (16, 8))


def test_equal_choices_are_one() -> None:
    assert Space.of("ease", {"l2": {"choices": [1, 1.0, 2]}}).searched["l2"].choices == (1.0, 2.0)


def test_with_item_features_nothing_is_free() -> None:
    assert "popularity_discount" in Space.of("edlae").free
    assert "popularity_discount" in Space.of("edlae", has_features=True).searched


def test_a_file_is_read_and_names_may_have_hyphens(tmp_path: Path) -> None:
    path = tmp_path / "ranges.toml"
    path.write_text("[ease]\nl2 = 7\n[mult-dae]\nlr = {low = 1e-4, high = 1e-2}\n")
    spaces = checked(read(path), ("ease", "mult_dae", "als"), source=path)
    assert spaces["ease"].frozen == {"l2": 7}
    assert spaces["mult_dae"].searched["lr"] == Range("log", 1e-4, 1e-2)
    assert spaces["als"] == Space.of("als")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[eese]\nl2 = 1", "[eese]: there is no model 'eese'; did you mean 'ease'?"),
        ("[als]\nl2 = 1", "[als]: als is not searched; add it to models"),
        ("[ease]\ndtipe = 'x'", "[ease]: ease has no hyper-parameter 'dtipe'; did you mean 'dtype'?"),
        ("[ease]\nl2 = 'much'", "[ease]: l2 = 'much' must be of type float, not str"),
        ("[ease]\nl2 = true", "[ease]: l2 = True must be of type float, not bool"),
        ("[ease]\nl2 = -1", "[ease]: l2 = -1.0 is out of bounds; expected at least 0"),
        ("[ease]\nl2 = inf", "[ease]: l2 = inf must be a finite number"),
        ("[ease]\nl2 = 1979-05-27", "[ease]: l2 = datetime.date(1979, 5, 27) must be of type float, not date"),
        ("[ease]\nl2 = [1, 2]", "[ease]: l2 = [1, 2] must be of type float, not list"),
        ("[ease]\nl2 = {low = 9, high = 1}", "[ease]: l2 goes from 9 to 1; expected a smaller number first"),
        ("[ease]\nl2 = {low = 1, high = 1}", "l2 goes from 1 to 1; expected a smaller number first"),
        ("[ease]\nl2 = {low = 0, high = 1}", "l2 goes from 0 to 1; expected a smaller number first, above 0 for a log"),
        ("[ease]\nl2 = {low = -1, high = 1}", "[ease]: l2 = -1.0 is out of bounds"),
        ("[ease]\nl2 = {low = nan, high = 1}", "[ease]: l2 = nan must be a finite number"),
        ("[ease]\nl2 = {low = 1}", "[ease]: l2 = {low = 1} is no range; write {low = 1, high = 10}"),
        ("[ease]\nl2 = {low = 1, hihg = 2}", "l2 = {low = 1, hihg = 2} is no range"),
        ("[ease]\nl2 = {low = 1979-05-27, high = 2}", "is no range"),
        ("[ease]\nl2 = {low = '1', high = 2}", "l2 = {low = '1', high = 2} is no range"),
        ("[ease]\nl2 = {low = 1, high = 2, log = 'yes'}", "is no range"),
        ("[ease]\nl2 = {choices = []}", "l2 = {choices = []} is no range"),
        ("[ease]\nl2 = {choices = 3}", "l2 = {choices = 3} is no range"),
        ("[ease]\nl2 = {choices = ['a']}", "l2 = 'a' must be of type float"),
        ("[ease]\nl2 = {choices = [{a = 1}]}", "must be of type float, not dict"),
        ("[ease]\nl2 = {}", "l2 = {} is no range"),
        ("[mult_dae]\nepochs = {low = 1.5, high = 3}", "[mult_dae]: epochs = 1.5 must be of type int"),
        ("[mult_dae]\nhidden = {low = 1, high = 3}", "[mult_dae]: hidden = 1 must be a list of int"),
        ("[mult_dae]\nmonitor = 'recall@20'", "[mult_dae]: monitor is the metric of the search; set metric"),
        ("ease = 5", "[ease]: it is no table; write one for each model, such as [ease]"),
        ("[mult-dae]\nlr = 1\n[mult_dae]\nlr = 2", "[mult_dae]: there is another table for mult_dae"),
    ],
)
def test_a_wrong_entry_is_one_line_with_its_file_and_table(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "ranges.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        checked(read(path), ("ease", "mult_dae"), source=path)
    assert str(caught.value).startswith(f"ranges: {path}: [")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[ease", "is no TOML file"),
        (b"l2 = 1 = 2", "is no TOML file"),
        (b"[ease]\nl2 = '\xff'", "is no TOML file"),
        (b"\xff\xfe[\x00e\x00", "is no TOML file"),
        (b"a = " + b"[" * 10_000, "is no TOML file"),
        (None, "No such file"),
        ("folder", "Is a directory"),
    ],
)
def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "ranges.toml"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [5, None, [1], "l2"])
def test_python_users_get_the_same_lines(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"ranges: \[ease\]: it is no table"):
        tune(split_of(), models=["ease"], ranges={"ease": wrong}, trials=1)
    with pytest.raises(ConfigError, match="must be of type float, not date"):
        tune(split_of(), models=["ease"], ranges={"ease": {"l2": datetime.date(2020, 1, 1)}}, trials=1)


def test_an_empty_table_changes_nothing() -> None:
    assert checked({"ease": {}}, ("ease",)) == {"ease": Space.of("ease")}


def test_values_of_a_grid_are_even_and_include_the_ends() -> None:
    assert grid(Range("linear", 1, 2), 5) == [1, 1.25, 1.5, 1.75, 2]
    assert grid(Range("linear", 1, 2), 1) == [1]
