"""End of a search: the winner, its comparisons, blends, refits, and data of other kinds."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_ae import Recommender, split_users
from recsys_ae.data.splits.split import Holdout, Split, split_interactions
from recsys_ae.errors import ConfigError, DataError, TrainingError
from recsys_ae.evaluation.evaluate import evaluate
from recsys_ae.models import EASE
from recsys_ae.nn import capacity
from recsys_ae.recommender.refitting import refit
from recsys_ae.testing.blocks import block_of, features, training_data
from recsys_ae.tuning import Tuned, finish, tune
from recsys_ae.tuning.journal import Journal
from tests.plug_in import MODULE, install
from tests.single_thread import single_thread  # noqa: F401
from tests.tuning.small import CPU, QUICK, RANGES, split_of


def tuned(split: Split | None = None, **options: Any) -> Tuned:
    models = options.get("models", QUICK)
    ranges = {name: table for name, table in RANGES.items() if name in models}
    given = {"models": models, "ranges": ranges, "run": CPU, "trials": 6, **options}
    return tune(split or split_of(), **given)


def without(split: Split, part: str) -> Split:
    nothing: dict[str, Any] = {part: None}
    return dataclasses.replace(split, **nothing)


def test_the_winner_is_never_worse_on_validation_than_the_best_default() -> None:
    for seed in range(3):
        result = tuned(split_of(seed))
        defaults = [trial.value for trial in result.trials if trial.is_default and trial.value is not None]
        assert result.best.value is not None
        assert result.best.value >= max(defaults)


def test_the_model_is_that_of_the_best_trial(tmp_path: Path) -> None:
    split = split_of()
    result = tuned(split, out=tmp_path)
    assert split.valid is not None
    report = evaluate(result.model, split.valid, ["ndcg@100"])
    assert report.summary["ndcg@100"].mean == pytest.approx(result.best.value)
    saved = Recommender.load(Journal(tmp_path).model(result.best))
    assert saved.spec == result.model.spec
    assert result.valid.standings[0].name == result.best.model
    assert json.loads((tmp_path / "leaderboard.json").read_text()) == json.loads(result.to_json())
    assert len(result.to_frame()) == len(result.trials)
    assert "Test users, looked at once" in str(result)


def test_test_users_are_looked_at_once_and_only_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    split, looked = split_of(), []

    def watched(model: Recommender, holdout: Holdout, *args: Any) -> Any:
        looked.append(holdout)
        return evaluate(model, holdout, *args)

    monkeypatch.setattr(finish, "evaluate", watched)
    result = tuned(split)
    assert result.test is not None
    assert looked == [split.test] * len(result.test.leaderboard.standings)
    names = [standing.name for standing in result.test.leaderboard.standings]
    assert sum(name.endswith("(winner)") for name in names) == 1
    assert len(set(names)) == len(names)


def test_test_users_have_no_part_in_the_search() -> None:
    split = split_of()
    other = tuned(without(split, "test"))
    one = tuned(split)
    assert [trial.value for trial in one.trials] == [trial.value for trial in other.trials]
    assert other.test is None
    assert any("no test users" in remark for remark in other.remarks)
    assert "Test users" not in str(other)
    json.loads(other.to_json())


@pytest.mark.parametrize("part", ["valid"])
def test_without_validation_users_there_is_no_search(part: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a search needs validation users"):
        tuned(without(split_of(), part), out=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_blend_is_not_worse_than_its_members() -> None:
    result = tuned(blend=True, models=("popularity", "ease", "als"), trials=4)
    assert result.blend is not None
    assert result.blend.history.best is not None
    assert result.test is not None
    assert finish.BLEND in [standing.name for standing in result.test.leaderboard.standings]
    assert result.blend.history.best.value >= (result.best.value or 1) - 0.02
    assert result.is_blend_better == (result.blend.history.best.value > (result.best.value or 1))
    means = {standing.name: standing.summary["ndcg@100"].mean for standing in result.test.leaderboard.standings}
    gain = result.test.blend_gains["als"]
    assert gain.mean == pytest.approx(means[finish.BLEND] - means["als (default)"])
    assert result.as_dict()["blend_gains"]["als"] == gain.as_dict()


def test_one_model_is_not_blended() -> None:
    result = tuned(blend=True, models=("ease",), trials=2)
    assert result.blend is None
    assert any("no blend was made" in remark for remark in result.remarks)


@pytest.mark.parametrize("model", ["ease", "mult_dae"])
def test_the_winner_is_fitted_on_all_users(model: str) -> None:
    split = split_of()
    result = tuned(split, models=(model,), trials=2, refit=True)
    assert result.refitted is not None
    assert type(result.refitted.spec) is type(result.model.spec)
    assert result.refitted.spec == refit(result.model, split, run=CPU).spec
    assert np.isfinite(result.refitted.score(split.train.matrix[:3])).all()


def test_ratings_are_searched_by_their_error() -> None:
    split = split_interactions(training_data(rated=True), seed=1)
    ranges: dict[str, Any] = {"autorec": {"epochs": 6, "latent": 4, "batch_size": 16}}
    result = tune(split, models="autorec", ranges=ranges, run=CPU, trials=3)
    assert result.metric == "rmse"
    assert {trial.model for trial in result.trials} == {"autorec"}
    values = [trial.value for trial in result.trials if trial.value is not None]
    assert result.best.value == min(values)
    assert result.test is not None
    json.loads(result.to_json())
    assert tune(split, metric="rmse", ranges=ranges, run=CPU, trials=1).best.model == "autorec"


def test_models_of_item_features_join() -> None:
    split = split_of()
    given = features(split.train.items, block_of(split.train))
    result = tuned(split, models=("ease", "cease", "content_knn", "edlae"), item_features=given, trials=8)
    assert {trial.model for trial in result.trials} == {"ease", "cease", "content_knn", "edlae"}
    assert all(trial.status == "complete" for trial in result.trials), [trial.reason for trial in result.trials]


@pytest.mark.parametrize("metric", ["recall@7", "ndcg@3", "ndcg@20"])
def test_any_metric_is_searched_by(metric: str) -> None:
    split = split_of()
    result = tuned(split, metric=metric)
    assert split.valid is not None
    assert evaluate(result.model, split.valid, [metric]).summary[metric].mean == pytest.approx(result.best.value)


def test_validation_users_without_targets_do_not_count() -> None:
    split = split_of()
    valid = split.valid
    assert valid is not None
    targets = valid.targets.copy().tolil()
    targets[[0, 3]] = 0
    emptied = dataclasses.replace(valid, targets=targets.tocsr())
    given = dataclasses.replace(split, valid=emptied)
    result = tuned(given)
    assert evaluate(result.model, emptied, ["ndcg@100"]).summary["ndcg@100"].mean == pytest.approx(result.best.value)
    assert "8 users" in str(result.valid)


def test_one_validation_user_and_one_test_user(tmp_path: Path) -> None:
    split = split_users(training_data(), n_valid=1, n_test=1, seed=1)
    result = tuned(split, out=tmp_path)
    assert result.best.standard_error is None
    json.loads(result.to_json())
    assert str(result)
    assert len(tuned(split, out=tmp_path).trials) == 6


def test_models_of_other_packages_are_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(install(tmp_path)))
    result = tuned(models=("my-model", "popularity"), trials=4)
    assert {trial.model for trial in result.trials} == {"my_model", "popularity"}
    assert all(trial.status == "complete" for trial in result.trials), [trial.reason for trial in result.trials]


def test_a_model_that_fails_is_a_row_and_the_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = MODULE.replace("return History()", 'raise ZeroDivisionError("by design")').replace("MySpec", "Broken")
    names: dict[str, Any] = {"package": "my-broken", "entries": "my-broken = my_broken:Broken", "module": broken}
    monkeypatch.syspath_prepend(str(install(tmp_path, **names)))
    result = tuned(models=("my-broken", "popularity", "ease"), trials=4)
    (failed,) = [trial for trial in result.trials if trial.model == "my_broken"]
    assert (failed.status, failed.reason) == ("failed", "ZeroDivisionError: by design")
    assert len(result.trials) == 4
    with pytest.raises(TrainingError, match="no model could be fitted: my_broken: ZeroDivisionError: by design"):
        tuned(models=("my-broken",))


def test_without_memory_for_any_model_the_reasons_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda device: 100)
    with pytest.raises(TrainingError, match="no model could be fitted: ease: ") as caught:
        tuned(models=("ease", "edlae"))
    assert "edlae: " in str(caught.value)


def test_a_budget_without_time_for_a_fit_is_told() -> None:
    with pytest.raises(TrainingError, match="the budget is too short for a first fit"):
        tuned(trials=None, budget="1s")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trials": 0}, "trials = 0 must be at least 1"),
        ({"jobs": 0}, "jobs = 0 must be at least 1"),
        ({"budget": 0}, "budget = 0 is no duration"),
        ({"budget": "soon"}, "budget = 'soon' is no duration"),
        ({"metric": "ndcg"}, "ndcg"),
        ({"metric": "rmse"}, "ranks items; search by ndcg@100"),
        ({"models": ("eese",)}, "did you mean 'ease'"),
        ({"models": ("blend",)}, "a blend is made of the best models"),
        ({"ranges": {"als": {}}}, "als is not searched"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        tuned(out=tmp_path / "out", **options)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_settings_of_the_winner_give_its_model() -> None:
    split = split_of()
    result = tuned(split, models=("ease",), trials=4)
    plain = Recommender(EASE(**result.best.settings)).fit(split.train, run=CPU)
    assert split.test is not None
    assert np.array_equal(plain.score(split.test.histories), result.model.score(split.test.histories))
