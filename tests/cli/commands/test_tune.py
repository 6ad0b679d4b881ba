"""``recsys-ae tune``: a search on the command line."""

import json
import os
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from recsys_ae.recommender.recommender import Recommender
from recsys_ae.tuning import search
from recsys_ae.tuning.journal import TRIAL
from recsys_ae_cli.commands import tune as command
from tests.cli.conftest import PROGRAM, Run
from tests.single_thread import single_thread  # noqa: F401

QUICK = ("--models", "popularity,ease,mult_dae", "--trials", 5, "--min-user-items", "3", "--device", "cpu",
         "--threads", 1, "--valid-users", 10, "--test-users", 10)  # fmt: skip
SILENT = ("--no-track",)
RANGES = "[mult_dae]\nepochs = 3\nbatch_size = 16\nlatent = 4\nhidden = []\n"


@pytest.fixture
def ranges(here: Path) -> Path:
    path = here / "ranges.toml"
    path.write_text(RANGES)
    return path


def trials_in(folder: Path) -> dict[int, dict[str, Any]]:
    return {int(path.parent.name): json.loads(path.read_text()) for path in folder.glob(f"trials/*/{TRIAL}")}


def test_a_search_saves_its_winner_and_the_next_commands_use_it(
    cli: Run, here: Path, ratings: Path, ranges: Path
) -> None:
    outcome = cli("tune", "--data", ratings, *QUICK, *SILENT, "--ranges", ranges, "--blend", "--refit", "--out", "out")
    assert outcome.code == 0, outcome.err
    assert "[1/5] " in outcome.out
    assert "[5/5] " in outcome.out
    assert "Defaults of the quick models after " in outcome.out
    assert "The best of each model on the validation users, who selected it:" in outcome.out
    assert "The test users, who were looked at once, now:" in outcome.out
    assert "recsys-ae recommend out/refit" in outcome.out
    assert "\nthe blend is " in outcome.out
    board = json.loads((here / "out/leaderboard.json").read_text())
    assert len(board["trials"]) == 5
    for name in ("best", "blend", "refit"):
        assert Recommender.load(here / "out" / name).notes["command"].startswith("recsys-ae tune --data")
    evaluated = cli("evaluate", "out/best", "--json")
    assert evaluated.code == 0, evaluated.err
    assert cli("recommend", "out/refit", "--out", "top.csv").code == 0
    assert cli("compare", "out/best", "out/blend").code == 0
    assert cli("refit", "out/best", "--out", "again").code == 0
    assert cli("recommend", "again", "--out", "top2.csv").code == 0


def test_the_same_command_goes_on(cli: Run, here: Path, ratings: Path, ranges: Path) -> None:
    options = ("--data", ratings, *QUICK, *SILENT, "--ranges", ranges, "--out", "out")
    assert cli("tune", *options, "--trials", 2).code == 0
    outcome = cli("tune", *options)
    assert outcome.code == 0, outcome.err
    assert "[2/5] " not in outcome.out
    assert "[3/5] " in outcome.out
    again = cli("tune", *options)
    assert again.code == 0
    assert "/5] " not in again.out
    assert len(trials_in(here / "out")) == 5


