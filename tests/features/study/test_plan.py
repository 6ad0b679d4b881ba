"""Tests of plans, presets and steps, and of errors in plan files."""

from pathlib import Path

import pytest

from recsys_ae.errors import ConfigError
from recsys_ae.features.study.plan import PRESETS, Plan
from recsys_ae.features.study.tasks import STEPS, TASKS, named


def test_steps_have_numbers_and_names() -> None:
    assert named(["3", "2", "5"]) == ("architecture", "latent", "structure")
    assert named(["tasks"]) == TASKS
    assert named(["anomaly", "8"]) == ("summary", "anomaly")
    with pytest.raises(ConfigError, match=r"no step '9'.*1 to 8"):
        named(["9"])
    with pytest.raises(ConfigError, match="did you mean 'structure'"):
        named(["strukture"])


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_does_every_step(name: str) -> None:
    plan = Plan.preset(name)
    steps = {step for group in plan.groups for step in group.steps}
    assert steps >= set(STEPS) - {"models"}
    assert plan.summary in {latent for group in plan.groups for latent in group.latents}


def test_the_paper_sweeps_depth_and_size_as_the_study_plan_says() -> None:
    plan = Plan.preset("paper")
    deep = [(layers, z) for g in plan.groups if "architecture" in g.steps for layers in g.layers for z in g.latents]
    assert set(deep) == {(layers, z) for layers in range(1, 7) for z in (10, 20, 40, 80, 160, 320)}
    sweep = {z for g in plan.groups if "latent" in g.steps and "variational" in g.models for z in g.latents}
    assert sweep == {*range(1, 10), *range(10, 100, 10), *range(100, 701, 100)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = 3 = 4", "is not TOML"),
        ("titel = 'x'\n[[fits]]", "did you mean 'title'"),
        ("title = 'x'", r"there are no fits.*\[\[fits\]\]"),
        ("[[fits]]\nmodel = ['pca']", "did you mean 'models'"),
        ("[[fits]]\nmodels = ['pcaa']", "did you mean 'pca'"),
        ("[[fits]]\nsteps = ['depth']", "no step 'depth'"),
        ("[[fits]]\nlatents = [0]", r"latents = \(0,\) is out of bounds"),
        ("[models.deep]\nlayer = 3\n[[fits]]\nmodels = ['deep']", "no hyper-parameter 'layer'; did you mean 'layers'"),
        ("[sizes]\nks = 3\n[[fits]]\nmodels = ['deep']", "did you mean 'k'"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        Plan.read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        Plan.read(tmp_path / "none.toml")


def test_a_plan_is_narrowed() -> None:
    plan = Plan.preset("quick").narrowed(steps=["3", "8"], models=["deep", "recurrent"], latents=[5], seeds=[7])
    assert plan.steps == ("latent", "summary")
    assert {model for group in plan.groups for model in group.models} <= {"deep", "recurrent", "raw"}
    assert {latent for group in plan.groups for latent in group.latents} == {5}
    assert {seed for group in plan.groups for seed in group.seeds} == {7}
    assert plan.summary == 5


def test_a_model_that_is_in_no_fit_joins_the_first() -> None:
    plan = Plan.preset("paper").narrowed(models=["deep", "pca"], steps=["3"])
    assert {model for group in plan.groups for model in group.models} == {"deep", "pca", "raw"}
    text = "[[fits]]\nsteps = ['latent']\nmodels = ['pca']\n"
    (alone,) = Plan._of_text(text, "here").narrowed(models=["sparse"]).groups
    assert alone.models == ("sparse",)
