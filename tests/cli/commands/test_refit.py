"""``recsys-ae refit``: a saved model fitted again on all users, which other commands read."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from recsys_ae import Recommender
from recsys_ae_cli.main import main
from tests.cli.conftest import FAST, Run
from tests.cli.test_given import FIT, parts  # noqa: F401

DAE = ("--epochs", "6", "--latent", "6", "--lr", "0.02", "--checkpoint-every", "0")
NO = "--no-track"


@pytest.fixture(scope="module")
def dae(ratings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a trained model; not to be changed."""
    folder = tmp_path_factory.mktemp("models") / "dae"
    assert main(["fit", "mult-dae", "--data", str(ratings), *FAST, *DAE, "--quiet", "--out", str(folder)]) == 0
    return folder


def facts(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))["facts"]
    return loaded


def test_all_users_are_for_training_up_to_the_kept_epoch(cli: Run, here: Path, dae: Path) -> None:
    outcome = cli("refit", dae, "--out", "all", NO)
    assert (outcome.code, outcome.err) == (0, "")
    model, before = Recommender.load(here / "all"), Recommender.load(dae)
    best = before.history.best
    assert best is not None
    assert len(model.history) == best.epoch
    assert model.metadata["users"] == before.recipe.unsplit().read().data.shape[0] > before.metadata["users"]
    assert model.spec == before.spec
    end = f"The training ends with epoch {best.epoch} of 6, which the fit kept."
    was, now = before.metadata, model.metadata
    fit_had = f"the fit had {was['interactions']} of {was['users']}"
    assert f"All {now['interactions']} interactions of 80 users are for training; {fit_had}. {end}" in outcome.out
    assert f"ndcg@100  {best.value:.4f}" in outcome.out
    assert "before the refit" in outcome.out
    assert "recsys-ae recommend all --out top10.csv" in outcome.out
    assert "recsys-ae evaluate" not in outcome.out
    assert model.notes["command"] == f"recsys-ae refit {dae} --out all --no-track"
    assert cli("refit", dae, "--out", "again", NO, "--quiet").out == ""
    states = [(here / name / "state.safetensors").read_bytes() for name in ("all", "again")]
    assert states[0] == states[1]


def test_a_dry_run_saves_nothing(cli: Run, here: Path, dae: Path) -> None:
    outcome = cli("refit", dae, "--dry-run", "--out", "all")
    assert (outcome.code, outcome.err) == (0, "")
    assert "Dry run: nothing was trained or saved." in outcome.out
    assert not list(here.iterdir())


def test_the_usual_folder_is_next_to_the_model(cli: Run, here: Path, model: Path) -> None:
    shutil.copytree(model, here / "mine")
    assert cli("refit", "mine", NO, "--quiet").code == 0
    assert (here / "mine-refit" / "config.json").exists()
    assert cli("refit", "mine", NO).error == (
        "Error: mine-refit exists; choose another folder, or replace it with --overwrite"
    )
    assert cli("refit", "mine", NO, "--quiet", "--overwrite").code == 0


def test_evaluate_says_that_no_users_are_left(cli: Run, here: Path, model: Path) -> None:
    cli("refit", model, "--out", "all", NO)
    value = facts(here / "all")["refit"]["valid"]["ndcg@100"]
    for part in ("test", "valid"):
        shown = cli("evaluate", "all", "--on", part)
        assert (shown.code, shown.err) == (0, "")
        first, second, *rows, last = shown.out.splitlines()
        assert first == "all was refitted on all users, so no users are left to evaluate it on."
        assert second == "Before the refit, the validation users measured:"
        assert f"  ndcg@100   {value:.4f}" in rows
        assert last == f"Test metrics are those of the model before the refit: recsys-ae evaluate {model}"
    told = json.loads(cli("evaluate", "all", "--json").out)
    assert (told["model"], told["metrics"], told["users"]) == ("ease", {}, 0)
    assert told["refit"]["valid"]["ndcg@100"] == value
    refused = cli("evaluate", "all", "--per-user", "users.csv")
    assert refused.code == 1
    assert refused.error.endswith("no users are left to evaluate it on; leave out --per-user")


