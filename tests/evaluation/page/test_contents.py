"""Content of a report: the order of the models, and which one is to be used."""

import dataclasses
import json

import pytest

from recsys_ae.errors import ConfigError
from recsys_ae.evaluation.page.contents import Contents, Model, Search
from tests.single_thread import single_thread  # noqa: F401


def chosen_with(models: list[Model], selections: dict[str, float | None]) -> Contents:
    changed = [dataclasses.replace(model, selection=selections[model.name]) for model in models]
    return Contents.of(changed, title="", part="test users")


def test_models_are_ordered_by_the_first_metric(contents: Contents) -> None:
    means = [model.report.mean["ndcg@5"] for model in contents.models]
    assert means == sorted(means, reverse=True)
    assert [model.name for model in contents.models] == [standing.name for standing in contents.board.standings]
    assert (contents.metric, contents.board.baseline) == ("ndcg@5", "popular")


def test_the_model_to_use_is_selected_by_its_own_users(models: list[Model]) -> None:
    worst = min(models, key=lambda model: model.report.mean["ndcg@5"]).name
    values = {model.name: 0.9 if model.name == worst else 0.1 for model in models}
    contents = chosen_with(models, dict(values))
    assert contents.chosen == contents.board.baseline == worst
    nobody = chosen_with(models, {model.name: None for model in models})
    assert nobody.chosen == nobody.board.best.name
    unknown = chosen_with(models, {model.name: None if model.name == worst else 0.1 for model in models})
    assert unknown.chosen != worst


def test_names_are_different(models: list[Model]) -> None:
    with pytest.raises(ConfigError, match="2 models with 1 different names"):
        Contents.of([models[0], models[0]], title="", part="")
    with pytest.raises(ConfigError, match="0 models"):
        Contents.of([], title="", part="")
    with pytest.raises(ConfigError, match="baseline"):
        Contents.of(models, baseline="nobody", title="", part="")


def test_everything_is_json(contents: Contents) -> None:
    trial = {"number": 1, "model": "ease", "value": 0.5}
    content = json.loads(json.dumps(dataclasses.replace(contents, searches=[Search("a", "ndcg@5", [trial])]).as_dict()))
    assert content["chosen"] == contents.chosen
    assert content["searches"][0]["trials"] == [trial]
    assert set(content["models"]) == {"ease", "popular", "dae", "other"}
    assert content["models"]["ease"]["command"] == "recsys-ae fit ease"
    assert len(content["listed_users"]) == 3
