"""Binary copies of large files, and ``--no-cache``."""

import json
from pathlib import Path

import pytest

from recsys_ae.data.readers import cache
from recsys_ae.data.readers import read as reading
from recsys_ae.recommender.recommender import Recommender
from tests.cli.conftest import FAST, Run, write_ratings


@pytest.fixture(autouse=True)
def every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LEAST", 1)
    monkeypatch.setattr(cache, "SETTLED", 0)


def kept(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.bin")]


def test_a_model_is_fitted_and_judged_on_the_same_data_with_and_without_a_cache(
    cli: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_ratings(here / "mine.csv")
    fit = ("fit", "ease", "--data", data, *FAST, "--l2", 5)
    for number, option in enumerate(("--no-cache", "--cache", "--cache")):
        if number == 2:
            monkeypatch.setattr(reading, "interactions_of", None)  # it cannot be read but from the cache
        assert cli(*fit, option, "--out", f"model{number}").code == 0
        assert len(kept(here)) == bool(number)
    models = [Recommender.load(here / f"model{number}") for number in range(3)]
    assert len({model.notes["fingerprint"] for model in models}) == 1
    # The data recipe of a model does not depend on the cache.
    assert "cache" not in models[0].notes["source"]
    reports = {cli("evaluate", f"model{number}", "--json", "--no-track").out for number in range(3)}
    assert len(reports) == 1
    assert "ndcg@100" in json.dumps(json.loads(reports.pop()))


def test_no_command_keeps_anything_where_it_is_told_not_to(
    cli: Run, here: Path, model: Path, rated_model: Path
) -> None:
    data = write_ratings(here / "mine.csv")
    (here / "pairs.csv").write_text("user,item\nu1,film 1\n")
    of_fit = ("--data", data, "--no-cache")
    commands = [
        ("data", "describe", data, "--no-cache"),
        ("data", "split", data, "--no-cache", "--out", "parts"),
        ("evaluate", model, "--no-track", *of_fit),
        ("recommend", model, "--out", "lists.csv", *of_fit),
        ("recommend", model, "--out", "new.csv", "--histories", data, "--no-cache"),
        ("predict", rated_model, "--pairs", "pairs.csv", "--out", "rated.csv", *of_fit),
        ("blend", model, model, "--out", "mix", *of_fit),
    ]
    for command in commands:
        outcome = cli(*command)
        assert (outcome.code, kept(here)) == (0, []), outcome.err
        # The same command with the cache saves a copy.
        again = [word for word in command if word != "--no-cache"]
        again = [
            f"again-{word}" if before == "--out" else word for before, word in zip(["", *again], again, strict=False)
        ]
        outcome = cli(*again)
        assert (outcome.code, len(kept(here))) == (0, 1), outcome.err
        for path in here.rglob("*.bin"):
            path.unlink()
