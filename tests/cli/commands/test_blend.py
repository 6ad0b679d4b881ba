"""``recsys-ae blend``: a weighted mix of saved models, which every other command reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from recsys_ae import Recommender
from recsys_ae.models import Blend
from recsys_ae_cli.main import main
from tests.cli.conftest import FAST, Outcome, Run


@pytest.fixture(scope="session")
def dae(ratings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of another model of the same split; not to be changed."""
    folder = tmp_path_factory.mktemp("models") / "dae"
    settings = ("--epochs", "5", "--latent", "6", "--lr", "0.01", "--quiet")
    assert main(["fit", "mult-dae", "--data", str(ratings), *FAST, *settings, "--out", str(folder)]) == 0
    return folder


def notes(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "notes.json").read_text(encoding="utf-8"))
    return found


def test_the_table_names_the_members_their_weights_and_what_each_reaches(cli: Run, model: Path, dae: Path) -> None:
    outcome = cli("blend", model, dae, "--out", "mix", "--metric", "ndcg@5")
    assert (outcome.code, outcome.err) == (0, "")
    head, first, second, last, *rest = outcome.out.splitlines()
    assert head.split() == ["model", "weight", "ndcg@5", "recall@20", "recall@50", "ndcg@100"]
    assert [first.split()[0], second.split()[0], last.split()[0]] == [str(model), str(dae), "blend"]
    assert float(first.split()[1]) + float(second.split()[1]) == pytest.approx(1)
    assert float(last.split()[1]) >= max(float(row.split()[2]) for row in (first, second))
    assert "Metrics of the 8 validation users." in rest
    assert "slightly optimistic" in outcome.out
    assert "recsys-ae evaluate mix" in outcome.out


def test_the_blend_is_a_model_like_any_other(cli: Run, here: Path, model: Path, dae: Path) -> None:
    shown = json.loads(cli("blend", model, dae, "--out", "mix", "--scale", "rank", "--json").out)
    evaluated = json.loads(cli("evaluate", "mix", "--on", "valid", "--json").out)
    assert evaluated["model"] == "blend"
    for name, value in shown["blend"]["valid"].items():
        assert evaluated["metrics"][name]["mean"] == pytest.approx(value)
    assert cli("evaluate", "mix").code == 0
    assert cli("recommend", "mix", "--k", 2, "--out", "-").out.startswith("user,rank,item,score")
    assert cli("similar", "mix", "film 2").out.startswith("Similar to film 2")
    kept, first = notes(here / "mix"), notes(model)
    assert (kept["source"], kept["fingerprint"]) == (first["source"], first["fingerprint"])
    spec = Recommender.load(here / "mix").spec
    assert spec == Blend(
        members=("ease l2=5", "mult_dae epochs=5 batch_size=25 lr=0.01 latent=6"), scale="rank"
    )  # what each member was fitted with


def test_json_tells_the_members_as_they_are_judged_alone(cli: Run, model: Path, dae: Path) -> None:
    shown = json.loads(cli("blend", model, dae, "--weights", "1,3", "--out", "mix", "--json").out)
    assert [one["weight"] for one in shown["members"]] == [0.25, 0.75]
    for folder, one in zip((model, dae), shown["members"], strict=True):
        evaluated = json.loads(cli("evaluate", folder, "--on", "valid", "--json").out)
        assert one["folder"] == str(folder)
        assert one["valid"] == pytest.approx({name: value["mean"] for name, value in evaluated["metrics"].items()})


def test_the_command_that_is_kept_makes_the_same_blend_again(cli: Run, here: Path, model: Path, dae: Path) -> None:
    assert cli("blend", model, dae, "--weights", "1,3", "--out", "mix").code == 0
    program, *words = notes(here / "mix")["command"].split()
    assert (program, words) == ("recsys-ae", ["blend", str(model), str(dae), "--weights", "1,3", "--out", "mix"])
    assert cli(*words).code == 1  # it is there
    before = (here / "mix/state.safetensors").read_bytes()
    assert cli(*words, "--overwrite").code == 0
    assert (here / "mix/state.safetensors").read_bytes() == before


