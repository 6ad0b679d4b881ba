"""Models that learn from ratings, and users of the training data, on the command line."""

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest

from recsys_ae import Recommender, evaluate, read_interactions
from recsys_ae.data import named
from recsys_ae.data.catalog import movielens
from recsys_ae.data.dataset_info import Dataset
from recsys_ae.data.filters import MinInteractions
from recsys_ae.data.splits.split import split_ratings
from recsys_ae.tracking import MLflowTracker
from recsys_ae_cli import mlflow_runs, options
from recsys_ae_cli.ids import as_known
from tests.cli.conftest import FAST, RATED, Run


def source(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "notes.json").read_text(encoding="utf-8"))["source"]
    return found


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


# Fitting


def test_ratings_are_divided_and_kept_as_they_are_unless_told_otherwise(cli: Run, here: Path, ratings: Path) -> None:
    outcome = cli("fit", "autorec", "--data", ratings, *FAST, *RATED, "--out", "model")
    assert (outcome.code, outcome.err) == (0, "")
    assert "ratings split" in outcome.out
    assert "No rating threshold: all ratings keep their values." in outcome.out
    assert (source(here / "model")["split"], source(here / "model")["min_rating"]) == ("ratings", "none")
    data = MinInteractions(user=3)(read_interactions(ratings))
    assert split_ratings(data, seed=98765).fingerprint in outcome.out


def test_the_epoch_with_the_smallest_error_is_said_to_be_kept(cli: Run, here: Path, ratings: Path) -> None:
    outcome = cli("fit", "autorec", "--data", ratings, *FAST, *RATED, "--lr", "0.3", "--out", "model")
    errors = [epoch["valid/rmse"] for epoch in Recommender.load(here / "model").history]
    best = int(np.argmin(errors))
    assert best != int(np.argmax(errors))
    assert f"epoch {best + 1} of 30" in outcome.out
    assert f"rmse      {errors[best]:.4f}" in outcome.out


