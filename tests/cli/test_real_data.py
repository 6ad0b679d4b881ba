"""Published data on the command line: metrics of EASE on MovieLens 1M, recommendations on latest-small."""

import json
from pathlib import Path

import pandas as pd
import pytest

from recsys_ae import load_dataset
from tests.cli.conftest import Run


@pytest.mark.slow
def test_ease_shows_the_known_numbers_on_movielens_1m(cli: Run, data_dir: Path) -> None:
    split = ("--split", "strong", "--split-recipe", "liang2018", "--valid-users", 603, "--test-users", 603)
    filters = ("--min-rating", 4, "--min-user-items", 5)
    data = ("--data", "ml-1m", "--data-dir", data_dir)
    assert cli("fit", "ease", *data, *split, *filters, "--l2", 500, "--no-track", "--out", "model").code == 0
    found = json.loads(cli("evaluate", "model", "--json").out)["metrics"]
    means = {name: one["mean"] for name, one in found.items()}
    assert means == pytest.approx({"ndcg@100": 0.4161, "recall@20": 0.3476, "recall@50": 0.4654}, abs=1e-4)
    assert "American Beauty" in cli("similar", "model", 2858, "--k", 2).out


def test_no_list_on_movielens_latest_small_has_an_item_that_the_user_has_rated(cli: Run, data_dir: Path) -> None:
    data = ("--data", "ml-latest-small", "--data-dir", data_dir)
    assert cli("fit", "ease", *data, "--no-track", "--quiet", "--out", "model").code == 0
    outcome = cli("recommend", "model", "--out", "top.csv", "--k", 20)
    assert outcome.code == 0
    found = pd.read_csv("top.csv")
    rated = load_dataset("ml-latest-small", data_dir=data_dir).interactions
    pairs = pd.DataFrame({"user": rated.users[rated.rows], "item": rated.items[rated.matrix.indices]})
    assert len(found.merge(pairs, on=["user", "item"])) == 0
    assert found.groupby("user").size().reindex(rated.users).tolist() == [20] * 610
    assert "of 610 users get the most popular items" in outcome.err
