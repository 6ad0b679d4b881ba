"""Names and values in the form that every MLflow store accepts."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys_ae.tracking.mlflow_names import MOST_CHARACTERS, MOST_PARAMETERS, Names, batches, name, shortened, written

PARTS = st.text(st.sampled_from("aAbß/@._ :%\n-é🎬"), max_size=8) | st.text(max_size=5)
LONG = st.sampled_from(["x" * 300, "é" * 300, "x" * 248 + "/.y", "/".join("a" * 200)])


def folders(text: str) -> set[str]:
    return {text[:position] for position, letter in enumerate(text) if letter == "/"}


@settings(deadline=None)
@given(st.lists(PARTS | LONG, max_size=30))
@example(["test/recall@20", "test/recall@20/standard_error", "test"])
@example(["loss/a", "loss", "loss_2", "LOSS"])
@example(["..:", "..:/a"])
@example(["x" * 300, "x" * 301, "x" * 302])
def test_any_metrics_of_a_run_can_be_in_a_store_of_files(metrics: list[str]) -> None:
    from mlflow.utils.validation import MAX_ENTITY_KEY_LENGTH, _validate_metric_name

    names = Names()
    stored = {metric: names.of(metric) for metric in metrics}
    assert len({text.casefold() for text in stored.values()}) == len(stored)
    assert {metric: names.of(metric) for metric in stored} == stored
    with tempfile.TemporaryDirectory() as folder:
        for text in stored.values():
            _validate_metric_name(text)
            assert len(text) <= MAX_ENTITY_KEY_LENGTH
            path = Path(folder) / text
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(exist_ok=False)


@given(st.lists(PARTS, unique_by=name, max_size=10))
def test_names_that_can_stand_side_by_side_stay_as_they_are(metrics: list[str]) -> None:
    plain = {name(metric).casefold() for metric in metrics}
    if len(plain) == len(metrics) and not plain & {folder for text in plain for folder in folders(text)}:
        names = Names()
        assert [names.of(metric) for metric in metrics] == [name(metric) for metric in metrics]


def test_names_that_a_run_has_are_kept_and_not_made_folders() -> None:
    names = Names(["test/recall_at_20", "test/recall_at_20/standard_error", "valid/map"])
    assert names.of("test/recall@20") == "test/recall_at_20"
    assert names.of("test/recall@20/low") == "test_recall_at_20_low"
    assert names.of("valid") == "valid_2"


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5).map(lambda text: text * 20_000), max_size=120))
def test_no_request_is_too_large(values: dict[str, str]) -> None:
    requests = list(batches(values))
    assert [pair for request in requests for pair in request] == list(values.items())
    for request in requests:
        length = sum(len(key) + len(text) for key, text in request)
        assert len(request) <= MOST_PARAMETERS
        assert len(request) == 1 or length <= MOST_CHARACTERS


@pytest.mark.parametrize(
    ("value", "text"), [(None, "None"), ([1, "é"], '[1, "é"]'), ({"a": 1}, '{"a": 1}'), ("f\udcff", "f\\udcff")]
)
def test_values_are_text_that_can_be_encoded(value: object, text: str) -> None:
    assert written(value) == text


def test_a_long_text_is_cut() -> None:
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcd", 4) == "abcd"