def test_the_loss_curve_marks_the_smallest_error(rated_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    tracker = object.__new__(MLflowTracker)
    monkeypatch.setattr(tracker, "_ask", lambda do, **request: asked.append({"do": do, **request}), raising=False)
    tracker.patience = 0.0
    model = Recommender.load(rated_model)
    mlflow_runs.Tracking(tracker).finish(model, rated_model)
    errors = [epoch["valid/rmse"] for epoch in model.history]
    assert (asked[0]["do"], asked[0]["best"]) == ("loss_curve", (errors.index(min(errors)) + 1, "rmse"))


@pytest.mark.parametrize("where", ["typed", "configured"])
def test_a_rating_threshold_is_wrong_usage(cli: Run, here: Path, ratings: Path, where: str) -> None:
    (here / "run.toml").write_text("min-rating = 4\n")
    how = ("--min-rating", "4") if where == "typed" else ("--config", "run.toml")
    outcome = cli("fit", "autorec", "--data", ratings, *FAST, *how)
    assert outcome.code == 2
    assert outcome.error.startswith("Error: --min-rating 4: autorec learns from all ratings with their values; ")


@pytest.mark.parametrize("word", ["none", "auto"])
def test_no_rating_threshold_may_be_said(cli: Run, here: Path, ratings: Path, word: str) -> None:
    how = ("--min-rating", word, "--split", "strong")
    assert cli("fit", "autorec", "--data", ratings, *FAST, *RATED, "--epochs", 1, *how, "--out", "model").code == 0
    assert (source(here / "model")["split"], source(here / "model")["min_rating"]) == ("strong", "none")


@pytest.mark.parametrize("split", ["strong", "weak", "leave-last", "time", "none"])
def test_other_splits_remain_possible(cli: Run, ratings: Path, split: str) -> None:
    fitted = cli("fit", "autorec", "--data", ratings, *FAST, *RATED, "--epochs", 2, "--split", split, "--out", "model")
    assert fitted.code == 0
    if split != "none":
        assert cli("evaluate", "model").out.startswith("rmse")


def test_users_to_hold_out_go_with_another_split(cli: Run, ratings: Path) -> None:
    outcome = cli("fit", "autorec", "--data", ratings, *FAST, "--valid-users", "5")
    assert outcome.code == 2
    assert "--valid-users needs --split strong, not ratings" in outcome.error


def test_help_shows_the_defaults_of_the_model(cli: Run) -> None:
    rated, others = (" ".join(cli("fit", model, "--help").out.split()) for model in ("autorec", "ease"))
    assert "[default: ratings]" in rated
    assert "this model learns from all ratings with their values. [default: none]" in rated
    assert "[default: strong]" in others
    assert "[default: 4 if there are ratings; none with --split ratings]" in others
    assert "[default: rmse]" in rated


@pytest.mark.parametrize("rating", ["4", "1"])
def test_ratings_that_do_not_differ_end_in_one_line(cli: Run, here: Path, rating: str) -> None:
    lines = [f"{user},{item},{rating}" for user in range(20) for item in range(9) if (user + item) % 3]
    (here / "same.csv").write_text("\n".join(["user,item,rating", *lines]))
    outcome = cli("fit", "autorec", "--data", "same.csv", *FAST)
    assert outcome.code == 1
    assert f"ratings are {rating}, so there is nothing to predict" in outcome.error
    assert not (here / "models").exists()


def test_a_model_that_ranks_takes_all_values_of_a_ratings_split(cli: Run, here: Path, ratings: Path) -> None:
    assert cli("fit", "ease", "--data", ratings, *FAST, "--split", "ratings", "--out", "plain").code == 0
    assert source(here / "plain")["min_rating"] == "none"
    assert "ndcg@5" in cli("evaluate", "plain", "--metrics", "ndcg@5").out
    liked = ("--split", "ratings", "--min-rating", 4)
    assert cli("fit", "ease", "--data", ratings, *FAST, *liked, "--out", "liked").code == 0
    assert source(here / "liked")["min_rating"] == 4.0


def test_an_error_of_ratings_decides_nothing_where_there_is_none(cli: Run, here: Path, ratings: Path) -> None:
    outcome = cli("fit", "mult-dae", "--data", ratings, *FAST, "--latent", 2, "--epochs", 1, "--monitor", "rmse")
    assert outcome.code == 1
    assert "mult_dae ranks items, but its scores are not ratings" in outcome.error


# Evaluating


def test_errors_are_reported_unless_told_otherwise(cli: Run, here: Path, rated_model: Path) -> None:
    outcome = cli("evaluate", rated_model)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("rmse")
    assert "smaller is better" in outcome.out
    found = json.loads(cli("evaluate", rated_model, "--json").out)
    assert list(found["metrics"]) == ["rmse", "mae"]
    both = ("--metrics", "ndcg@5,rmse", "--per-user", "users.csv")
    assert list(json.loads(cli("evaluate", rated_model, "--json", *both).out)["metrics"]) == ["ndcg@5", "rmse"]
    table = pd.read_csv(here / "users.csv")
    assert list(table.columns) == ["user", "ndcg@5", "rmse"]
    assert table.notna().all(axis=None)


def test_the_errors_are_those_of_users_known_to_the_model(cli: Run, ratings: Path, rated_model: Path) -> None:
    found = json.loads(cli("evaluate", rated_model, "--json").out)["metrics"]
    split = split_ratings(MinInteractions(user=3)(read_interactions(ratings)), seed=98765)
    assert split.test is not None
    model = Recommender.load(rated_model)
    known = evaluate(model, split.test, ["rmse", "mae"]).mean
    assert {name: one["mean"] for name, one in found.items()} == pytest.approx(known)
    unknown = dataclasses.replace(split.test, users=split.test.users.astype(str) + " is unknown")
    assert known["rmse"] != pytest.approx(evaluate(model, unknown, ["rmse"]).mean["rmse"])


def test_errors_of_a_model_that_ranks_are_refused_before_the_data_are_read(
    cli: Run, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys_ae_cli.commands.evaluate.divided", lambda *_: pytest.fail("reads the data"))
    outcome = cli("evaluate", model, "--metrics", "ndcg@10,rmse")
    assert (outcome.code, outcome.error) == (1, "Error: ease ranks items, but its scores are not ratings; use autorec")


def test_an_error_has_no_cut_off(cli: Run, rated_model: Path) -> None:
    outcome = cli("evaluate", rated_model, "--metrics", "rmse@10")
    assert outcome.code == 2
    assert "write 'rmse'" in outcome.error


def test_on_the_sample_only_lists_have_a_reference(cli: Run, here: Path) -> None:
    assert cli("fit", "autorec", "--no-track", "--latent", 4, "--epochs", 1, "--quiet", "--out", "model").code == 0
    assert "attainable" not in cli("evaluate", "model").out
    shown = cli("evaluate", "model", "--metrics", "rmse,ndcg@100").out
    assert [line.split()[0] for line in shown.splitlines() if "attainable" in line] == ["ndcg@100:"]


# Published folds


def test_folds_are_offered_as_they_are_published() -> None:
    (fold,) = [one for one in options.splits() if one.name == "fold"]
    assert isinstance(fold.type, click.Choice)
    assert fold.type.choices == movielens.FOLDS


def test_a_fold_is_read_for_the_fit_and_again_for_the_evaluation(
    cli: Run, here: Path, ratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def load(name: str, *, fold: str | None = None, **_: object) -> Dataset:
        asked.append(fold)
        data = read_interactions(ratings)
        test = (np.arange(data.nnz) % 5) == int((fold or "u1")[1]) - 1
        return Dataset(name, data, None, (data.take(~test), data.take(test)))

    monkeypatch.setattr(named, "load", load)
    fit = ("fit", "autorec", "--data", "ml-100k", *FAST, *RATED, "--epochs", 2, "--split", "given")
    reports = []
    for fold in ("u1", "u2"):
        fitted = cli(*fit, "--fold", fold, "--out", fold)
        evaluated = cli("evaluate", fold)
        assert (fitted.code, evaluated.code) == (0, 0)
        assert source(here / fold)["fold"] == fold
        reports.append(evaluated.out)
    assert asked == ["u1", "u1", "u2", "u2"]
    assert reports[0] != reports[1]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (("--data", "ml-100k", "--fold", "u2"), "--fold needs --split given"),
        (("--data", "ml-1m", "--fold", "u2", "--split", "given"), "not to ml-1m"),
        (("--data", "x.csv", "--test-data", "y.csv", "--fold", "u2", "--split", "given"), "not to x"),
        (("--data", "ml-100k", "--fold", "u6", "--split", "given"), "'u6'"),
    ],
)
def test_a_fold_of_something_else_is_wrong_usage(cli: Run, how: tuple[str, ...], said: str) -> None:
    outcome = cli("fit", "ease", *how)
    assert outcome.code == 2
    assert said in outcome.error


# Recommending


def test_users_of_the_fit_are_recommended_to_as_themselves(
    cli: Run, here: Path, ratings: Path, rated_model: Path
) -> None:
    model = Recommender.load(rated_model)
    data = MinInteractions(user=3)(read_interactions(ratings)).onto(model.items)
    users = ["u3", "user, one", "🧍"]
    (here / "users.txt").write_text("\n".join(users), encoding="utf-8")
    found = rows(cli("recommend", rated_model, "--users", "users.txt", "--out", "-", "--k", 3).out)
    places = data.users.get_indexer(pd.Index(users))
    known = model.to_frame(model.recommend(data.matrix[places], 3, users=data.users[places]), data.users[places])
    unknown = model.recommend(data.matrix[places], 3)
    assert [float(row["score"]) for row in found] == pytest.approx(known["score"].tolist(), rel=1e-5)
    assert [row["item"] for row in found] == known["item"].tolist()
    assert not np.allclose(known["score"], unknown.scores.ravel())


def test_an_id_in_a_file_of_histories_means_the_user_of_the_training(cli: Run, here: Path, rated_model: Path) -> None:
    lines = [f"{user},film {item},{rating}" for user in ("u3", "new") for item, rating in ((1, 5), (2, 1), (5, 4))]
    (here / "some.csv").write_text("\n".join(["user,item,rating", *lines]))
    found = pd.DataFrame(rows(cli("recommend", rated_model, "--histories", "some.csv", "--out", "-", "--k", 3).out))
    scores = found.groupby("user")["score"].apply(list)
    assert scores["u3"] != scores["new"]


def test_ids_that_are_numbers_stay_known_next_to_ids_that_are_text(cli: Run, here: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{10 * u},{i},{rng.integers(1, 6)}" for u in range(30) for i in range(20) if (u + i) % 3]
    (here / "numbers.csv").write_text("\n".join(["user,item,rating", *lines]))
    assert cli("fit", "autorec", "--data", "numbers.csv", *FAST, *RATED, "--out", "model").code == 0
    tables = {}
    for name, other in (("alone", None), ("both", "new"), ("zeros", "007")):
        users = ["70"] if other is None else ["70", other]
        (here / f"{name}.csv").write_text(
            "\n".join(["user,item,rating", *(f"{user},{item},4" for user in users for item in (1, 2, 5))])
        )
        shown = cli("recommend", "model", "--histories", f"{name}.csv", "--out", "-", "--k", 4)
        assert shown.code == 0
        tables[name] = pd.DataFrame(rows(shown.out)).set_index("user")["score"].astype(float)
    own, other = tables["alone"]["70"].tolist(), tables["both"]["new"].tolist()
    assert other != pytest.approx(own, rel=1e-3)
    assert tables["both"]["70"].tolist() == pytest.approx(own, rel=1e-5)
    assert tables["zeros"]["70"].tolist() == pytest.approx(own, rel=1e-5)
    assert tables["zeros"]["007"].tolist() == pytest.approx(other, rel=1e-5)


def test_a_user_whose_history_is_given_anew_stands_once_among_all(cli: Run, here: Path) -> None:
    lines = [f"{10 * user},{item}" for user in range(30) for item in range(20) if (user + item) % 3]
    (here / "numbers.csv").write_text("\n".join(["user,item", *lines]))
    assert cli("fit", "ease", "--data", "numbers.csv", *FAST, "--out", "model").code == 0
    (here / "some.csv").write_text("user,item\n70,1\nnew,1\n")
    everybody = cli("recommend", "model", "--users", "all", "--histories", "some.csv", "--out", "-", "--k", 20)
    listed = pd.DataFrame(rows(everybody.out)).groupby("user").size()
    assert len(listed) == 31
    assert listed["70"] == listed["new"] == 19


@pytest.mark.parametrize(
    ("known", "given", "found"),
    [
        ([7, 8], ["7", "x"], [7, "x"]),
        ([7, 8], ["7", "8"], [7, 8]),
        (["7", "8"], [7, 9], ["7", 9]),
        ([7, 8], [7, 9], [7, 9]),
        ([], ["7"], ["7"]),
        (["a"], [], []),
        ([7, "a"], ["7", "a", "b"], [7, "a", "b"]),
        ([0.5], ["0.5", "x"], [0.5, "x"]),
    ],
)
def test_ids_that_read_alike_are_the_known_ones(known: list[Any], given: list[Any], found: list[Any]) -> None:
    result = as_known(pd.Index(known), pd.Index(given))
    assert [(type(one).__name__, one) for one in result.tolist()] == [(type(one).__name__, one) for one in found]
    assert (pd.Index(known).get_indexer(result) >= 0).tolist() == [one in known for one in found]


def test_histories_without_ratings_are_noticed(cli: Run, here: Path, rated_model: Path) -> None:
    (here / "new.csv").write_text("user,item\nnew,film 1\nnew,film 2\n")
    outcome = cli("recommend", rated_model, "--histories", "new.csv", "--out", "top.csv")
    assert outcome.code == 0
    assert "new.csv: every rating is 1" in outcome.err
    assert "--rating-column" in outcome.err


# Data


def test_describe_says_what_models_of_ratings_would_get(cli: Run, ratings: Path) -> None:
    shown = cli("data", "describe", ratings).out
    table = pd.read_csv(ratings)
    assert (
        f"Models that learn from ratings have no rating threshold: {len(table):,} ratings by 80 users on 24 items."
        in shown
    )


def test_split_writes_ratings_as_a_fit_would_divide_them(
    cli: Run, here: Path, ratings: Path, rated_model: Path
) -> None:
    assert cli("data", "split", ratings, "--split", "ratings", "--min-user-items", 3, "--out", "split").code == 0
    about = json.loads((here / "split/split.json").read_text(encoding="utf-8"))
    notes = json.loads((rated_model / "notes.json").read_text(encoding="utf-8"))
    assert about.pop("fingerprint") == notes["fingerprint"]
    assert about == notes["source"]
    parts = [pd.read_parquet(here / "split" / f"{name}.parquet") for name in ("train", "valid_targets", "test_targets")]
    together = pd.concat(parts).rename(columns={"user": "userId", "item": "itemId", "value": "rating"})
    table = pd.read_csv(ratings)[["userId", "itemId", "rating"]]
    columns = ["userId", "itemId"]
    pd.testing.assert_frame_equal(
        together.sort_values(columns, ignore_index=True),
        table.sort_values(columns, ignore_index=True),
        check_dtype=False,
    )
    assert [len(part) for part in parts[1:]] == [round(0.1 * len(table))] * 2