def test_the_report_of_a_blend_does_not_go_into_the_run_of_a_member(cli: Run, here: Path, model: Path) -> None:
    tracked = Recommender.load(model)
    tracked.notes["mlflow"] = {"run_id": "f" * 32, "uri": "sqlite:///gone.db"}
    tracked.save(here / "tracked")
    assert "gone.db" in cli("evaluate", "tracked").err
    assert cli("blend", "tracked", model, "--out", "mix").code == 0
    assert cli("evaluate", "mix").err == ""


def fit(cli: Run, ratings: Path, out: str, *settings: object) -> Outcome:
    return cli("fit", "popularity", "--data", ratings, *FAST, *settings, "--out", out)


def test_models_of_another_split_are_refused(cli: Run, here: Path, ratings: Path, model: Path) -> None:
    assert fit(cli, ratings, "other", "--split-seed", 5).code == 0
    outcome = cli("blend", model, "other", "--out", "mix")
    assert (outcome.code, outcome.out) == (1, "")
    assert f"but {model} on {notes(model)['fingerprint']}" in outcome.error
    assert not (here / "mix").exists()


def test_without_validation_users_the_weights_must_be_given(cli: Run, here: Path, ratings: Path) -> None:
    for out, settings in (("first", ()), ("second", ("--split-seed", 7))):
        assert fit(cli, ratings, out, "--split", "none", *settings).code == 0
    outcome = cli("blend", "first", "second", "--out", "mix")
    assert outcome.code == 1
    assert "first was fitted with --split none, which leaves no validation users" in outcome.error
    assert "--weights" in outcome.error
    given = cli("blend", "first", "second", "--weights", "2,6", "--out", "mix")
    assert given.code == 0
    assert "validation" not in given.out
    assert [line.split() for line in given.out.splitlines()[1:3]] == [["first", "0.25"], ["second", "0.75"]]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("--weights", "1"), "--weights 1 must have one weight for each of the 2 members"),
        (("--weights", "0,0"), "--weights 0,0 must have at least one weight above 0"),
        (("--weights", "a,b"), "'a' is not a valid float"),
        (("--metric", "ndgc@5"), "did you mean 'ndcg'"),
        (("--metric", "rmse"), "an error of predicted ratings"),
        (("--scale", "ranks"), "'ranks' is not one of"),
    ],
)
def test_a_wrong_mix_is_wrong_usage(
    cli: Run, here: Path, model: Path, dae: Path, settings: tuple[str, ...], said: str
) -> None:
    outcome = cli("blend", model, dae, *settings, "--out", "mix")
    assert outcome.code == 2
    assert said in outcome.error
    assert list(here.iterdir()) == []


def test_one_model_is_no_blend(cli: Run, model: Path) -> None:
    outcome = cli("blend", model)
    assert outcome.code == 2
    assert "at least two models" in outcome.error


def test_a_model_that_fit_has_not_saved_is_refused(cli: Run, here: Path, model: Path, dae: Path) -> None:
    plain = Recommender.load(model)
    plain.notes = {}
    plain.save(here / "plain")
    for folders in ((dae, "plain"), ("plain", dae)):
        assert "plain has no data recipe" in cli("blend", *folders).error


def test_a_blend_can_be_fitted_at_once_too(cli: Run, here: Path, ratings: Path, model: Path, dae: Path) -> None:
    members = "ease l2=5,mult-dae latent=6 epochs=5 lr=0.01"
    fitted = cli("fit", "blend", "--data", ratings, *FAST, "--members", members, "--out", "at-once")
    assert (fitted.code, fitted.err) == (0, "")
    assert cli("blend", model, dae, "--out", "apart").code == 0
    at_once, apart = (Recommender.load(here / folder) for folder in ("at-once", "apart"))
    assert at_once.spec == apart.spec
    for weight, member in zip(at_once.network.weights.tolist(), at_once.spec.members, strict=True):
        assert f"{weight:.2f}  {member}" in fitted.out
    assert at_once.history == apart.history
    repeat = notes(here / "at-once")["command"]
    assert "--members 'ease l2=5,mult_dae" in repeat or f"--members '{members}'" in repeat


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ("ease,mult-dea", "did you mean 'mult_dae'"),
        ("ease", "at least two"),
        ("ease,mult-dae hidden=6-5", "several by /"),
    ],
)
def test_wrong_members_are_wrong_usage(cli: Run, members: str, said: str) -> None:
    outcome = cli("fit", "blend", "--members", members)
    assert outcome.code == 2
    assert said in outcome.error
