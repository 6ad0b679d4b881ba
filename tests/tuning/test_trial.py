"""Trials as text and as JSON values."""

import json
from typing import Any

import pytest

from recsys_ae.tuning.trial import Trial, folder_name, refuse_wrong
from tests.tuning.small import METRIC, proposal_of, trial_of


def test_a_trial_is_the_same_after_json() -> None:
    trial = trial_of(7, "edlae", 0.25, settings={"l2": 5.0, "hidden": [1, 2], "word": None}, epochs=3, epoch=2)
    assert Trial(**json.loads(json.dumps(trial.as_dict()))) == trial


def test_the_line_of_a_trial() -> None:
    trial = trial_of(7, "edlae", settings={"l2": 1234.5, "hidden": [8, 4], "tied": True, "word": None})
    assert trial.text() == "edlae l2=1.23e+03,hidden=8/4,tied=True,word=None"
    assert trial_of(1).text() == "ease"
    assert (folder_name(7), folder_name(12345)) == ("0007", "12345")


def test_a_model_selects_its_best_epoch_by_the_metric_of_the_search() -> None:
    assert proposal_of("mult_dae").spec("recall@7").monitor == "recall@7"
    assert proposal_of("ease", l2=3.0).spec(METRIC).l2 == 3.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "value"),
    [("number", "1"), ("number", True), ("model", 3), ("settings", []), ("is_default", 1), ("status", "gone"),
     ("reason", None), ("value", "high"), ("value", True), ("epochs", 1.5), ("seconds", None), ("memory", [])],
)  # fmt: skip
def test_a_field_of_another_type_is_refused(name: str, value: Any) -> None:
    refuse_wrong(trial_of(1, value=None))
    with pytest.raises(TypeError, match=f"its {name} is "):
        refuse_wrong(Trial(**{**trial_of(1).as_dict(), name: value}))
