"""Evaluation of predicted ratings: errors over all ratings, and bootstrap over users."""
# ruff: noqa: PD011  a report's `values` are not those of pandas

import json
import math
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from recsys_ae.errors import DataError, UnsupportedError
from recsys_ae.evaluation import Report, compare, evaluate
from recsys_ae.evaluation import estimate as module
from recsys_ae.evaluation.estimate import estimate
from recsys_ae.metrics import error
from tests.evaluation.raters import Rater, holdout, ratings
from tests.evaluation.test_evaluate import Scores

TRUE = ratings()
OFF = np.random.default_rng(7).normal(size=TRUE.shape) * np.linspace(0.3, 1.7, len(TRUE))[:, None]
"""Errors that differ between users, who also have different numbers of ratings."""


def report(off: np.ndarray = OFF, metrics: tuple[str, ...] = ("rmse", "mae"), **settings: object) -> Report:
    return evaluate(Rater(TRUE, off), holdout(TRUE), metrics, **settings)  # type: ignore[arg-type]


def slowly(name: str, users: np.ndarray, off: np.ndarray = OFF) -> float:
    """Return the error over all ratings of some users, who may occur repeatedly."""
    errors = np.concatenate([off[user][TRUE[user] > 0] for user in users])
    return float(np.sqrt((errors**2).mean()) if name == "rmse" else np.abs(errors).mean())


def test_the_error_is_over_all_ratings_and_not_a_mean_of_the_users_errors() -> None:
    rated = report()
    for name in ("rmse", "mae"):
        assert rated.mean[name] == pytest.approx(slowly(name, np.arange(len(TRUE))), rel=1e-6)
        assert rated.mean[name] == pytest.approx(error(name, (TRUE + OFF)[TRUE > 0], TRUE[TRUE > 0]), rel=1e-6)
        assert abs(rated.mean[name] - rated.values[name].mean()) > 0.005


def test_the_values_are_the_users_own_errors_and_come_with_their_numbers_of_ratings() -> None:
    rated = report()
    for user in (0, 17, 119):
        assert rated.values.loc[f"user {user}", "rmse"] == pytest.approx(slowly("rmse", np.array([user])), rel=1e-5)
        assert rated.values.loc[f"user {user}", "mae"] == pytest.approx(slowly("mae", np.array([user])), rel=1e-5)
    assert rated.ratings is not None
    assert rated.ratings.tolist() == (TRUE > 0).sum(axis=1).tolist()
    assert rated.ratings.index.equals(rated.values.index)
    assert rated.n_ratings == (TRUE > 0).sum()


def test_values_and_numbers_of_ratings_are_enough_to_pool_again() -> None:
    rated = report()
    assert rated.ratings is not None
    share = rated.ratings / rated.ratings.sum()
    assert rated.mean["rmse"] == pytest.approx(math.sqrt((rated.values["rmse"] ** 2 * share).sum()), rel=1e-12)
    assert rated.mean["mae"] == pytest.approx((rated.values["mae"] * share).sum(), rel=1e-12)


def test_users_without_ratings_are_left_out() -> None:
    targets = TRUE.copy()
    targets[3] = 0
    rated = evaluate(Rater(np.delete(TRUE, 3, axis=0), np.delete(OFF, 3, axis=0)), holdout(targets), ["rmse", "mae"])
    assert (rated.n_users, rated.without_targets) == (119, 1)
    assert not rated.values.isna().any(axis=None)
    assert rated.mean["rmse"] == pytest.approx(slowly("rmse", np.delete(np.arange(120), 3)), rel=1e-6)


def test_lists_and_errors_may_be_asked_for_together_in_any_order() -> None:
    together = report(metrics=("ndcg@5", "rmse", "recall@3"))
    assert list(together.values) == list(together.summary) == ["ndcg@5", "rmse", "recall@3"]
    assert together.summary["rmse"] == report(metrics=("rmse",)).summary["rmse"]
    lists = report(metrics=("ndcg@5", "recall@3"))
    assert together.summary["ndcg@5"] == lists.summary["ndcg@5"]
    assert lists.ratings is None
    assert lists.n_ratings is None


def test_nothing_is_ranked_where_only_errors_are_asked_for() -> None:
    model = Rater(TRUE, OFF)
    evaluate(model, holdout(TRUE), ["rmse"])
    assert model.asked == ["predict"]
    evaluate(model, holdout(TRUE), ["ndcg@4", "mae"])
    assert model.asked == ["predict", "predict", "recommend 4"]


def test_a_model_without_lists_may_have_errors() -> None:
    class RatesOnly:
        predict = Rater(TRUE, OFF).predict

    assert evaluate(RatesOnly(), holdout(TRUE), ["rmse"]).n_users == 120  # type: ignore[arg-type]


