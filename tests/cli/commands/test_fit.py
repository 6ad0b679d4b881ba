"""``recsys-ae fit``: its output, its saved files and its errors."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from recsys_ae import Recommender
from tests.cli.conftest import FAST, Run


def notes(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "notes.json").read_text(encoding="utf-8"))
    return found


def test_it_tells_what_it_read_divided_and_found(cli: Run, ratings: Path) -> None:
    outcome = cli("fit", "ease", "--data", ratings, *FAST, "--out", "model")
    assert (outcome.code, outcome.err) == (0, "")
    for said in (
        "read from ratings",
        "rating >= 4",
        "test, not looked at",
        "Split fingerprint",
        "validation  recall@20",
    ):
        assert said in outcome.out


def test_quiet_prints_nothing(cli: Run, ratings: Path) -> None:
    outcome = cli("fit", "ease", "--data", ratings, *FAST, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_a_fit_with_a_fixed_order_of_sums_says_so(cli: Run, here: Path, ratings: Path) -> None:
    for options in ((), ("--deterministic",)):
        outcome = cli("fit", "ease", "--data", ratings, *FAST, *options, "--out", "model", "--overwrite")
        assert (outcome.code, outcome.err) == (0, "")
        assert Recommender.load(here / "model").metadata["deterministic"] is bool(options)
        assert ("--deterministic" in notes(here / "model")["command"]) is bool(options)


def test_without_a_place_the_model_goes_where_data_and_model_are_named(cli: Run, here: Path, ratings: Path) -> None:
    assert cli("fit", "mult-dae", "--data", ratings, *FAST, "--epochs", 1, "--latent", 2).code == 0
    assert Recommender.load(here / "models/ratings-mult-dae").spec.name() == "mult_dae"


def test_the_options_that_led_to_a_model_are_kept_and_repeat_it(cli: Run, here: Path, ratings: Path) -> None:
    arguments = ["--data", ratings, *FAST, "--epochs", 2, "--latent", 2, "--hidden", "5,4", "--seed", 3]
    assert cli("fit", "mult-vae", *arguments, "--out", "one").code == 0
    kept = notes(here / "one")
    assert kept["options"]["hidden"] == [5, 4]
    assert kept["options"]["min_rating"] == 4.0
    again = shlex.split(kept["command"])[1:]
    again[again.index("one")] = "two"
    assert cli(*again).code == 0
    first, second = Recommender.load(here / "one"), Recommender.load(here / "two")
    assert first.spec == second.spec
    assert (here / "one/state.safetensors").read_bytes() == (here / "two/state.safetensors").read_bytes()


def test_the_model_may_stand_behind_the_options(cli: Run, ratings: Path) -> None:
    assert cli("fit", "--data", ratings, "popularity", *FAST, "--quiet").code == 0


def test_data_without_ratings_have_no_threshold(cli: Run, here: Path) -> None:
    lines = ["user,item", *(f"{u},{i}" for u in range(40) for i in range(12) if (u + i) % 3)]
    (here / "clicks.csv").write_text("\n".join(lines))
    outcome = cli("fit", "popularity", "--data", "clicks.csv", *FAST, "--out", "model")
    assert "No rating threshold" in outcome.out
    assert notes(here / "model")["source"]["min_rating"] == "none"


def test_repeated_pairs_are_counted_in_the_report(cli: Run, here: Path, ratings: Path) -> None:
    text = ratings.read_text(encoding="utf-8")
    (here / "twice.csv").write_text(text + text.split("\n", 1)[1], encoding="utf-8")
    outcome = cli("fit", "popularity", "--data", "twice.csv", *FAST, "--out", "model")
    assert "repeated pairs, last kept" in outcome.out
    assert cli("fit", "popularity", "--data", "twice.csv", *FAST, "--duplicates", "error").code == 1


@pytest.mark.parametrize(
    "how",
    [
        ["--split", "weak"],
        ["--split", "leave-last"],
        ["--split", "time"],
        ["--split", "none"],
        ["--split", "strong", "--valid-users", "0", "--test-users", "0.2"],
        ["--split", "strong", "--split-recipe", "liang2018", "--valid-users", "8", "--test-users", "8"],
    ],
)
def test_every_split_can_be_fitted_and_evaluated(cli: Run, ratings: Path, how: list[str]) -> None:
    assert cli("fit", "ease", "--data", ratings, *FAST, *how, "--out", "model").code == 0
    evaluated = cli("evaluate", "model", "--metrics", "ndcg@5")
    if how[1] == "none":
        assert evaluated.code == 1
        assert "--split none" in evaluated.error
    else:
        assert "ndcg@5" in evaluated.out


def test_given_parts_are_taken_as_they_are(cli: Run, here: Path, ratings: Path) -> None:
    header, *lines = ratings.read_text(encoding="utf-8").splitlines()
    for name, part in (("base", slice(0, None, 2)), ("test", slice(1, None, 2))):
        (here / f"{name}.csv").write_text("\n".join([header, *lines[part]]), encoding="utf-8")
    given = ("fit", "ease", "--data", "base.csv", *FAST, "--split", "given")
    assert "--test-data" in cli(*given).error
    assert cli(*given, "--test-data", "test.csv", "--out", "model").code == 0
    assert "split " in cli("evaluate", "model").out


@pytest.mark.parametrize(
    "how",
    [
        ["--split", "weak", "--valid-users", "3"],
        ["--split", "time", "--split-recipe", "liang2018"],
        ["--test-data", "x.csv"],
        ["--valid-users", "1.5"],
        ["--test-users", "0"],
        ["--test-users", "some"],
        ["--min-rating", "nan"],
        ["--min-user-items", "-1"],
        ["--seed", "-1"],
        ["--threads", "0"],
        ["--separator", ";", "--data", "ml-1m"],
        ["--test-data", "x.csv", "--split", "given", "--data", "ml-1m"],
    ],
)
def test_options_that_make_no_sense_are_wrong_usage(cli: Run, ratings: Path, how: list[str]) -> None:
    outcome = cli("fit", "ease", "--data", ratings, "--no-track", *how)
    assert outcome.code == 2
    assert how[0] in outcome.error


def test_an_existing_model_is_not_replaced_unasked(cli: Run, here: Path, ratings: Path) -> None:
    fit = ("fit", "ease", "--data", ratings, *FAST, "--out", "model", "--quiet")
    assert cli(*fit).code == 0
    before = (here / "model/state.safetensors").read_bytes()
    refused = cli(*fit, "--l2", "1")
    assert refused.code == 1
    assert "exists" in refused.error
    assert (here / "model/state.safetensors").read_bytes() == before
    assert cli(*fit, "--l2", "1", "--overwrite").code == 0
    assert (here / "model/state.safetensors").read_bytes() != before


def test_a_fit_that_fails_leaves_the_old_model_alone(cli: Run, here: Path, ratings: Path) -> None:
    fit = ("fit", "mult-dae", "--data", ratings, *FAST, "--latent", 2, "--epochs", 4, "--out", "model", "--quiet")
    assert cli(*fit).code == 0
    before = {path.name: path.read_bytes() for path in (here / "model").iterdir()}
    failed = cli(*fit, "--lr", "1e38", "--overwrite")
    assert failed.code == 1
    assert "loss is" in failed.error
    assert {path.name: path.read_bytes() for path in (here / "model").iterdir()} == before


def test_a_folder_of_something_else_is_never_overwritten(cli: Run, here: Path, ratings: Path) -> None:
    (here / "precious").mkdir()
    (here / "precious/thesis.tex").write_text("chapter 1")
    outcome = cli("fit", "ease", "--data", ratings, *FAST, "--out", "precious", "--overwrite")
    assert outcome.code == 1
    assert (here / "precious/thesis.tex").read_text() == "chapter 1"


def test_a_folder_that_cannot_be_written_is_refused_before_training(
    not_root: None, cli: Run, here: Path, ratings: Path
) -> None:
    (here / "locked").mkdir(mode=0o500)
    assert "not writable" in cli("fit", "ease", "--data", ratings, *FAST, "--out", "locked/model").error


def test_trouble_with_tracking_is_a_warning_and_the_model_is_there(
    cli: Run, here: Path, ratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "file").write_text("not a folder")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{here}/file/mlflow.db")
    outcome = cli("fit", "popularity", "--data", ratings, "--min-user-items", 3, "--out", "model")
    assert outcome.code == 0
    assert outcome.error.startswith("Warning: tracking failed")
    assert (here / "model/config.json").is_file()


def test_a_dry_run_tells_the_memory_and_leaves_nothing(cli: Run, here: Path, ratings: Path) -> None:
    outcome = cli("fit", "mult-vae", "--data", ratings, *FAST, "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    assert "moments of adam" in outcome.out
    assert "nothing was trained or saved" in outcome.out
    assert not any(here.iterdir())
