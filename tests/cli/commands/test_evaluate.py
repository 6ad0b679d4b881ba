"""``recsys-ae evaluate``: metrics on the split of the fit, or an error."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import FAST, Run


@pytest.fixture
def own(cli: Run, here: Path, ratings: Path) -> Path:
    """Return the folder of a model of a file that a test may change."""
    (here / "mine.csv").write_bytes(ratings.read_bytes())
    assert cli("fit", "ease", "--data", "mine.csv", *FAST, "--out", "model").code == 0
    return here / "model"


def test_the_report_names_its_split(cli: Run, model: Path) -> None:
    outcome = cli("evaluate", model, "--metrics", "recall@5, mrr@10")
    fingerprint = json.loads((model / "notes.json").read_text(encoding="utf-8"))["fingerprint"]
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("recall@5")
    assert f"split {fingerprint}" in outcome.out


def test_json_is_all_that_is_printed(cli: Run, model: Path) -> None:
    found = json.loads(cli("evaluate", model, "--json").out)
    assert found["model"] == "ease"
    assert set(found["metrics"]) == {"recall@20", "recall@50", "ndcg@100"}


def test_validation_users_are_others_than_test_users(cli: Run, here: Path, model: Path) -> None:
    for on in ("valid", "test"):
        assert cli("evaluate", model, "--on", on, "--per-user", f"{on}.csv", "--metrics", "hit@5").code == 0
    valid, test = (pd.read_csv(here / f"{on}.csv") for on in ("valid", "test"))
    assert list(valid.columns) == ["user", "hit@5"]
    assert len(valid) == len(test) == 8
    assert not set(valid["user"]) & set(test["user"])


def test_the_sample_says_what_is_attainable(cli: Run, sample_model: Path) -> None:
    outcome = cli("evaluate", sample_model, "--metrics", "ndcg@100")
    (line,) = [line for line in outcome.out.splitlines() if "attainable" in line]
    _, value, _, _, best, _, popular = line.replace(";", "").split()
    assert float(popular) < float(value) < float(best) <= 1


def test_changed_data_are_refused(cli: Run, here: Path, own: Path) -> None:
    with (here / "mine.csv").open("a") as file:
        file.write("u1,film 0,5,77\nu2,film 1,5,78\nu3,film 1,5,78\n")
    outcome = cli("evaluate", "model")
    assert (outcome.code, outcome.out) == (1, "")
    assert "the data have changed" in outcome.error


def test_data_that_moved_are_found_where_they_are_said_to_be(cli: Run, here: Path, own: Path) -> None:
    before = cli("evaluate", "model").out
    (here / "mine.csv").rename(here / "elsewhere.csv")
    assert "mine.csv" in cli("evaluate", "model").error
    assert cli("evaluate", "model", "--data", "elsewhere.csv").out == before


@pytest.mark.parametrize(
    ("metrics", "said"), [("ndgc@10", "ndcg"), ("ndcg", "cut-off"), ("ndcg@0", "the cut-off 0; it must be at least 1")]
)
def test_an_unknown_metric_is_wrong_usage(cli: Run, model: Path, metrics: str, said: str) -> None:
    outcome = cli("evaluate", model, "--metrics", metrics)
    assert outcome.code == 2
    assert said in outcome.error


def test_a_model_saved_by_other_means_has_no_split_to_rebuild(cli: Run, here: Path, model: Path) -> None:
    from recsys_ae import Recommender

    plain = Recommender.load(model)
    plain.notes = {}
    plain.save(here / "plain")
    outcome = cli("evaluate", "plain")
    assert outcome.code == 1
    assert "recsys-ae fit" in outcome.error