def test_the_other_commands_read_it(cli: Run, here: Path, model: Path, dae: Path) -> None:
    cli("refit", model, "--out", "all", NO)
    cli("refit", dae, "--out", "dae", NO)
    lists = cli("recommend", "all", "--k", 2, "--out", "-").out.splitlines()
    assert len(lists) == 1 + 2 * 80
    assert cli("similar", "all", "film 2").out.startswith("Similar to film 2")
    mixed = cli("blend", "all", "dae", "--weights", "1,2", "--out", "mix")
    assert (mixed.code, mixed.err) == (0, "")
    assert "leaves no validation users" in cli("blend", "all", "dae", "--out", "mix2").error
    assert "refit" not in facts(here / "mix")


def test_a_model_of_ratings_predicts(cli: Run, here: Path, rated_model: Path) -> None:
    assert cli("refit", rated_model, "--out", "all", NO, "--quiet").code == 0
    assert facts(here / "all")["users"] == 80
    (here / "pairs.csv").write_text("user,item\nu1,film 3\n")
    assert cli("predict", "all", "--pairs", "pairs.csv", "--out", "-").out.startswith("user,item")


def test_a_blend_keeps_epochs_and_weights(cli: Run, here: Path, model: Path, dae: Path) -> None:
    cli("blend", model, dae, "--weights", "1,3", "--out", "mix")
    outcome = cli("refit", "mix", NO)
    assert (outcome.code, outcome.err) == (0, "")
    again = Recommender.load(here / "mix-refit")
    assert again.network.get_buffer("weights").tolist() == [0.25, 0.75]
    epoch = Recommender.load(dae).history.kept_epoch
    assert again.metadata["last_epochs"] == [None, epoch]
    assert f"The members keep their epochs: mult-dae with epoch {epoch}." in outcome.out
    assert "weight  0.25  ease" in " ".join(outcome.out.split("\n")).replace("      ", "  ")


def test_both_files_of_a_given_split_are_for_training(cli: Run, parts: Path) -> None:  # noqa: F811
    assert cli(*FIT, "--out", "model").code == 0
    outcome = cli("refit", "model", NO)
    assert (outcome.code, outcome.err) == (0, "")
    assert "test part added" in outcome.out
    source = json.loads((parts / "model-refit" / "notes.json").read_text(encoding="utf-8"))["source"]
    assert (source["split"], Path(source["test_data"]).name) == ("none", "test.csv")
    lists = cli("recommend", "model-refit", "--k", 1, "--out", "-").out
    assert "\nunknown,1," in lists  # a user of the test part only
    (parts / "other.csv").write_bytes((parts / "test.csv").read_bytes())
    (parts / "test.csv").unlink()
    assert cli("refit", "model", NO, "--overwrite", "--test-data", "other.csv").code == 0


def test_item_features_are_needed_again(cli: Run, here: Path, ratings: Path) -> None:
    (here / "items.csv").write_text("item,a,b\n" + "".join(f"film {i},{i % 2},{i % 3}\n" for i in range(20)))
    fit = ("fit", "ease", "--data", ratings, *FAST, "--quiet", "--item-features", "items.csv", "--out", "told")
    assert cli(*fit).code == 0
    refused = cli("refit", "told", NO)
    assert refused.code == 1
    assert refused.error == (
        "Error: this ease was fitted with item features, which are not saved with it; give them again as "
        "--item-features"
    )
    assert cli("refit", "told", NO, "--quiet", "--item-features", "items.csv").code == 0
    assert Recommender.load(here / "told-refit").feature_columns == ["a", "b"]


def test_refusals_are_one_line(cli: Run, here: Path, model: Path, ratings: Path) -> None:
    cli("refit", model, "--out", "all", NO)
    assert cli("refit", "all", NO).error == (
        "Error: this ease has been refitted on all users already; refit the model it was made from"
    )
    Recommender.load(model).fit(Recommender.load(model).recipe.read().data).save(here / "memory")
    assert "has no data recipe" in cli("refit", "memory", NO).error
    lines = ratings.read_text(encoding="utf-8").splitlines()
    (here / "fewer.csv").write_text("\n".join(lines[:-9]), encoding="utf-8")
    changed = cli("refit", model, "--data", "fewer.csv", "--out", "other", NO)
    assert changed.code == 1
    assert "the data have changed since; fit the model again, or restore the data" in changed.error
    assert cli("refit", "nothing", NO).code == 1
