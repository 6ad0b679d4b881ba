"""The numbers that EASE must show on MovieLens 1M, from the command line."""

import json
from pathlib import Path

import pytest

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