def test_a_ranker_that_predicts_nothing_is_refused_before_it_works() -> None:
    model = Scores(np.arange(30.0))
    with pytest.raises(UnsupportedError, match=r"^Scores predicts no ratings, so rmse, mae cannot be computed; choose"):
        evaluate(model, holdout(TRUE), ["ndcg@10", "rmse", "mae"])
    assert model.calls == []


def test_the_models_own_refusal_comes_before_it_ranks() -> None:
    class Ranking(Rater):
        def predict(self, *args: object, **known: object) -> np.ndarray:
            raise UnsupportedError("ease ranks items, but its scores are no ratings")

    model = Ranking(TRUE)
    with pytest.raises(UnsupportedError, match="ease ranks items"):
        evaluate(model, holdout(TRUE), ["ndcg@10", "rmse"])
    assert model.asked == []


def test_ids_reach_the_model_without_the_users_who_are_left_out() -> None:
    targets = TRUE.copy()
    targets[:2] = 0
    held = holdout(targets)
    model = Rater(TRUE, OFF)
    model.knows_users = True
    rated = evaluate(model, held, ["rmse"])
    assert model.rows_of == held.users[2:].tolist()
    assert rated.mean["rmse"] == pytest.approx(slowly("rmse", np.arange(2, 120)), rel=1e-6)


def test_a_model_that_knows_no_users_is_given_no_ids() -> None:
    model = Rater(TRUE, OFF)
    evaluate(model, holdout(TRUE), ["rmse"])
    assert model.rows_of is None


# Intervals


def test_the_interval_is_that_of_users_drawn_with_all_their_ratings() -> None:
    estimates = report(n_resamples=2_000).summary
    rng = np.random.default_rng(5)
    for name in ("rmse", "mae"):
        drawn = np.array([slowly(name, rng.integers(0, 120, 120)) for _ in range(2_000)])
        low, high = np.percentile(drawn, [2.5, 97.5])
        spread = drawn.std(ddof=1)
        assert estimates[name].standard_error == pytest.approx(spread, rel=0.08)
        assert estimates[name].low == pytest.approx(low, abs=spread / 4)
        assert estimates[name].high == pytest.approx(high, abs=spread / 4)
        # Were ratings drawn one by one, it would seem far surer than it is.
        alone = np.abs(OFF[TRUE > 0]) ** (2 if name == "rmse" else 1)
        naive = alone.std() / math.sqrt(len(alone)) / (2 * estimates[name].mean if name == "rmse" else 1)
        assert estimates[name].standard_error > 1.2 * naive


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        counts = pd.Series(rng.integers(1, 40, 80))
        worse = rng.gamma(2.0, 0.5, 80)  # mean 1, whatever the number of ratings
        interval = estimate(pd.DataFrame({"mae": worse}), n_resamples=200, seed=seed, ratings=counts)["mae"]
        held += interval.low <= 1 <= interval.high
    assert 0.87 <= held / 200 <= 0.985


def test_errors_and_means_share_their_resamples() -> None:
    equal = pd.Series(np.full(50, 3))
    values = pd.DataFrame({"mae": np.random.default_rng(0).random(50)})
    values["hit@1"] = 1 - values["mae"]
    estimates = estimate(values, n_resamples=100, seed=0, ratings=equal)
    assert estimates["hit@1"].low == pytest.approx(1 - estimates["mae"].high, abs=1e-12)


def test_a_single_user_has_an_error_alone() -> None:
    rated = evaluate(Rater(TRUE[:1], OFF[:1]), holdout(TRUE[:1]), ["rmse"])
    assert rated.mean["rmse"] == pytest.approx(slowly("rmse", np.array([0])), rel=1e-5)
    assert "one user: no standard error and no interval" in str(rated)
    assert json.loads(rated.to_json())["metrics"]["rmse"]["low"] is None