def test_quiet_prints_nothing(cli: Run, here: Path, ratings: Path, ranges: Path) -> None:
    outcome = cli("tune", "--data", ratings, *QUICK, *SILENT, "--ranges", ranges, "--out", "out", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert (here / "out/best/config.json").exists()


def test_the_usual_folder_is_named_after_the_data(cli: Run, here: Path, ratings: Path) -> None:
    assert cli("tune", "--data", ratings, *QUICK, *SILENT, "--models", "ease", "--trials", 1).code == 0
    assert (here / "tuning/ratings/best").is_dir()


def test_ratings_are_searched_by_their_error(cli: Run, here: Path, ratings: Path) -> None:
    (here / "autorec.toml").write_text("[autorec]\nepochs = 3\nlatent = 4\nbatch_size = 16\n")
    outcome = cli("tune", "--data", ratings, "--split", "ratings", "--trials", 2, "--ranges", "autorec.toml",
                  "--threads", 1, "--device", "cpu", *SILENT, "--out", "out")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "rmse" in outcome.out
    assert "ndcg" not in outcome.out
    assert {trial["model"] for trial in trials_in(here / "out").values()} == {"autorec"}
    assert cli("evaluate", "out/best").code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--models", "eese"), "did you mean 'ease'"),
        (("--models", "blend"), "--models"),
        (("--models", "autorec"), "autorec predicts ratings; search by rmse"),
        (("--models", "cease"), "cease needs item features; give --item-features"),
        (("--budget", "0"), "--budget 0 is no duration; expected such as 90s, 10m or 1h30m"),
        (("--budget", "10"), "--budget 10 is no duration"),
        (("--budget", "-5m"), "--budget"),
        (("--budget", "soon"), "--budget soon is no duration"),
        (("--trials", "0"), "--trials"),
        (("--trials", "many"), "--trials"),
        (("--metric", "ndcg"), "ndcg"),
        (("--metric", "ndgc@10"), "ndgc"),
        (("--metric", "rmse"), "ranks items"),
        (("--ranges", "missing.toml"), "missing.toml: No such file or directory"),
        (("--ranges", "."), "Is a directory"),
        (("--ranges", "ratings.csv"), "is no TOML file"),
        (("--ranges", "wrong.toml"), "--ranges: wrong.toml: [ease]: l2 = -1.0 is out of bounds; expected at least 0"),
        (("--jobs", "0"), "--jobs"),
        (("--seed", "-1"), "--seed"),
        (("--threads", "0"), "--threads"),
        (("--device", "tpu"), "--device tpu is not supported"),
        (("--split", "none"), "--valid-users needs --split strong, not none"),
        (("--valid-users", "0"), ""),
        (("--out", "ratings.csv"), "is not a folder"),
        (("--out", "foreign"), "holds no search but other files; set --out to a new or empty folder"),
        (("--data", "none.csv"), "none.csv"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    cli: Run, here: Path, ratings: Path, options: tuple[str, ...], said: str
) -> None:
    (here / "ratings.csv").write_bytes(ratings.read_bytes())
    (here / "wrong.toml").write_text("[ease]\nl2 = -1\n")
    (here / "foreign").mkdir()
    (here / "foreign/mine.txt").write_text("mine")
    before = sorted(here.rglob("*"))
    outcome = cli("tune", "--data", "ratings.csv", *QUICK, "--models", "ease", *SILENT, *options)
    assert outcome.code in (1, 2), outcome.out
    assert said in outcome.error
    assert sorted(here.rglob("*")) == before


def test_another_search_in_the_folder_is_refused(cli: Run, here: Path, ratings: Path) -> None:
    options = ("--data", ratings, *QUICK, *SILENT, "--models", "ease", "--trials", 1, "--out", "out")
    assert cli("tune", *options).code == 0
    outcome = cli("tune", *options, "--seed", 3)
    assert outcome.code in (1, 2)
    assert "out holds a search with another setting of --seed: 0, not 3" in outcome.error
    assert "set --out to a new folder" in outcome.error


def test_an_interruption_says_how_to_go_on(
    cli: Run, here: Path, ratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out = search.carry_out  # type: ignore[attr-defined]
    fitted: list[int] = []

    def interrupted(*task: Any) -> Any:
        if len(fitted) == 2:
            raise KeyboardInterrupt
        fitted.append(task[0].number)
        return carry_out(*task)

    options = ("--data", ratings, *QUICK, *SILENT, "--models", "popularity,ease", "--out", "out")
    with monkeypatch.context() as patch:
        patch.setattr(search, "carry_out", interrupted)
        outcome = cli("tune", *options)
    assert outcome.code == 130
    assert "the finished trials are saved in out; the same command continues the search" in outcome.err
    assert sorted(trials_in(here / "out")) == [1, 2]
    assert cli("tune", *options).code == 0


def test_each_trial_is_a_run_in_the_run_of_the_search(cli: Run, here: Path, ratings: Path, ranges: Path) -> None:
    outcome = cli("tune", "--data", ratings, *QUICK, "--ranges", ranges, "--out", "out")
    assert outcome.code == 0, outcome.err
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=f"sqlite:///{here}/mlflow.db")
        runs = client.search_runs([client.get_experiment_by_name("recsys_ae").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    trials = trials_in(here / "out")
    assert sorted(run.data.metrics.get("value", -1) for run in children) == pytest.approx(
        sorted(trial["value"] for trial in trials.values())
    )
    assert {run.data.params["model"] for run in children} == {trial["model"] for trial in trials.values()}
    assert parent.data.metrics["valid/ndcg_at_100"] == pytest.approx(max(trial["value"] for trial in trials.values()))
    assert parent.data.params["search"].startswith("recsys-ae tune --data")
    assert all(run.info.status == "FINISHED" for run in runs)


@pytest.mark.parametrize("columns", [60, 120])
def test_lines_of_trials_fit_narrow_terminals(
    cli: Run, here: Path, ratings: Path, ranges: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    outcome = cli("tune", "--data", ratings, *QUICK, *SILENT, "--ranges", ranges, "--out", "out")
    assert outcome.code == 0, outcome.err
    assert "winner" in outcome.out
    assert all(line == line.rstrip() for line in outcome.out.splitlines())


def test_the_help_names_the_options(cli: Run) -> None:
    outcome = cli("tune", "--help")
    assert outcome.code == 0
    for option in ("--models", "--budget", "--trials", "--metric", "--ranges", "--blend", "--refit", "--jobs"):
        assert option in outcome.out


def test_without_validation_users_there_is_no_search(cli: Run, here: Path, ratings: Path) -> None:
    outcome = cli("tune", "--data", ratings, "--split", "none", "--models", "ease", *SILENT, "--out", "out", "--quiet")
    assert outcome.code in (1, 2)
    assert "a search needs validation users with targets, and the split has none" in outcome.error


def test_the_titles_of_a_refit_are_those_of_its_items(cli: Run, here: Path) -> None:
    options = ("--models", "popularity", "--trials", 1, "--refit", "--min-item-users", 3, "--threads", 1, *SILENT)
    assert cli("tune", *options, "--out", "out").code == 0
    best, refit = (Recommender.load(here / "out" / name) for name in ("best", "refit"))
    known = dict(zip(best.items, best.notes["titles"], strict=True))
    titles = dict(zip(refit.items, refit.notes["titles"], strict=True))
    assert set(known) <= set(titles)
    assert all(titles[item] == title for item, title in known.items())


def test_numbers_of_trials() -> None:
    advance = search.Advance(trial=None, best=None, n_trials=(3, None), left=None)  # type: ignore[arg-type]
    assert command._count(advance) == "3"


@pytest.mark.slow
def test_a_search_keeps_to_its_budget(here: Path, ratings: Path) -> None:
    options = ["--data", str(ratings), "--min-user-items", "3", "--no-track", "--budget", "20s", "--out", "out"]
    began = time.monotonic()
    ended = subprocess.run([str(PROGRAM), "tune", *options], cwd=here, capture_output=True, text=True, check=False,
                           timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert time.monotonic() - began < 1.1 * 20 + 5
