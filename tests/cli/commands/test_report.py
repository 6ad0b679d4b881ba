"""``recsys-ae report``: a page on models and on a search, or one line that says why there is none."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from recsys_ae.metrics import BEYOND
from recsys_ae_cli.main import main
from tests.cli.conftest import FAST, Run
from tests.single_thread import single_thread  # noqa: F401

SECTIONS = ("leaderboard", "differences", "slices", "beyond", "costs", "lists", "commands", "facts")


@pytest.fixture(scope="module")
def popular(ratings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a worse model on the same split."""
    folder = tmp_path_factory.mktemp("others") / "popular"
    assert main(["fit", "popularity", "--data", str(ratings), *FAST, "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def search(ratings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a search with a blend."""
    folder = tmp_path_factory.mktemp("search") / "tuning"
    words = ["--models", "popularity,ease,item_knn,als", "--trials", "6", "--blend", "--threads", "1", "--quiet"]
    assert main(["tune", "--data", str(ratings), *FAST, *words, "--out", str(folder)]) == 0
    return folder


def numbers(path: str = "report.json") -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
    return content


def test_models_have_a_page(cli: Run, model: Path, popular: Path) -> None:
    outcome = cli("report", model, popular)
    assert (outcome.code, outcome.err) == (0, "")
    content, text = numbers(), Path("report.html").read_text("utf-8")
    assert (content["chosen"], content["leaderboard"]["baseline"]) == ("ease", "ease")
    assert content["selected_by"] == "8 validation users"
    assert set(content["models"]) == {"ease", "popular"}
    assert {*BEYOND, "ndcg@100"} <= {*content["models"]["ease"]["metrics"], *content["models"]["ease"]["overall"]}
    assert outcome.out.startswith("Use ease, the best of 2 models on 8 validation users: its ndcg@100 is ")
    assert "report.html" in outcome.out
    assert "report.json" in outcome.out
    for section in SECTIONS:
        assert f'<section id="{section}"' in text
    assert "recsys-ae fit ease --l2 5 --data" in content["models"]["ease"]["command"]
    assert content["facts"]["Command"].startswith("recsys-ae report")
    evaluated = json.loads(cli("evaluate", model, "--beyond", "--json").out)
    assert evaluated["metrics"] == content["models"]["ease"]["metrics"]
    assert evaluated["overall"] == content["models"]["ease"]["overall"]


def test_one_model_and_other_options(cli: Run, here: Path, model: Path) -> None:
    users = [line.split(",")[0] for line in _per_user(cli, model)]
    (here / "table.csv").write_text("\n".join(["user,side", *(f"{user},{n % 2}" for n, user in enumerate(users))]))
    outcome = cli("report", model, "--out", "a/page.htm")
    assert outcome.code == 1
    assert "there is no folder a" in outcome.error
    (here / "a").mkdir()
    words = ["report", model, "--out", "a/page.htm", "--metrics", "ndcg@5,hit@1", "--slice-by", "side"]
    outcome = cli(*words, "--user-table", "table.csv", "--user", users[2], "--user", users[0])
    assert outcome.code == 0, outcome.err
    content = numbers("a/page.json")
    assert list(content["models"]["ease"]["metrics"]) == ["ndcg@5", "hit@1"]
    assert [user["name"] for user in content["listed_users"]] == [users[2], users[0]]
    assert [part["by"] for part in content["models"]["ease"]["slices"]] == ["side"]
    assert outcome.out.startswith("Use ease: its ndcg@5 is ")


def _per_user(cli: Run, model: Path) -> list[str]:
    assert cli("evaluate", model, "--per-user", "users.csv").code == 0
    return Path("users.csv").read_text().splitlines()[1:]


def test_on_validation_users_the_choice_is_called_optimistic(cli: Run, model: Path, popular: Path) -> None:
    assert cli("report", model, popular, "--on", "valid").code == 0
    assert numbers()["users"] == numbers()["selected_by"] == "validation users"
    assert "was selected by the same users" in Path("report.html").read_text("utf-8")


def test_models_of_ratings_have_errors(cli: Run, rated_model: Path) -> None:
    outcome = cli("report", rated_model)
    assert outcome.code == 0, outcome.err
    assert list(numbers()["models"]["rated"]["metrics"]) == ["rmse", "mae"]
    assert "its rmse is" in outcome.out


def test_a_search_has_a_page(cli: Run, search: Path) -> None:
    outcome = cli("report", search)
    assert outcome.code == 0, outcome.err
    content = numbers()
    best = json.loads((search / "leaderboard.json").read_text())
    names = set(content["models"])
    winner = next(name for name in names if name.endswith("(winner)"))
    assert winner.startswith(best["best"]["model"])
    assert "blend" in names
    assert content["leaderboard"]["baseline"].startswith("als")
    assert content["chosen"] in (winner, "blend")
    selections = {name: one["selection"] for name, one in content["models"].items()}
    assert {name for name, value in selections.items() if value is not None} == {winner, "blend"}
    (trials,) = content["searches"]
    assert [trial["number"] for trial in trials["trials"]] == [1, 2, 3, 4, 5, 6]
    tested = {one["name"]: one["metrics"]["ndcg@100"]["mean"] for one in best["test"]["models"]}
    for name in tested.keys() & names:
        assert content["models"][name]["metrics"]["ndcg@100"]["mean"] == pytest.approx(tested[name])
    assert len(tested.keys() & names) >= 3
    assert content["models"]["blend"]["command"].startswith("recsys-ae tune")


def test_searches_and_models_meet_on_one_page(cli: Run, here: Path, search: Path, model: Path) -> None:
    shutil.copytree(search, here / "again")
    outcome = cli("report", search, here / "again", model, "--baseline", model, "--metrics", "ndcg@10")
    assert outcome.code == 0, outcome.err
    content = numbers()
    assert content["leaderboard"]["baseline"] == "ease"
    assert {"tuning: blend", "again: blend", "ease"} <= set(content["models"])
    assert [one["name"] for one in content["searches"]] == ["tuning", "again"]
    assert content["leaderboard"]["models"][0]["metrics"].keys() == {"ndcg@10"}


def test_a_search_that_has_not_ended_is_refused(cli: Run, here: Path, search: Path) -> None:
    shutil.copytree(search, here / "copy")
    (here / "copy" / "leaderboard.json").unlink()
    assert "the search in copy has not ended; repeat its command to continue it" in cli("report", "copy").error
    (here / "copy" / "leaderboard.json").write_text('{"metric": "ndcg@100", "best": {"number": 99}}')
    assert "copy/leaderboard.json is damaged: there is no trial 99" in cli("report", "copy").error
    (here / "copy" / "leaderboard.json").write_text("[")
    assert "copy/leaderboard.json is damaged" in cli("report", "copy").error
    assert not Path("report.html").exists()


def test_existing_files_are_kept(cli: Run, here: Path, model: Path) -> None:
    for name in ("report.html", "report.json"):
        (here / name).write_text("mine")
        outcome = cli("report", model)
        assert (outcome.code, (here / name).read_text()) == (1, "mine")
        assert f"{name} exists; choose another name, or pass --overwrite" in outcome.error
        (here / name).unlink()
    (here / "report.html").write_text("mine")
    assert cli("report", model, "--overwrite").code == 0
    assert (here / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        ((), "DIR...", 2),
        (("nowhere",), "nowhere", 1),
        (("MODEL", "MODEL"), "is given twice; give each model once", 2),
        (("MODEL", "--out", "page.pdf"), "page.pdf: the name of a page must end in .html", 2),
        (("MODEL", "--baseline", "other"), "--baseline other: no such model; expected one of ease", 2),
        (("MODEL", "--user", "nobody"), "the user nobody is not among the test users; ids look like", 1),
        (("MODEL", "--slice-by", "age"), "--slice-by age needs --user-table FILE", 2),
        (("MODEL", "--metrics", "rmse"), "ease: ", 1),
    ],
)
def test_what_is_wrong_is_said_in_one_line(cli: Run, model: Path, words: tuple[str, ...], said: str, code: int) -> None:
    outcome = cli("report", *(str(model) if word == "MODEL" else word for word in words))
    assert outcome.code == code
    assert said in outcome.error
    assert not Path("report.html").exists()
    assert not Path("report.json").exists()


def test_another_split_is_refused(cli: Run, ratings: Path, model: Path) -> None:
    words = ("--split-seed", "9", "--quiet", "--out", "other")
    assert cli("fit", "popularity", "--data", ratings, *FAST, *words).code == 0
    assert "other was fitted on the split" in cli("report", model, "other").error


def test_commands_that_strangers_wrote_are_text(cli: Run, here: Path, model: Path) -> None:
    from recsys_ae import Recommender

    changed = Recommender.load(model)
    changed.notes["command"] = "<script>alert(1)</script>"
    changed.save(here / "changed")
    assert cli("report", "changed").code == 0
    text = Path("report.html").read_text("utf-8")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_lists_have_the_titles_of_the_data(cli: Run, sample_model: Path) -> None:
    assert cli("report", sample_model, "--metrics", "ndcg@10").code == 0
    (lists,) = [model["recommendations"] for model in numbers()["models"].values()]
    assert all(item["title"].endswith(")") for items in lists for item in items)
    assert all(title.endswith(")") for user in numbers()["listed_users"] for title in user["history"])