def test_batches_bound_the_memory_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    counts = pd.Series(rng.integers(1, 50, 30_000))
    values = pd.DataFrame({"rmse": rng.random(30_000), "mae": rng.random(30_000)})
    monkeypatch.setattr(module, "BATCH", 2**19)
    tracemalloc.start()
    small = estimate(values, n_resamples=60, seed=0, ratings=counts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20
    monkeypatch.undo()
    assert estimate(values, n_resamples=60, seed=0, ratings=counts) == small


def test_errors_without_numbers_of_ratings_cannot_be_pooled() -> None:
    with pytest.raises(DataError, match="rmse needs the number of ratings of each user"):
        estimate(pd.DataFrame({"rmse": [1.0, 2.0]}), n_resamples=10, seed=0)


# Texts and tables


def test_the_text_says_what_the_errors_are() -> None:
    lines = str(report(metrics=("rmse", "mae"), n_resamples=300)).splitlines()
    n = int((TRUE > 0).sum())
    assert lines[0].startswith("rmse  ")
    assert lines[1].startswith("mae   ")
    assert lines[2:] == [
        f"rmse, mae of all {n:,} ratings ± standard error [95 % bootstrap interval] from 300 resamples of the 120 "
        "users, each with all their ratings",
        "rmse = root of the mean squared error of all predicted ratings; smaller is better",
        "mae = mean absolute error of all predicted ratings; smaller is better",
    ]


def test_the_text_tells_errors_and_means_apart() -> None:
    text = str(report(metrics=("recall@5", "mae")))
    assert "mean ± standard error [95 % bootstrap interval] over 120 users, 1,000 resamples" in text
    assert "mae of all" in text
    assert "recall@k = hits" in text
    assert "rmse" not in text


def test_json_and_frame_hold_the_errors() -> None:
    rated = report(metrics=("rmse", "ndcg@5"))
    read = json.loads(rated.to_json())
    assert read["metrics"]["rmse"]["mean"] == rated.mean["rmse"]
    assert (read["users"], read["ratings"]) == (120, int((TRUE > 0).sum()))
    assert json.loads(report(metrics=("ndcg@5",)).to_json())["ratings"] is None
    assert rated.to_frame().loc["rmse", "high"] == rated.summary["rmse"].high


# Comparisons


def test_the_difference_is_that_of_the_two_reports() -> None:
    first, second = report(OFF), report(1.3 * OFF + 0.1)
    comparison = compare(first, second)
    for name in ("rmse", "mae"):
        assert comparison.summary[name].mean == pytest.approx(first.mean[name] - second.mean[name], abs=1e-12)
    # A mean of the users' differences would be another number.
    assert abs(comparison.summary["rmse"].mean - (first.values - second.values)["rmse"].mean()) > 0.01


def test_the_interval_of_a_difference_comes_from_the_same_users_of_both() -> None:
    other_off = OFF + np.random.default_rng(3).normal(scale=0.05, size=OFF.shape) + 0.02 * np.sign(OFF)
    difference = compare(report(OFF), report(other_off), n_resamples=1_500).summary["rmse"]
    rng = np.random.default_rng(9)
    draws = [rng.integers(0, 120, 120) for _ in range(1_500)]
    drawn = np.array([slowly("rmse", users) - slowly("rmse", users, other_off) for users in draws])
    assert difference.standard_error == pytest.approx(drawn.std(ddof=1), rel=0.08)
    assert difference.low == pytest.approx(np.percentile(drawn, 2.5), abs=drawn.std() / 4)
    assert difference.high == pytest.approx(np.percentile(drawn, 97.5), abs=drawn.std() / 4)
    assert difference.high < 0
    alone = report(OFF).summary["rmse"]
    assert difference.high - difference.low < (alone.high - alone.low) / 5


def test_the_other_way_round_the_sign_changes() -> None:
    first, second = report(OFF), report(1.1 * OFF)
    forth, back = compare(first, second).summary["rmse"], compare(second, first).summary["rmse"]
    assert (forth.mean, forth.standard_error) == (-back.mean, back.standard_error)
    assert forth.low == pytest.approx(-back.high, abs=1e-12)


def test_a_model_does_not_differ_from_itself_in_whatever_order_its_users_stand() -> None:
    first = report(metrics=("rmse", "ndcg@5"))
    order = np.random.default_rng(1).permutation(120)
    held = holdout(TRUE).select(order)
    second = evaluate(Rater(TRUE[order], OFF[order]), held, ["rmse", "ndcg@5"])
    comparison = compare(first, second)
    assert [vars(numbers) for numbers in comparison.summary.values()] == [
        {"mean": 0, "standard_error": 0, "low": 0, "high": 0}
    ] * 2


def test_the_text_of_a_comparison_says_which_sign_is_good() -> None:
    text = str(compare(report(OFF), report(1.1 * OFF), n_resamples=200)).splitlines()
    assert text[0].startswith("rmse  -0.")
    assert text[2].startswith("paired difference: rmse, mae of all ")
    assert text[3] == "rmse, mae: smaller is better; a difference below 0 means that the first model is better"


def test_other_ratings_of_the_same_users_are_refused() -> None:
    more_ratings = TRUE.copy()
    more_ratings[5, np.flatnonzero(more_ratings[5] == 0)[0]] = 3
    second = evaluate(Rater(more_ratings, OFF), holdout(more_ratings), ["rmse"])
    with pytest.raises(DataError, match="1 of 120 users have more ratings in one report than in the other"):
        compare(report(), second)
