"""``recsys-ae compare``: leaderboards of models and lists, verdicts and their exit status, or one line."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from recsys_ae_cli.commands.compare import EXIT
from recsys_ae_cli.main import main
from tests.cli.conftest import FAST, Run


@pytest.fixture(scope="module")
def popular(ratings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a worse model on the same split."""
    folder = tmp_path_factory.mktemp("models") / "popular"
    assert main(["fit", "popularity", "--data", str(ratings), *FAST, "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def elsewhere(ratings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model on another split."""
    folder = tmp_path_factory.mktemp("models") / "other"
    words = ["fit", "ease", "--data", str(ratings), *FAST, "--split-seed", "9", "--quiet", "--out", str(folder)]
    assert main(words) == 0
    return folder


@pytest.fixture(scope="module")
def lists(ratings: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return top-N lists of the model for the test users, made from their fold-in histories."""
    folder = tmp_path_factory.mktemp("lists")
    filters = [word for word in FAST if word != "--no-track"]
    assert main(["data", "split", str(ratings), *filters, "--out", str(folder / "split")]) == 0
    histories = str(folder / "split" / "test_histories.parquet")
    out = folder / "lists.csv"
    assert main(["recommend", str(model), "--histories", histories, "--k", "24", "--out", str(out)]) == 0
    return out


def test_models_are_ranked_and_compared_with_the_best(cli: Run, model: Path, popular: Path) -> None:
    outcome = cli("compare", popular, model, "--metrics", "ndcg@5,hit@1")
    assert (outcome.code, outcome.err) == (0, "")
    rows = outcome.out.splitlines()
    assert rows[0].split()[:3] == ["model", "kind", "ndcg@5"]
    assert rows[1].split()[:2] == [str(model), "ease"]
    assert "baseline" in rows[1]
    assert rows[2].split()[:2] == [str(popular), "popularity"]
    fingerprint = json.loads((model / "notes.json").read_text(encoding="utf-8"))["fingerprint"]
    assert rows[-1] == f"split {fingerprint}"
    assert "8 users" in outcome.out


def test_json_is_all_that_is_printed(cli: Run, model: Path, popular: Path) -> None:
    read = json.loads(cli("compare", popular, model, "--on", "valid", "--baseline", popular, "--json").out)
    assert set(read) == {"on", "leaderboard", "lists"}
    assert (read["on"], read["leaderboard"]["baseline"], read["leaderboard"]["users"]) == ("valid", str(popular), 8)
    by_name = {entry["name"]: entry for entry in read["leaderboard"]["models"]}
    first = by_name[str(model)]
    assert (first["details"], by_name[str(popular)]["differences"]) == ({"kind": "ease"}, {})
    assert list(first["metrics"]) == ["recall@20", "recall@50", "ndcg@100"]
    assert first["differences"]["ndcg@100"]["better"] > 0.5
    report = json.loads(cli("evaluate", model, "--on", "valid", "--json").out)
    assert first["metrics"] == report["metrics"]


def test_lists_of_the_same_model_are_as_good(cli: Run, model: Path, popular: Path, lists: Path) -> None:
    outcome = cli("compare", model, popular, "--lists", f"spark={lists}", "--baseline", "spark", "--json")
    read = json.loads(outcome.out)
    by_name = {entry["name"]: entry for entry in read["leaderboard"]["models"]}
    assert by_name["spark"]["details"] == {"kind": "lists"}
    assert by_name["spark"]["metrics"] == by_name[str(model)]["metrics"]
    assert by_name[str(model)]["differences"]["ndcg@100"]["equal"] == 1
    assert read["leaderboard"]["baseline"] == "spark"
    assert read["lists"]["spark"]["missing_users"] == 0


def test_what_is_noticed_in_lists_is_said_and_counted(cli: Run, here: Path, model: Path, lists: Path) -> None:
    frame = pd.read_csv(lists)
    frame = frame[frame["user"] != frame["user"].iloc[0]].assign(who=lambda rows: rows["user"]).drop(columns="user")
    frame.loc[frame.index[5], "item"] = "nowhere"
    frame[["who", "item", "score"]].to_csv("messy.tsv", sep="\t", index=False)
    words = ["compare", model, "--lists", "a=messy.tsv", "--user-column", "who"]
    outcome = cli(*words)
    assert outcome.code == 0
    assert "Note: a: users without a list: 1, counted as empty lists" in outcome.err.splitlines()
    assert "Note: a: rows of items that are not in the training data: 1, counted as misses" in outcome.err.splitlines()
    assert json.loads(cli(*words, "--json").out)["lists"]["a"]["unknown_items"] == 1


def test_a_baseline_that_is_no_argument_is_compared_too(cli: Run, model: Path, popular: Path) -> None:
    read = json.loads(cli("compare", model, "--baseline", popular, "--json").out)["leaderboard"]
    assert {entry["name"] for entry in read["models"]} == {str(model), str(popular)}
    same = json.loads(cli("compare", model, popular, "--baseline", f"{popular}/", "--json").out)["leaderboard"]
    assert same == read


def test_models_of_ratings_are_compared_by_their_errors(cli: Run, here: Path, rated_model: Path) -> None:
    shutil.copytree(rated_model, "copy")
    read = json.loads(cli("compare", rated_model, "copy", "--json").out)["leaderboard"]
    assert list(read["models"][0]["metrics"]) == ["rmse", "mae"]
    assert read["models"][1]["differences"]["rmse"]["equal"] == 1


# Gate

GATE = ("--gate", "ndcg@100", "--min-users", "8")


@pytest.mark.parametrize(
    ("better", "limits", "outcome"),
    [
        (True, ("--max-gain", "1"), "promoted"),
        (True, ("--max-gain", "0.00001"), "suspicious"),
        (False, (), "rejected"),
        (False, ("--tolerance", "1"), "promoted"),
        (True, ("--min-users", "9"), "ungated"),
    ],
)
def test_the_verdict_is_the_exit_status(
    cli: Run, model: Path, popular: Path, better: bool, limits: tuple[str, ...], outcome: str
) -> None:
    candidate, current = (model, popular) if better else (popular, model)
    words = ["compare", candidate, "--baseline", current, *GATE, *limits]
    text, read = cli(*words), cli(*words, "--json")
    assert text.code == read.code == EXIT[outcome]
    assert text.out.splitlines()[-1].startswith(f"{outcome}: ")
    assert json.loads(read.out)["gate"]["outcome"] == outcome
    assert (text.err, read.err) == ("", "")
    assert next(iter(json.loads(read.out)["leaderboard"]["models"][0]["metrics"])) == "ndcg@100"


def test_exit_statuses_are_distinct_and_in_the_help(cli: Run) -> None:
    assert EXIT["promoted"] == 0
    assert len(set(EXIT.values())) == len(EXIT) == 4
    assert not {1, 2} & set(EXIT.values())
    assert max(EXIT.values()) < 128
    told = " ".join(cli("compare", "--help").out.split())
    assert ", ".join(f"{number} {outcome}" for outcome, number in EXIT.items()) in told


def test_models_of_other_splits_are_refused_and_ungated(cli: Run, model: Path, elsewhere: Path) -> None:
    fingerprints = [json.loads((folder / "notes.json").read_text())["fingerprint"] for folder in (model, elsewhere)]
    refused = cli("compare", model, elsewhere)
    assert (refused.code, refused.out) == (1, "")
    for word in (*fingerprints, str(model), str(elsewhere)):
        assert word in refused.error
    ungated = cli("compare", elsewhere, "--baseline", model, *GATE)
    assert (ungated.code, ungated.err) == (EXIT["ungated"], "")
    assert ungated.out.startswith("ungated: ")
    read = json.loads(cli("compare", elsewhere, "--baseline", model, *GATE, "--json").out)
    assert (read["leaderboard"], read["gate"]["outcome"]) == (None, "ungated")


def test_lists_of_a_model_of_another_split_can_be_gated(cli: Run, model: Path, lists: Path) -> None:
    words = ["compare", model, "--lists", f"current={lists}", "--baseline", "current", *GATE]
    outcome = cli(*words)
    assert (outcome.code, outcome.out.splitlines()[-1].split(":")[0]) == (0, "promoted")


# Bad input


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("", 2, "Missing argument 'DIR...'"),
        ("MODEL", 2, "a comparison needs two models or more"),
        ("MODEL MODEL/", 2, "is given twice"),
        ("MODEL -", 1, "- is not a saved model"),
        ("MODEL nowhere", 1, "nowhere is not a saved model"),
        ("MODEL --baseline nowhere", 1, "nowhere is not a saved model"),
        ("MODEL --lists spark", 2, "'spark' is not NAME=FILE"),
        ("MODEL --lists =lists.csv", 2, "is not NAME=FILE"),
        ("MODEL --lists a=LISTS --lists a=LISTS", 2, "the name a is given twice"),
        ("MODEL --lists MODEL=LISTS", 2, "is given twice"),
        ("MODEL --lists a=nowhere.csv", 1, "nowhere.csv: there is no such file"),
        ("MODEL --lists a=none.csv", 1, "none.csv: there is no such file"),
        ("MODEL --lists a=LISTS --rank-column place", 1, "--rank-column place: there is no such column"),
        ("MODEL --lists a=LISTS --rank-column rank --score-column score", 1, "expected one of them"),
        ("MODEL --lists a=LISTS --metrics rmse", 1, "a: top-N lists hold no predicted ratings, so rmse"),
        ("MODEL POPULAR --metrics rmse", 1, "its scores are not ratings"),
        ("MODEL POPULAR --metrics ndgc@5", 2, "there is no metric 'ndgc@5'"),
        ("MODEL POPULAR --tolerance 0.1", 2, "--tolerance needs --gate METRIC"),
        ("MODEL POPULAR --gate ndcg@5", 2, "--gate needs --baseline"),
        ("MODEL POPULAR --baseline POPULAR --lists a=LISTS --gate ndcg@5", 2, "one candidate besides --baseline"),
        ("MODEL --baseline POPULAR --gate ndgc@5", 2, "--gate: there is no metric 'ndgc@5'"),
        ("MODEL --baseline POPULAR --gate ndcg@5 --tolerance -1", 2, "--tolerance -1: expected a number from 0 on"),
        ("MODEL --baseline POPULAR --gate ndcg@5 --max-gain nan", 2, "--max-gain nan: expected a number above 0"),
        ("MODEL --baseline POPULAR --gate ndcg@5 --min-users 1", 2, "1 is out of bounds"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    cli: Run, model: Path, popular: Path, lists: Path, words: str, code: int, said: str
) -> None:
    for word, path in (("MODEL", model), ("POPULAR", popular), ("LISTS", lists)):
        words = words.replace(word, str(path))
    outcome = cli("compare", *words.split())
    assert (outcome.code, outcome.out) == (code, "")
    assert said in outcome.error


def test_a_refitted_model_has_no_users_to_be_compared_on(cli: Run, here: Path, model: Path) -> None:
    assert cli("refit", model, "--out", "again", "--no-track").code == 0
    for words in ((model, "again"), (model, "--baseline", "again", *GATE)):
        outcome = cli("compare", *words)
        assert (outcome.code, outcome.out) == (1, "")
        assert "again was refitted on all users, so no users are left to compare it on" in outcome.error


def test_a_wide_table_becomes_three_in_a_narrow_terminal(
    cli: Run, here: Path, model: Path, popular: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(model, "a")
    shutil.copytree(popular, "b")
    monkeypatch.setattr("recsys_ae_cli.commands._terminal.PrintableStream.isatty", lambda _: True)
    for columns, tables in ((60, 3), (140, 1)):
        monkeypatch.setenv("COLUMNS", str(columns))
        rows = cli("compare", "a", "b", "--metrics", "ndcg@5").out.splitlines()
        rows = rows[: rows.index("")]
        plain = [re.sub(r"\x1b\[[0-9;]*m", "", row) for row in rows]
        assert sum(row.startswith("model") for row in plain) == tables
        assert max(map(len, plain)) <= columns
        assert {"difference", "effect", "worse", "kind", "popularity"} <= set(" ".join(plain).split())


def test_a_page_shows_models_and_lists(cli: Run, model: Path, popular: Path, lists: Path) -> None:
    words = ("compare", popular, model, "--lists", f"spark={lists}", "--metrics", "ndcg@10", "--beyond")
    outcome = cli(*words, "--html", "page.html", "--json")
    assert outcome.code == 0, outcome.err
    content = json.loads(Path("page.json").read_text("utf-8"))
    board = json.loads(outcome.out)["leaderboard"]
    for entry in board["models"]:
        assert content["models"][entry["name"]]["metrics"] == entry["metrics"]
    assert content["chosen"] == str(model)
    assert content["models"]["spark"]["kind"] == "lists"
    assert content["models"]["spark"]["recommendations"] == content["models"][str(model)]["recommendations"]
    assert all(content["models"]["spark"]["recommendations"])
    assert Path("page.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    again = cli(*words, "--html", "page.html")
    assert again.code == 1
    assert "page.html exists; choose another name, or pass --overwrite" in again.error
    assert cli(*words, "--html", "page.html", "--overwrite", "--baseline", "spark").code == 0
    assert json.loads(Path("page.json").read_text("utf-8"))["leaderboard"]["baseline"] == "spark"


def test_a_page_has_the_ending_of_pages(cli: Run, model: Path, popular: Path) -> None:
    outcome = cli("compare", popular, model, "--html", "page.txt")
    assert outcome.code == 2
    assert "page.txt: the name of a page must end in .html" in outcome.error
