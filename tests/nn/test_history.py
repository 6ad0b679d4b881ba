"""Selection of the best epoch, for metrics of which larger or smaller is better."""

import math

import pytest

from recsys_ae.errors import ConfigError
from recsys_ae.nn.history import Best, History


@pytest.mark.parametrize(
    ("values", "monitor", "kept"),
    [
        ([1.2, 0.8, 0.9], "rmse", 2),
        ([1.2, 0.8, 0.9], "ndcg@100", 1),
        ([0.8, 0.9, 0.9], "ndcg@100", 2),
        ([math.nan, 0.8, 0.8], "rmse", 2),
        ([math.nan, math.nan], "ndcg@100", None),
        ([], "ndcg@100", None),
    ],
)
def test_the_first_of_the_best_epochs_is_kept(values: list[float], monitor: str, kept: int | None) -> None:
    history = History.replayed([{f"valid/{monitor}": value} for value in values], monitor)
    assert len(history) == len(values)
    assert history.best == (None if kept is None else Best(kept, values[kept - 1], monitor))


def test_epochs_without_validation_have_no_best_one() -> None:
    assert History.replayed([{"loss": 1.0}], "rmse").best is None


def test_each_verdict_is_about_the_last_epoch() -> None:
    history = History()
    verdicts = []
    for value in (0.2, 0.1, 0.3):
        history.append({"valid/recall@20": value})
        verdicts.append(history.update_best("recall@20"))
    assert verdicts == [True, False, True]


def test_a_monitor_that_was_not_measured_is_named() -> None:
    with pytest.raises(ConfigError, match=r"monitor = 'ndcg@5' is not a validation metric of this fit; use rmse"):
        History([{"valid/rmse": 1.0}]).update_best("ndcg@5")
